import type { Digest } from '../core/digest.ts';
import { FetchError } from './outcome.ts';
import type { BlobRequest, RegistryClient } from './registry-client.ts';

/** A connection that is cut again and again is given up after so many times, one that is too slow after so many. */
const MOST_CUTS = 8;
const MOST_SLOW = 2;

/**
 * A blob's bytes, which go on where they stopped when the connection is cut on the way, or given up as too slow, as long as each
 * further try brings some. What came in parts is checked by nobody here: whoever takes it holds it against the digest. Raises
 * `FetchError`.
 */
export async function* readBlob(
  client: Pick<RegistryClient, 'openBlob'>,
  repository: Parameters<RegistryClient['openBlob']>[0],
  digest: Digest,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let received = 0;
  let cut: FetchError | undefined;
  let slow = 0;
  for (let cuts = 0; ; cuts++) {
    const begun = received;
    const request: BlobRequest = begun === 0 ? { size } : { range: { first: begun, last: size - 1 } };
    const outcome = await client.openBlob(repository, digest, request);
    // One that gives no parts of blobs is asked for all of it another time.
    if (!outcome.ok) throw cut !== undefined && outcome.failure.kind === 'corrupt' ? cut : new FetchError(outcome.failure);
    try {
      for await (const chunk of outcome.value) {
        received += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      const isCut = error instanceof FetchError && error.failure.kind === 'unreachable';
      if (!isCut || received === begun || received >= size || cuts >= MOST_CUTS) throw error;
      if (error.failure.isSlow === true && ++slow >= MOST_SLOW) throw error;
      cut = error;
    }
  }
}
