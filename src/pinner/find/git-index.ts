/**
 * The paths that git tracks, from the bytes of `.git/index` (versions 2 to 4, gitformat-index). `undefined` when they are
 * anything else: then nothing is known, and no ignore rule of git's is applied.
 */
export function readGitIndex(bytes: Uint8Array): Set<string> | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < 12 || buffer.toString('latin1', 0, 4) !== 'DIRC') return undefined;
  const version = buffer.readUInt32BE(4);
  const count = buffer.readUInt32BE(8);
  if (version < 2 || version > 4 || count > buffer.length / 62) return undefined;
  const paths = new Set<string>();
  let at = 12;
  let previous = Buffer.alloc(0);
  for (let index = 0; index < count; index++) {
    if (at + 62 > buffer.length) return undefined;
    const isExtended = (buffer.readUInt16BE(at + 60) & 0x4000) !== 0;
    let from = at + (isExtended ? 64 : 62);
    let kept = 0;
    if (version === 4) {
      const removed = readOffset(buffer, from);
      if (removed === undefined || removed.value > previous.length) return undefined;
      kept = previous.length - removed.value;
      from = removed.next;
    }
    const end = buffer.indexOf(0, from);
    if (end < 0 || end - from > 4096) return undefined;
    previous = Buffer.concat([previous.subarray(0, kept), buffer.subarray(from, end)]);
    paths.add(previous.toString('utf8'));
    at = version === 4 ? end + 1 : at + Math.ceil((end - at + 1) / 8) * 8;
  }
  return paths;
}

/** Git's variable-width number: seven bits a byte, each continuation adding one. */
function readOffset(buffer: Buffer, from: number): { value: number; next: number } | undefined {
  let byte = buffer[from];
  if (byte === undefined) return undefined;
  let value = byte & 127;
  let next = from + 1;
  while (byte & 128) {
    byte = buffer[next++];
    if (byte === undefined || value > 1e6) return undefined;
    value = (value + 1) * 128 + (byte & 127);
  }
  return { value, next };
}
