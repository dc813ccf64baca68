import { createBufferTiers, type BufferTiers } from '../../core/buffer-tiers.ts';

export interface BufferPool extends BufferTiers {
  /** Little is lent: one answer may have several. */
  readonly isRoomy: boolean;
}

const KIB = 1024;
const make = (bytes: number): Buffer => Buffer.allocUnsafeSlow(bytes);

/**
 * Lends buffers for one read and one write each. Large ones are faster (up to 1 MiB where it was measured), but many slow
 * clients must fit in little memory, so the size goes down as more is lent; the smallest is lent without bound, because
 * connections are bounded and no pull may wait for another one's slow reader.
 */
export function createBufferPool(limit = 96 * KIB * KIB): BufferPool {
  const tiers = createBufferTiers([
    { bytes: 1024 * KIB, until: limit / 6, kept: 8, make },
    { bytes: 512 * KIB, until: (limit * 2) / 3, kept: 8, make },
    { bytes: 128 * KIB, until: limit, kept: 16, make },
    { bytes: 64 * KIB, until: Infinity, kept: 16, make },
  ]);
  return {
    take: tiers.take,
    give: tiers.give,
    get lent() {
      return tiers.lent;
    },
    get isRoomy() {
      return tiers.lent <= limit / 16;
    },
  };
}
