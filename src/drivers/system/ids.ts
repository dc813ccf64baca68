import { randomBytes, randomUUID } from 'node:crypto';
import type { IdSource } from '../../core/ids.ts';

export const systemIds: IdSource = { uuid: () => randomUUID(), bytes: (count) => randomBytes(count) };
