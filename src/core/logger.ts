/** Where the product speaks to its operator. Facts are plain data; a secret is never one of them. */
export interface Logger {
  debug(message: string, facts?: Record<string, unknown>): void;
  info(message: string, facts?: Record<string, unknown>): void;
  warn(message: string, facts?: Record<string, unknown>): void;
  error(message: string, facts?: Record<string, unknown>): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** An error and what caused it, outermost first, each with its stack where it has one. */
export function describeCauses(error: unknown, limit = 5): string[] {
  const causes: string[] = [];
  for (
    let cause = error;
    cause !== undefined && causes.length < limit;
    cause = cause instanceof Error ? cause.cause : undefined
  ) {
    causes.push(
      cause instanceof Error ? (cause.stack ?? cause.message) : typeof cause === 'string' ? cause : JSON.stringify(cause),
    );
  }
  return causes;
}
