import type { Clock } from '../core/clock.ts';
import { discardBody } from './body.ts';
import { parseRetryAfter, type HostGate } from './host-gate.ts';
import { FetchError } from './outcome.ts';
import { TransientError, type WireAnswer } from './transport.ts';

export interface Patience {
  clock: Clock;
  /** Comes back after so many milliseconds. */
  wait(milliseconds: number): Promise<void>;
  /** For one request: tries after broken connections and 5xx answers. */
  attempts: number;
  /** For one request: tries after 429, each at the pace that the host asks for. */
  rateLimitAttempts: number;
  /** The longest single rest, in seconds, that is worth waiting for. */
  longestRest: number;
}

/** Back-off before try `n + 1`, in milliseconds. */
const backOff = (n: number): number => Math.min(200 * 2 ** (n - 1), 5000);

/**
 * Sends until there is an answer that is neither 429 nor 5xx, within the bounds of `patience`. A 429 holds back every
 * request to that host, not only this one. Raises FetchError (`rate-limited`, `unreachable`).
 */
export async function persist(
  host: string,
  gate: HostGate,
  patience: Patience,
  send: () => Promise<WireAnswer>,
): Promise<WireAnswer> {
  let broken = 0;
  let limited = 0;
  for (;;) {
    await rest(host, gate, patience);
    let answer: WireAnswer;
    try {
      answer = await gate.run(send);
    } catch (error) {
      if (!(error instanceof TransientError) || ++broken >= patience.attempts) throw error;
      await patience.wait(backOff(broken));
      continue;
    }
    if (answer.status !== 429 && answer.status < 500) return answer;
    const asked = parseRetryAfter(answer.headers['retry-after'], patience.clock.now());
    discardBody(answer);
    if (answer.status === 429) {
      gate.narrow();
      limited++;
      const pause = Math.max((asked ?? 0) * 1000, backOff(limited));
      gate.restUntil = Math.max(gate.restUntil, patience.clock.monotonic() + pause);
      if (limited >= patience.rateLimitAttempts) throw tooMany(host, asked);
    } else {
      const pause = Math.max((asked ?? 0) * 1000, backOff(++broken));
      if (broken >= patience.attempts || pause > patience.longestRest * 1000) {
        throw new FetchError({ kind: 'unreachable', host, reason: `it answers HTTP ${answer.status}` });
      }
      await patience.wait(pause);
    }
  }
}

async function rest(host: string, gate: HostGate, patience: Patience): Promise<void> {
  for (;;) {
    const left = gate.restUntil - patience.clock.monotonic();
    if (left <= 0) return;
    if (left > patience.longestRest * 1000) throw tooMany(host, Math.ceil(left / 1000));
    await patience.wait(left);
  }
}

function tooMany(host: string, seconds: number | undefined): FetchError {
  const when = seconds === undefined ? '' : `; it will answer again in ${seconds} s`;
  return new FetchError({
    kind: 'rate-limited',
    host,
    reason: `too many requests${when}`,
    ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }),
  });
}
