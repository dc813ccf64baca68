import { Worker } from 'node:worker_threads';
import { TarError } from '../../../core/tar-entry.ts';
import { createTurnstile } from '../../../core/turnstile.ts';
import type { UnpackAnswer, UnpackJob } from './unpack-worker.ts';
import type { WrittenLayer } from './write-layer.ts';

const LONGEST_MILLISECONDS = 30 * 60 * 1000;
const AT_ONCE = 2;

/** Unpacks layers on threads of their own, a few at once. */
export interface Unpacker {
  /** Raises `TarError` for a layer that is not what it should be, errors of the machine as they are. */
  unpack(job: UnpackJob): Promise<WrittenLayer>;
  close(): Promise<void>;
}

export function createUnpacker(): Unpacker {
  const running = new Set<Worker>();
  const turns = createTurnstile(AT_ONCE);

  async function run(job: UnpackJob): Promise<WrittenLayer> {
    const source = import.meta.url.endsWith('.ts') ? './unpack-worker.ts' : './unpack-worker.js';
    const worker = new Worker(new URL(source, import.meta.url));
    running.add(worker);
    const answer = new Promise<WrittenLayer>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new TarError('the layer takes longer than 30 minutes to unpack')),
        LONGEST_MILLISECONDS,
      );
      late.unref();
      worker.on('message', (said: UnpackAnswer) => {
        clearTimeout(late);
        if ('layer' in said) resolve(said.layer);
        else if (said.isLayerAtFault) reject(new TarError(said.message));
        else reject(Object.assign(new Error(said.message), { code: said.code }));
      });
      worker.on('error', (error) => reject(error instanceof Error ? error : new Error(String(error))));
      worker.on('exit', () => {
        clearTimeout(late);
        reject(new Error('the unpacking thread ended before its layer'));
      });
      worker.postMessage(job);
    });
    try {
      return await answer;
    } finally {
      running.delete(worker);
      await worker.terminate();
    }
  }

  return {
    unpack: (job) => turns.pass(() => run(job)),
    async close() {
      await Promise.all([...running].map((worker) => worker.terminate()));
    },
  };
}
