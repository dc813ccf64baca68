/**
 * What asking another registry can come to. The four failures that people must tell apart, and a fifth for an answer
 * that contradicts itself: it came, and it is not what it says it is.
 */
export type FailureKind = 'not-found' | 'denied' | 'unreachable' | 'rate-limited' | 'corrupt';

export interface Failure {
  kind: FailureKind;
  /** `host[:port]` that was asked. */
  host: string;
  /** A sentence for people, without secrets. */
  reason: string;
  /** For `rate-limited`, when the registry said it. */
  retryAfterSeconds?: number;
  /** For `unreachable`: it answers, and so slowly that it was given up. */
  isSlow?: true;
}

export type Outcome<T> = { ok: true; value: T } | { ok: false; failure: Failure };

/** Carries a failure out of a body that had begun to arrive, and through the layers of this room. */
export class FetchError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, options?: { cause?: unknown }) {
    super(`${failure.host}: ${failure.reason}`, options);
    this.name = 'FetchError';
    this.failure = failure;
  }
}

/** Runs `work`; a `FetchError` becomes its failure, anything else is a bug and goes on. */
export async function settle<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (error instanceof FetchError) return { ok: false, failure: error.failure };
    throw error;
  }
}
