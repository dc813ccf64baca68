import { createLruCache } from '../../core/lru-cache.ts';
import type { ContainerStats } from '../../orchestrator/ports.ts';

const REMEMBERED = 1_000;

interface Sample {
  at: number;
  received: number;
  sent: number;
  read?: unknown;
  cpu?: unknown;
}

/** What Docker says of the look before the first one. */
const NEVER = '0001-01-01T00:00:00Z';
const NOTHING_USED = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/**
 * Adds to a container's stats what was seen of it the last time it was asked for: `precpu_stats`, without which nobody can say how much
 * of the CPU it takes, where the engine has not remembered it itself, and `network_rate_stats`.
 */
export function createStatsHistory(): (key: string, stats: ContainerStats, now: number) => ContainerStats {
  const samples = createLruCache<string, Sample>(REMEMBERED);
  return (key, stats, now) => {
    const networks = Object.values((stats['networks'] ?? {}) as Record<string, { rx_bytes?: number; tx_bytes?: number }>);
    const sum = (of: 'rx_bytes' | 'tx_bytes'): number => networks.reduce((total, one) => total + (one[of] ?? 0), 0);
    const sample = { at: now, received: sum('rx_bytes'), sent: sum('tx_bytes'), read: stats['read'], cpu: stats['cpu_stats'] };
    const before = samples.get(key);
    samples.set(key, sample);
    const seconds = before === undefined ? 0 : (now - before.at) / 1000;
    // A counter that has gone back belongs to another run.
    const rate = (less = 0, more: number): number => (seconds > 0 && more >= less ? (more - less) / seconds : 0);
    return {
      ...stats,
      ...(stats['cpu_stats'] === undefined || stats['precpu_stats'] !== undefined
        ? {}
        : { preread: before?.read ?? NEVER, precpu_stats: before?.cpu ?? NOTHING_USED }),
      ...(networks.length === 0
        ? {}
        : {
            network_rate_stats: {
              rx_bytes_per_sec: rate(before?.received, sample.received),
              tx_bytes_per_sec: rate(before?.sent, sample.sent),
            },
          }),
    };
  };
}
