import { createLruCache } from '../../core/lru-cache.ts';
import type { ContainerStats } from '../../orchestrator/ports.ts';

const REMEMBERED = 1_000;

interface Sample {
  at: number;
  received: number;
  sent: number;
}

/** Adds `network_rate_stats` to a container's stats, from what was seen of it the last time it was asked for. */
export function createNetworkRates(): (key: string, stats: ContainerStats, now: number) => ContainerStats {
  const samples = createLruCache<string, Sample>(REMEMBERED);
  return (key, stats, now) => {
    const networks = Object.values((stats['networks'] ?? {}) as Record<string, { rx_bytes?: number; tx_bytes?: number }>);
    if (networks.length === 0) return stats;
    const sum = (of: 'rx_bytes' | 'tx_bytes'): number => networks.reduce((total, one) => total + (one[of] ?? 0), 0);
    const sample = { at: now, received: sum('rx_bytes'), sent: sum('tx_bytes') };
    const before = samples.get(key);
    samples.set(key, sample);
    const seconds = before === undefined ? 0 : (now - before.at) / 1000;
    // A counter that has gone back belongs to another run.
    const rate = (less = 0, more: number): number => (seconds > 0 && more >= less ? (more - less) / seconds : 0);
    return {
      ...stats,
      network_rate_stats: {
        rx_bytes_per_sec: rate(before?.received, sample.received),
        tx_bytes_per_sec: rate(before?.sent, sample.sent),
      },
    };
  };
}
