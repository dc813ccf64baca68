import { performance } from 'node:perf_hooks';
import type { Clock } from '../../core/clock.ts';

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
