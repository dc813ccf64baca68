import { createTurnstile } from '../core/turnstile.ts';

/** Bounds how many requests to one host are under way, and holds all of them back while the host has asked for rest. */
export interface HostGate {
  /** Runs `work` when it is its turn. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Until when, in monotonic milliseconds, the host wants no request. */
  restUntil: number;
  /** Halves the number of requests under way at once: the host has said that it was too many. */
  narrow(): void;
}

export function createHostGate(most: number): HostGate {
  const turns = createTurnstile(most);
  return {
    restUntil: 0,
    narrow() {
      turns.places = Math.max(1, Math.floor(turns.places / 2));
    },
    run: turns.pass,
  };
}

/** Seconds to wait by a `Retry-After` value (RFC 9110 §10.2.3): a count, or a date. `undefined` when it says neither. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000));
}
