import { Worker } from 'node:worker_threads';
import type { DigestAlgorithm } from '../../core/digest.ts';

/** One at a time would let a 50 GB layer hold up every other; more would take the machine from those who pull. */
const WORKERS = 2;
const IDLE_MILLISECONDS = 5000;

export interface HashWorkers {
  /** Hex hash of the first `length` bytes of a file (all when absent). */
  hash(path: string, algorithm: DigestAlgorithm, length?: number): Promise<string>;
  close(): Promise<void>;
}

interface Job {
  path: string;
  algorithm: DigestAlgorithm;
  length: number | undefined;
  resolve(hex: string): void;
  reject(error: Error): void;
}

/** What a worker answers: a hash, or an error with the operating system's code. */
export type HashAnswer = { hex: string } | { message: string; code: string | undefined };

/** Threads that hash files; started when needed, stopped when idle, and never what keeps the process alive. */
export function createHashWorkers(): HashWorkers {
  const queue: Job[] = [];
  const idle = new Map<Worker, NodeJS.Timeout>();
  const busy = new Map<Worker, Job>();
  let closed = false;

  function start(): Worker {
    const source = import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.js';
    const worker = new Worker(new URL(source, import.meta.url));
    worker.on('message', (answer: HashAnswer) => {
      const job = busy.get(worker);
      busy.delete(worker);
      worker.unref();
      idle.set(worker, setTimeout(() => void stop(worker), IDLE_MILLISECONDS).unref());
      if ('hex' in answer) job?.resolve(answer.hex);
      else job?.reject(Object.assign(new Error(answer.message), { code: answer.code }));
      next();
    });
    worker.on('error', (error) => lose(worker, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => lose(worker, new Error('the hashing thread ended')));
    return worker;
  }

  function lose(worker: Worker, error: Error): void {
    const job = busy.get(worker);
    busy.delete(worker);
    clearTimeout(idle.get(worker));
    idle.delete(worker);
    job?.reject(error);
    if (!closed) next();
  }

  function stop(worker: Worker): Promise<number> {
    clearTimeout(idle.get(worker));
    idle.delete(worker);
    return worker.terminate();
  }

  function next(): void {
    if (queue.length === 0 || busy.size >= WORKERS) return;
    const [waiting] = idle.keys();
    const worker = waiting ?? start();
    clearTimeout(idle.get(worker));
    idle.delete(worker);
    const job = queue.shift() as Job;
    busy.set(worker, job);
    worker.ref();
    worker.postMessage({ path: job.path, algorithm: job.algorithm, length: job.length });
  }

  return {
    hash: (path, algorithm, length) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Error('the blob store is closed'));
        queue.push({ path, algorithm, length, resolve, reject });
        next();
      }),
    async close() {
      closed = true;
      for (const job of queue.splice(0)) job.reject(new Error('the blob store is closed'));
      await Promise.all([...idle.keys(), ...busy.keys()].map(stop));
    },
  };
}
