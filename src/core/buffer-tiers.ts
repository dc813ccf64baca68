/** Lends memory in sizes that go down as more of it is lent. */
export interface BufferTiers {
  take(): Buffer;
  give(buffer: Buffer): void;
  /** Bytes that are lent out. */
  readonly lent: number;
}

export interface BufferTier {
  bytes: number;
  /** Lent up to so many bytes in all; the last tier has no bound. */
  until: number;
  /** How many that came back are kept, to be lent again: new memory costs more than the bytes written to it. */
  kept: number;
  make(bytes: number): Buffer;
}

/** `kinds`: the largest first, each of a size of its own. What comes back last is lent first: the processor's cache still has it. */
export function createBufferTiers(kinds: BufferTier[]): BufferTiers {
  const tiers = kinds.map((kind) => ({ ...kind, free: [] as Buffer[] }));
  let lent = 0;
  return {
    get lent() {
      return lent;
    },
    take() {
      const tier = tiers.find(({ bytes, until }) => lent + bytes <= until);
      if (tier === undefined) throw new Error('the last tier has no bound');
      lent += tier.bytes;
      return tier.free.pop() ?? tier.make(tier.bytes);
    },
    give(buffer) {
      lent -= buffer.length;
      const tier = tiers.find(({ bytes }) => bytes === buffer.length);
      if (tier !== undefined && tier.free.length < tier.kept) tier.free.push(buffer);
      // Given back now: the garbage collector would come for it when the next hundred have theirs. Shared memory has no owner.
      else if (buffer.buffer instanceof ArrayBuffer) buffer.buffer.transfer(0);
    },
  };
}
