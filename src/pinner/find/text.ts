/**
 * A file as a string of one character a byte, so that every index that a parser gives is a byte offset. References are ASCII;
 * what else the file says in UTF-8 comes out right again through `readable`.
 */
export interface ByteText {
  text: string;
  /** Bytes before the text: the length of a byte order mark. */
  base: number;
}

export function toByteText(bytes: Uint8Array): ByteText {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const base = buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 3 : 0;
  return { text: buffer.toString('latin1', base), base };
}

/** Byte text back to what people read. */
export function readable(text: string): string {
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'latin1').toString('utf8');
}

/** Answers line and column (1-based, in characters) for offsets into `text`; linear as a whole when they are asked in rising order. */
export function createLineIndex(text: string): (offset: number) => { line: number; column: number } {
  let line = 1;
  let column = 1;
  let at = 0;
  return (offset) => {
    if (offset < at) {
      line = 1;
      column = 1;
      at = 0;
    }
    for (; at < offset; at++) {
      const code = text.charCodeAt(at);
      if (code === 10) {
        line += 1;
        column = 1;
      } else if ((code & 0xc0) !== 0x80) column += 1; // The further bytes of a character of UTF-8 are no column.
    }
    return { line, column };
  };
}

/** Raised inside the parsers of this folder only; `findReferences` turns it into a problem of the file. */
export class SyntaxProblem extends Error {
  readonly offset: number;
  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** Deeper nesting than this is refused by every parser here. */
export const MAX_DEPTH = 200;
