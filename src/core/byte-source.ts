/** Pieces of bytes, as they come, read in the sizes that a format needs. Nothing is copied but what lies across two pieces. */
export interface ByteSource {
  /** Bytes given so far. */
  readonly position: number;
  /** Exactly `count` bytes; fewer only where the source ends. */
  take(count: number): Promise<Buffer>;
  /** The next bytes, at least one and at most `most`; `undefined` at the end. */
  some(most: number): Promise<Buffer | undefined>;
  /** Passes over `count` bytes; gives how many there were. */
  skip(count: number): Promise<number>;
  /** Lets the source go, wherever it stands. */
  close(): Promise<void>;
}

export function createByteSource(source: AsyncIterable<Uint8Array>): ByteSource {
  const iterator = source[Symbol.asyncIterator]();
  let piece: Buffer = Buffer.alloc(0);
  let position = 0;
  let isEnded = false;

  /** False at the end. */
  async function fill(): Promise<boolean> {
    while (piece.length === 0 && !isEnded) {
      const next = await iterator.next();
      if (next.done === true) isEnded = true;
      else piece = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    return piece.length > 0;
  }

  function cut(most: number): Buffer {
    const part = piece.subarray(0, most);
    piece = piece.subarray(part.length);
    position += part.length;
    return part;
  }

  return {
    get position() {
      return position;
    },
    async take(count) {
      if (piece.length >= count) return cut(count);
      const parts: Buffer[] = [];
      let missing = count;
      while (missing > 0 && (await fill())) {
        const part = cut(missing);
        parts.push(part);
        missing -= part.length;
      }
      return Buffer.concat(parts);
    },
    async some(most) {
      return (await fill()) ? cut(most) : undefined;
    },
    async skip(count) {
      let missing = count;
      while (missing > 0 && (await fill())) missing -= cut(missing).length;
      return count - missing;
    },
    async close() {
      if (!isEnded) await iterator.return?.();
      isEnded = true;
    },
  };
}
