import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { DigestAlgorithm } from '../../core/digest.ts';
import type { HashAnswer } from './hash-workers.ts';

// Of this thread alone, on Linux: nobody waits for it who could not wait a little longer.
if (process.platform === 'linux') setPriority(Math.min(getPriority() + 10, 19));

const buffer = new Uint8Array(1024 * 1024);

parentPort?.on('message', (job: { path: string; algorithm: DigestAlgorithm; length: number | undefined }) => {
  parentPort?.postMessage(answer(job.path, job.algorithm, job.length));
});

function answer(path: string, algorithm: DigestAlgorithm, length: number | undefined): HashAnswer {
  try {
    return { hex: hashFile(path, algorithm, length) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    return { message: error instanceof Error ? error.message : String(error), code };
  }
}

function hashFile(path: string, algorithm: DigestAlgorithm, length = Infinity): string {
  const hash = createHash(algorithm);
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    let at = 0;
    while (at < length) {
      const bytes = readSync(file, buffer, 0, Math.min(buffer.length, length - at), at);
      if (bytes === 0) break;
      hash.update(buffer.subarray(0, bytes));
      at += bytes;
    }
    if (length !== Infinity && at < length)
      throw Object.assign(new Error(`${path} has ${at} bytes, not ${length}`), { code: 'ESHORT' });
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
