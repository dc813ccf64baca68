import { createHash, type Hash } from 'node:crypto';
import { getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { HashOrder, HashReceipt } from './hash-threads.ts';

// Of this thread alone, on Linux: a hash takes every moment that nobody else wants, and holds up no answer for it.
if (process.platform === 'linux') setPriority(Math.min(getPriority() + 10, 19));

const hashes = new Map<number, Hash>();
const answer = (receipt: HashReceipt): void => parentPort?.postMessage(receipt);

function hashOf(key: number): Hash {
  const hash = hashes.get(key);
  if (hash === undefined) throw new Error(`no hash ${key}`);
  return hash;
}

parentPort?.on('message', (order: HashOrder) => {
  switch (order.do) {
    case 'start':
      return void hashes.set(order.key, createHash(order.algorithm));
    case 'copy':
      return void hashes.set(order.key, hashOf(order.from).copy());
    case 'free':
      return void hashes.delete(order.key);
    case 'update':
      hashOf(order.key).update(order.bytes);
      return answer({ ticket: order.ticket });
    case 'digest':
      return answer({ ticket: order.ticket, hex: hashOf(order.key).copy().digest('hex') });
  }
});
