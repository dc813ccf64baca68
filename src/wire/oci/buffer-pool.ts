export interface BufferPool {
  take(): Buffer;
  give(buffer: Buffer): void;
  /** Bytes that are lent out. */
  readonly lent: number;
  /** Little is lent: one answer may have several. */
  readonly isRoomy: boolean;
}

const KIB = 1024;

/**
 * Lends buffers for one read and one write each. Large ones are faster (up to 1 MiB where it was measured), but many slow
 * clients must fit in little memory, so the size goes down as more is lent; the smallest is lent without bound, because
 * connections are bounded and no pull may wait for another one's slow reader. What comes back last is lent first: it is
 * still in the processor's cache.
 */
export function createBufferPool(limit = 96 * KIB * KIB): BufferPool {
  const tiers = [
    { bytes: 1024 * KIB, until: limit / 6, kept: 8 },
    { bytes: 512 * KIB, until: (limit * 2) / 3, kept: 8 },
    { bytes: 128 * KIB, until: limit, kept: 16 },
    { bytes: 64 * KIB, until: Infinity, kept: 16 },
  ].map((tier) => ({ ...tier, free: [] as Buffer[] }));
  let lent = 0;
  return {
    get lent() {
      return lent;
    },
    get isRoomy() {
      return lent <= limit / 16;
    },
    take() {
      const tier = tiers.find(({ bytes, until }) => lent + bytes <= until);
      if (tier === undefined) throw new Error('the last tier has no bound');
      lent += tier.bytes;
      return tier.free.pop() ?? Buffer.allocUnsafeSlow(tier.bytes);
    },
    give(buffer) {
      lent -= buffer.length;
      const tier = tiers.find(({ bytes }) => bytes === buffer.length);
      if (tier !== undefined && tier.free.length < tier.kept) tier.free.push(buffer);
      // Given back now: the garbage collector would come for it when the next hundred pulls have theirs.
      else if (buffer.buffer instanceof ArrayBuffer) buffer.buffer.transfer(0);
    },
  };
}
