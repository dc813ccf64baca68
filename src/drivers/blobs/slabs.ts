/** Memory for bytes on their way to the disk, shared with the threads that hash. */
export interface Slabs {
  take(): Buffer;
  give(slab: Buffer): void;
}

const KIB = 1024;
/** The smallest a slab can be: what one read from a socket brings. */
export const SMALLEST_SLAB = 64 * KIB;
export const LARGEST_SLAB = 1024 * KIB;

/**
 * Lends slabs. Large ones make few system calls, but a thousand uploads must fit in little memory, so the size goes down
 * as more is lent; the smallest is lent without bound, because connections are bounded and no upload may wait for
 * another one's slow sender. What comes back is lent again: new memory costs more than the bytes written to it.
 */
export function createSlabs(limit = 64 * KIB * KIB): Slabs {
  const tiers = [
    { bytes: LARGEST_SLAB, until: limit / 2, kept: 6 },
    { bytes: LARGEST_SLAB / 4, until: limit, kept: 8 },
    { bytes: SMALLEST_SLAB, until: Infinity, kept: 16 },
  ].map((tier) => ({ ...tier, free: [] as Buffer[] }));
  let lent = 0;
  return {
    take() {
      const tier = tiers.find(({ bytes, until }) => lent + bytes <= until);
      if (tier === undefined) throw new Error('the last tier has no bound');
      lent += tier.bytes;
      return tier.free.pop() ?? Buffer.from(new SharedArrayBuffer(tier.bytes));
    },
    give(slab) {
      lent -= slab.length;
      const tier = tiers.find(({ bytes }) => bytes === slab.length);
      if (tier !== undefined && tier.free.length < tier.kept) tier.free.push(slab);
    },
  };
}
