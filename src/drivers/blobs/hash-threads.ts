import { Worker } from 'node:worker_threads';
import type { DigestAlgorithm } from '../../core/digest.ts';

/** What a thread is asked, in order; each question with a ticket has one answer. */
export type HashOrder =
  | { do: 'start'; key: number; algorithm: DigestAlgorithm }
  | { do: 'copy'; key: number; from: number }
  | { do: 'update'; key: number; bytes: Uint8Array; ticket: number }
  | { do: 'digest'; key: number; ticket: number }
  | { do: 'free'; key: number };
export interface HashReceipt {
  ticket: number;
  hex?: string;
}

/** A thread with hashes that grow, by key. */
export interface HashThread {
  start(algorithm: DigestAlgorithm): number;
  copy(from: number): number;
  /** Settled when the bytes have been read. Never fails: a thread that dies is found out by `digest`. */
  update(key: number, bytes: Uint8Array): Promise<void>;
  /** `undefined` when the thread has died. */
  digest(key: number): Promise<string | undefined>;
  free(key: number): void;
}

export interface HashThreads {
  /** A thread to begin a hash on, or the one that has it; each `join` needs one `leave`. */
  join(thread?: HashThread): HashThread;
  leave(thread: HashThread): void;
  close(): Promise<void>;
}

/** With more, the disk and the sockets would have no processor left. */
const THREADS = 2;
const IDLE_MILLISECONDS = 60_000;

interface Running {
  thread: HashThread;
  worker: Worker;
  /** Hashes that live there. */
  hashes: number;
  idle: NodeJS.Timeout | undefined;
}

/** Threads that hash while the bytes are written: started when needed, stopped when idle, and never what keeps the process alive. */
export function createHashThreads(): HashThreads {
  const running = new Set<Running>();
  const owners = new Map<HashThread, Running>();

  function start(): Running {
    const source = import.meta.url.endsWith('.ts') ? './hash-thread-worker.ts' : './hash-thread-worker.js';
    const worker = new Worker(new URL(source, import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: 2 } });
    const { thread, die } = createThread(worker);
    const entry: Running = { thread, worker, hashes: 0, idle: undefined };
    const end = (): void => {
      running.delete(entry);
      clearTimeout(entry.idle);
      die();
    };
    worker.on('error', end);
    worker.on('exit', end);
    worker.unref();
    running.add(entry);
    owners.set(thread, entry);
    return entry;
  }

  return {
    join(wanted) {
      let entry = wanted && owners.get(wanted);
      if (entry === undefined) {
        const [least] = [...running].sort((one, other) => one.hashes - other.hashes);
        entry = least !== undefined && (least.hashes === 0 || running.size >= THREADS) ? least : start();
      }
      clearTimeout(entry.idle);
      entry.hashes++;
      return entry.thread;
    },
    leave(thread) {
      const entry = owners.get(thread);
      if (entry === undefined || --entry.hashes > 0) return;
      if (!running.has(entry)) return void owners.delete(thread);
      const stop = (): void => {
        running.delete(entry);
        owners.delete(thread);
        void entry.worker.terminate();
      };
      entry.idle = setTimeout(stop, IDLE_MILLISECONDS).unref();
    },
    async close() {
      await Promise.all([...running].map(({ worker }) => worker.terminate()));
    },
  };
}

function createThread(worker: Worker): { thread: HashThread; die(): void } {
  const waiting = new Map<number, (hex: string | undefined) => void>();
  let tickets = 0;
  let keys = 0;
  let isDead = false;
  const order = (message: HashOrder): void => worker.postMessage(message);
  const ask = (message: (ticket: number) => HashOrder): Promise<string | undefined> => {
    if (isDead) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const ticket = ++tickets;
      // The process must not end between the bytes and their hash.
      if (waiting.size === 0) worker.ref();
      waiting.set(ticket, resolve);
      order(message(ticket));
    });
  };
  worker.on('message', ({ ticket, hex }: HashReceipt) => {
    const resolve = waiting.get(ticket);
    waiting.delete(ticket);
    if (waiting.size === 0) worker.unref();
    resolve?.(hex);
  });
  return {
    thread: {
      start(algorithm) {
        order({ do: 'start', key: ++keys, algorithm });
        return keys;
      },
      copy(from) {
        order({ do: 'copy', key: ++keys, from });
        return keys;
      },
      update: async (key, bytes) => void (await ask((ticket) => ({ do: 'update', key, bytes, ticket }))),
      digest: (key) => ask((ticket) => ({ do: 'digest', key, ticket })),
      free: (key) => order({ do: 'free', key }),
    },
    die() {
      isDead = true;
      for (const resolve of waiting.values()) resolve(undefined);
      waiting.clear();
    },
  };
}
