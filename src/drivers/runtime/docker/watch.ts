import { describeCauses, type Logger } from '../../../core/logger.ts';
import type { Timers } from '../../../core/timers.ts';
import type { DockerApi } from './api.ts';
import { LABELS } from './names.ts';

/** Between two attempts to hear the engine again, in milliseconds. */
const AGAIN_FIRST_MS = 200;
const AGAIN_LONGEST_MS = 5_000;
const LONGEST_EVENT = 1024 * 1024;

export interface Watch {
  close(): void;
}

/**
 * Listens to the engine's events of this installation's containers for as long as the server lives; when the engine goes away, it
 * asks again and again. `heard` is told each time that it listens (again), and so may have missed something; `died` of each end.
 */
export function watchEngine(
  api: DockerApi,
  installation: string,
  { timers, log }: { timers: Timers; log: Logger },
  { heard, died }: { heard: () => void; died: (engineId: string) => void },
): Watch {
  const stop = new AbortController();
  let cancel: (() => void) | undefined;
  let wait = AGAIN_FIRST_MS;

  const listen = async (): Promise<void> => {
    // Docker says die, and Podman is asked for died.
    const filters = { type: ['container'], event: ['die', 'died'], label: [`${LABELS.installation}=${installation}`] };
    const body = await api.open('/events', { query: { filters }, signal: stop.signal });
    wait = AGAIN_FIRST_MS;
    heard();
    let held = '';
    for await (const chunk of body as AsyncIterable<Buffer>) {
      held += chunk.toString('utf8');
      const lines = held.split('\n');
      held = lines.pop() ?? '';
      if (held.length > LONGEST_EVENT) throw new Error('the engine sent an event that does not end');
      for (const line of lines) {
        if (line.trim() === '') continue;
        const { id, Actor: actor } = JSON.parse(line) as { id?: string; Actor?: { ID?: string } };
        const engineId = actor?.ID ?? id;
        if (engineId !== undefined) died(engineId);
      }
    }
  };

  const again = (error?: unknown): void => {
    if (stop.signal.aborted) return;
    log.warn('the container engine does not answer; its containers are watched again as soon as it does', {
      causes: error === undefined ? ['it ended the stream of its events'] : describeCauses(error),
    });
    cancel = timers.after(wait, run);
    wait = Math.min(wait * 2, AGAIN_LONGEST_MS);
  };
  const run = (): void => void listen().then(() => again(), again);
  run();
  return {
    close() {
      stop.abort();
      cancel?.();
    },
  };
}
