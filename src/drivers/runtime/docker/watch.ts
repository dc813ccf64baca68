import { describeCauses, type Logger } from '../../../core/logger.ts';
import type { Timers } from '../../../core/timers.ts';
import type { DockerApi } from './api.ts';
import { LABELS } from './names.ts';

/** Between two attempts to hear the engine again, in milliseconds. */
const AGAIN_FIRST_MS = 200;
const AGAIN_LONGEST_MS = 1_000;
const LONGEST_EVENT = 1024 * 1024;

export interface Watch {
  /** The engine was asked and did not answer, and has not since. */
  isAway(): boolean;
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
  let isAway = false;

  const listen = async (): Promise<void> => {
    // Docker says die, and Podman is asked for died.
    const filters = { type: ['container'], event: ['die', 'died'], label: [`${LABELS.installation}=${installation}`] };
    const body = await api.open('/events', { query: { filters }, signal: stop.signal });
    wait = AGAIN_FIRST_MS;
    if (isAway) log.info('the container engine answers again; its containers are looked at');
    isAway = false;
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
    if (!isAway)
      log.warn(
        'the container engine does not answer; its containers are watched again, and what waits goes on, as soon as it does',
        {
          causes: error === undefined ? ['it ended the stream of its events'] : describeCauses(error),
        },
      );
    isAway = true;
    cancel = timers.after(wait, run);
    wait = Math.min(wait * 2, AGAIN_LONGEST_MS);
  };
  const run = (): void => void listen().then(() => again(), again);
  run();
  return {
    isAway: () => isAway,
    close() {
      stop.abort();
      cancel?.();
    },
  };
}
