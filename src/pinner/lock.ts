import { isDigest, type Digest } from '../core/digest.ts';
import { isJsonObject, JsonError, parseJson } from '../core/json.ts';
import type { Outcome } from '../client/outcome.ts';
import type { Reference } from '../core/reference.ts';
import { keyOf } from './reference-key.ts';
import type { Resolution, Resolutions } from './resolve.ts';

/** What a reference was pinned to, and when. */
export interface LockedPin {
  digest: Digest;
  mediaType?: string;
  /** `os/architecture[/variant]` of each image of an index. */
  platforms?: string[];
  /** ISO 8601, UTC; the time of the digest, not of the last look. */
  resolvedAt: string;
}

/** By reference, in its shortest spelling with its tag. */
export type Lock = ReadonlyMap<string, LockedPin>;

export const LOCK_FILE = 'pins.lock.json';
const LIMIT = 32 * 1024 * 1024;

/** A lock file that is none; the message says why. */
export class LockError extends Error {}

/** Raises LockError. */
export function parseLock(bytes: Uint8Array): Lock {
  if (bytes.length > LIMIT) throw new LockError(`it is larger than ${LIMIT} bytes`);
  let document: unknown;
  try {
    document = parseJson(bytes);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new LockError(`it is not JSON: ${error.message}`);
  }
  if (!isJsonObject(document) || document['version'] !== 1 || !isJsonObject(document['pins'])) {
    throw new LockError('it has not the shape {"version": 1, "pins": {…}}');
  }
  const lock = new Map<string, LockedPin>();
  for (const [reference, pin] of Object.entries(document['pins'])) {
    if (
      !isJsonObject(pin) ||
      typeof pin['digest'] !== 'string' ||
      !isDigest(pin['digest']) ||
      typeof pin['resolvedAt'] !== 'string'
    ) {
      throw new LockError(`the pin of ${reference.slice(0, 200)} has no digest or no time`);
    }
    const { digest, mediaType, platforms, resolvedAt } = pin;
    lock.set(reference, {
      digest,
      resolvedAt,
      ...(typeof mediaType === 'string' ? { mediaType } : {}),
      ...(Array.isArray(platforms) ? { platforms: platforms.filter((platform) => typeof platform === 'string') } : {}),
    });
  }
  return lock;
}

/** The same lock always gives the same bytes. */
export function formatLock(lock: Lock): string {
  const pins = Object.fromEntries(
    [...lock]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([reference, { digest, mediaType, platforms, resolvedAt }]) => [
        reference,
        { digest, ...(mediaType ? { mediaType } : {}), ...(platforms ? { platforms } : {}), resolvedAt },
      ]),
  );
  return `${JSON.stringify({ version: 1, pins }, undefined, 2)}\n`;
}

/** Answers from the lock alone; what is not in it is a failure. */
export function resolveFromLock(lock: Lock, references: Iterable<Reference>): Resolutions {
  const resolutions = new Map<string, Outcome<Resolution>>();
  for (const reference of references) {
    const key = keyOf(reference);
    const pin = lock.get(key);
    resolutions.set(
      key,
      pin
        ? { ok: true, value: { digest: pin.digest, ...(pin.mediaType ? { mediaType: pin.mediaType } : {}) } }
        : { ok: false, failure: { kind: 'not-found', host: reference.host, reason: 'it is not in the lock file' } },
    );
  }
  return resolutions;
}

/** The lock with what was resolved now put in. A pin whose digest stays keeps its time, so that a second run changes nothing. */
export function extendLock(lock: Lock, pins: Iterable<[key: string, pin: Omit<LockedPin, 'resolvedAt'>]>, now: number): Lock {
  const extended = new Map(lock);
  for (const [key, pin] of pins) {
    if (extended.get(key)?.digest !== pin.digest) extended.set(key, { ...pin, resolvedAt: new Date(now).toISOString() });
  }
  return extended;
}
