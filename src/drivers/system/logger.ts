import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'off'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One JSON object a line: `time`, `level`, `message`, then the facts. */
export function createLineLogger(stream: NodeJS.WritableStream, level: LogLevel, clock: Clock): Logger {
  const lowest = LOG_LEVELS.indexOf(level);
  const write = (at: LogLevel, message: string, facts: Record<string, unknown> = {}): void => {
    if (LOG_LEVELS.indexOf(at) < lowest) return;
    stream.write(`${JSON.stringify({ time: new Date(clock.now()).toISOString(), level: at, message, ...facts })}\n`);
  };
  return {
    debug: (message, facts) => write('debug', message, facts),
    info: (message, facts) => write('info', message, facts),
    warn: (message, facts) => write('warn', message, facts),
    error: (message, facts) => write('error', message, facts),
  };
}
