import type { IdSource } from '../core/ids.ts';

/** 32 hexadecimal digits. */
export function randomTaskId(ids: IdSource): string {
  return Buffer.from(ids.bytes(16)).toString('hex');
}
