export interface OutputChunk {
  stream: 'stdout' | 'stderr';
  bytes: Buffer;
}

const HEADER = 8;
/** Docker writes frames of a line at most, which it cuts at 16 KiB; Podman's are of any size. */
const LONGEST_FRAME = 16 * 1024 * 1024;

/**
 * Takes the output of a container apart: frames of a type, three zeros, a length of four bytes, and the bytes (Engine API,
 * "Stream format"). With a terminal there are no frames, and all is stdout.
 */
export async function* outputOf(body: AsyncIterable<Buffer>, isTerminal: boolean): AsyncGenerator<OutputChunk> {
  if (isTerminal) {
    for await (const bytes of body) yield { stream: 'stdout', bytes };
    return;
  }
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      if (held.length < HEADER) break;
      const length = held.readUInt32BE(4);
      if (length > LONGEST_FRAME) throw new Error(`the engine sent a frame of ${length} bytes`);
      if (held.length < HEADER + length) break;
      yield { stream: held[0] === 2 ? 'stderr' : 'stdout', bytes: held.subarray(HEADER, HEADER + length) };
      held = held.subarray(HEADER + length);
    }
  }
}

/** A line with no end that comes is given in pieces of this size. */
const LONGEST_LINE = 64 * 1024;

/** Lines of text, each of one stream. What is left at the end is a line too. */
export async function* linesOf(
  chunks: AsyncIterable<OutputChunk>,
): AsyncGenerator<{ stream: OutputChunk['stream']; text: string }> {
  const held: Record<OutputChunk['stream'], Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  for await (const { stream, bytes } of chunks) {
    let rest = held[stream].length === 0 ? bytes : Buffer.concat([held[stream], bytes]);
    for (let end = rest.indexOf(10); end >= 0 || rest.length > LONGEST_LINE; end = rest.indexOf(10)) {
      const length = end < 0 || end > LONGEST_LINE ? LONGEST_LINE : end;
      const text = rest.subarray(0, length).toString('utf8');
      yield { stream, text: text.endsWith('\r') ? text.slice(0, -1) : text };
      rest = rest.subarray(length === end ? length + 1 : length);
    }
    held[stream] = rest;
  }
  for (const stream of ['stdout', 'stderr'] as const)
    if (held[stream].length > 0) yield { stream, text: held[stream].toString('utf8') };
}
