/**
 * Memory for one answer that is being streamed: two buffers, of which one is filled while the other is on its way out; or
 * one, where there are enough answers to fill the time in between.
 */
export type Buffers = readonly [Buffer, Buffer?];

export interface BufferPool {
  take(): Buffers;
  give(buffers: Buffers): void;
  /** Bytes that are lent out. */
  readonly lent: number;
}

const KIB = 1024;

/**
 * Lends buffers for streaming. Large ones are faster (up to 1 MiB where it was measured), but a hundred pulls
 * must fit in little memory, so number and size go down as more is lent; the smallest is lent without bound, because
 * connections are bounded and no pull may wait for another one's slow reader.
 */
export function createBufferPool(limit = 96 * KIB * KIB): BufferPool {
  const tiers = [
    { bytes: 1024 * KIB, count: 2, until: limit / 16, kept: 2 },
    { bytes: 512 * KIB, count: 1, until: (limit * 2) / 3, kept: 16 },
    { bytes: 128 * KIB, count: 1, until: limit, kept: 16 },
    { bytes: 64 * KIB, count: 1, until: Infinity, kept: 16 },
  ].map((tier) => ({ ...tier, free: [] as Buffers[] }));
  let lent = 0;
  return {
    get lent() {
      return lent;
    },
    take() {
      const tier = tiers.find(({ bytes, count, until }) => lent + bytes * count <= until);
      if (tier === undefined) throw new Error('the last tier has no bound');
      const { bytes, count, free } = tier;
      lent += bytes * count;
      const known = free.pop();
      if (known !== undefined) return known;
      const one = Buffer.allocUnsafeSlow(bytes);
      return count === 1 ? [one] : [one, Buffer.allocUnsafeSlow(bytes)];
    },
    give(buffers) {
      const bytes = buffers[0].length;
      lent -= bytes * buffers.length;
      const tier = tiers.find((each) => each.bytes === bytes);
      if (tier !== undefined && tier.free.length < tier.kept) tier.free.push(buffers);
      // Given back now: the garbage collector would come for it when the next hundred pulls have theirs.
      else for (const each of buffers) if (each?.buffer instanceof ArrayBuffer) each.buffer.transfer(0);
    },
  };
}
