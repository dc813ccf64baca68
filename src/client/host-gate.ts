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
  let limit = most;
  let running = 0;
  const waiting: (() => void)[] = [];
  return {
    restUntil: 0,
    narrow() {
      limit = Math.max(1, Math.floor(limit / 2));
    },
    async run(work) {
      if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      try {
        return await work();
      } finally {
        // The place is handed over, so that nobody who asks just now can take it first.
        const next = running > limit ? undefined : waiting.shift();
        if (next) next();
        else running--;
      }
    },
  };
}

/** Seconds to wait by a `Retry-After` value (RFC 9110 §10.2.3): a count, or a date. `undefined` when it says neither. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000));
}
