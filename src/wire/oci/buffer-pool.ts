/** Memory for one answer that is being streamed: one part is filled while the other is on its way out. */
export interface BufferPair {
  readonly a: Buffer;
  readonly b: Buffer;
}

export interface BufferPool {
  take(): BufferPair;
  give(pair: BufferPair): void;
  /** Bytes that are lent out. */
  readonly lent: number;
}

const KIB = 1024;

/**
 * Lends buffers for streaming. Large ones are faster (512 KiB gave the most where it was measured), but a hundred pulls
 * must fit in little memory, so the size goes down as more is lent; the smallest is lent without bound, because
 * connections are bounded and no pull may wait for another one's slow reader.
 */
export function createBufferPool(limit = 48 * KIB * KIB): BufferPool {
  const tiers = [
    { bytes: 512 * KIB, until: limit / 8, kept: 4 },
    { bytes: 256 * KIB, until: (limit * 2) / 3, kept: 16 },
    { bytes: 128 * KIB, until: limit, kept: 16 },
    { bytes: 64 * KIB, until: Infinity, kept: 16 },
  ].map((tier) => ({ ...tier, free: [] as BufferPair[] }));
  let lent = 0;
  return {
    get lent() {
      return lent;
    },
    take() {
      const tier = tiers.find(({ bytes, until }) => lent + bytes * 2 <= until);
      if (tier === undefined) throw new Error('the last tier has no bound');
      lent += tier.bytes * 2;
      return tier.free.pop() ?? { a: Buffer.allocUnsafeSlow(tier.bytes), b: Buffer.allocUnsafeSlow(tier.bytes) };
    },
    give(pair) {
      const bytes = pair.a.length;
      lent -= bytes * 2;
      const tier = tiers.find((each) => each.bytes === bytes);
      if (tier !== undefined && tier.free.length < tier.kept) tier.free.push(pair);
      // Given back now: the garbage collector would come for it when the next hundred pulls have theirs.
      else for (const { buffer } of [pair.a, pair.b]) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    },
  };
}
