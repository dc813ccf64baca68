import type { LogLine, LogRequest } from '../../../orchestrator/ports.ts';
import type { DockerApi } from './api.ts';
import { linesOf, outputOf } from './frames.ts';
import type { Inspected } from './inspected.ts';

/** The output that the engine kept of a container, with the times at which it came. */
export async function* readLogs(
  api: DockerApi,
  name: string,
  { Id, Config: { Tty: isTerminal } }: Inspected,
  { follow, tail, signal }: Omit<LogRequest, 'container'>,
): AsyncGenerator<LogLine> {
  const stop = new AbortController();
  const ended = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal]);
  try {
    const body = await api.open(`/containers/${Id}/logs`, {
      query: { stdout: true, stderr: true, timestamps: true, follow: follow === true, tail: tail ?? 'all' },
      signal: ended,
    });
    for await (const { stream, text } of linesOf(outputOf(body as AsyncIterable<Buffer>, isTerminal === true))) {
      const space = text.indexOf(' ');
      const at = Date.parse(text.slice(0, space));
      yield Number.isNaN(at) ? { container: name, stream, text } : { container: name, stream, at, text: text.slice(space + 1) };
    }
  } catch (error) {
    // Who stops listening ends the connection in the middle of it.
    if (!ended.aborted) throw error;
  } finally {
    stop.abort();
  }
}
