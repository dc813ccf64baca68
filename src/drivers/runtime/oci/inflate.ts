import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { TarError } from '../../../core/tar-entry.ts';

export interface InflateLimits {
  /** Bytes of the inflated archive. */
  bytes: number;
  /** Inflated bytes for each compressed one, once more than `ratioFrom` bytes have come out. */
  ratio: number;
  ratioFrom: number;
}

export const INFLATE_LIMITS: InflateLimits = { bytes: 64 * 1024 ** 3, ratio: 200, ratioFrom: 64 * 1024 ** 2 };

/** Bytes of memory that a zstd frame may ask for, as a power of two: 128 MiB, what the format says every reader should take. */
const ZSTD_WINDOW_LOG = 27;

/**
 * The archive in a layer's file, whose first bytes tell how it is compressed: gzip, zstd, or not at all. Raises `TarError`
 * for a layer that blows up beyond the limits, or that is no such stream.
 */
export async function* inflate(
  path: string,
  { size, start }: { size: number; start: Uint8Array },
  limits: InflateLimits = INFLATE_LIMITS,
): AsyncGenerator<Buffer, void, undefined> {
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  const inflater = inflaterFor(start);
  const stream = inflater === undefined ? file : pipeline(file, inflater, () => undefined);
  const most = Math.max(limits.ratioFrom, size * limits.ratio);
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limits.bytes) throw new TarError(`the layer has more than ${limits.bytes} bytes when it is unpacked`);
      if (inflater !== undefined && bytes > most)
        throw new TarError(`the layer unpacks to more than ${limits.ratio} times its ${size} bytes`);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && /^(?:Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(String(error.code)))
      throw new TarError(`the layer's compressed stream is damaged: ${error.message}`, { cause: error });
    throw error;
  } finally {
    file.destroy();
    inflater?.destroy();
  }
}

function inflaterFor(start: Uint8Array): ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress> | undefined {
  const magic = Buffer.from(start.subarray(0, 4)).toString('hex');
  const chunkSize = 256 * 1024;
  if (magic.startsWith('1f8b')) return createGunzip({ chunkSize });
  if (magic === '28b52ffd' || /^5.2a4d18$/.test(magic))
    return createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } });
  return undefined;
}
