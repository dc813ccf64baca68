import type { ContainerEngine } from '../container-engine.ts';
import type { LogLine, LogRequest } from '../ports.ts';

export interface LoggedTask {
  id: string;
  names: string[];
  untilRan(name: string, signal?: AbortSignal): Promise<void>;
}

/** The lines of one container or of all of a task. What is there comes in the order of its times, what is followed as it comes. */
export async function* readTaskLogs(
  engine: ContainerEngine,
  task: LoggedTask | undefined,
  { container, follow, tail, signal }: LogRequest,
): AsyncGenerator<LogLine> {
  if (task === undefined) return;
  const names = container === undefined ? task.names : task.names.filter((name) => name === container);
  const options = {
    ...(follow === undefined ? {} : { follow }),
    ...(tail === undefined ? {} : { tail }),
    ...(signal === undefined ? {} : { signal }),
  };
  const sources = names.map(async function* (name): AsyncGenerator<LogLine> {
    if (follow === true) await task.untilRan(name, signal);
    yield* engine.logs({ taskId: task.id, name }, options);
  });
  if (follow === true) yield* asTheyCome(sources);
  else yield* lastOf(inOrder(sources), names.length > 1 ? tail : undefined);
}

/** Merges by time; a line without one comes as soon as it is first. */
async function* inOrder(sources: AsyncGenerator<LogLine>[]): AsyncGenerator<LogLine> {
  const heads: { line: LogLine; source: AsyncGenerator<LogLine> }[] = [];
  const pull = async (source: AsyncGenerator<LogLine>): Promise<void> => {
    const next = await source.next();
    if (next.done !== true) heads.push({ line: next.value, source });
  };
  try {
    await Promise.all(sources.map(pull));
    while (heads.length > 0) {
      let first = 0;
      for (let index = 1; index < heads.length; index++)
        if ((heads[index]?.line.at ?? 0) < (heads[first]?.line.at ?? 0)) first = index;
      const [head] = heads.splice(first, 1);
      if (head === undefined) return;
      yield head.line;
      await pull(head.source);
    }
  } finally {
    await Promise.all(sources.map((source) => source.return(undefined)));
  }
}

async function* asTheyCome(sources: AsyncGenerator<LogLine>[]): AsyncGenerator<LogLine> {
  type Arrival = { source: AsyncGenerator<LogLine>; next: IteratorResult<LogLine> };
  const waiting = new Map<AsyncGenerator<LogLine>, Promise<Arrival>>();
  const ask = (source: AsyncGenerator<LogLine>): void =>
    void waiting.set(
      source,
      source.next().then((next) => ({ source, next })),
    );
  for (const source of sources) ask(source);
  try {
    while (waiting.size > 0) {
      const { source, next } = await Promise.race(waiting.values());
      waiting.delete(source);
      if (next.done === true) continue;
      ask(source);
      yield next.value;
    }
  } finally {
    // A source that waits for its next line ends when the signal fires or its container stops; nobody waits for that here.
    for (const source of waiting.keys()) source.return(undefined).catch(() => undefined);
  }
}

async function* lastOf(lines: AsyncGenerator<LogLine>, count: number | undefined): AsyncGenerator<LogLine> {
  if (count === undefined) {
    yield* lines;
    return;
  }
  const kept: LogLine[] = [];
  for await (const line of lines) {
    kept.push(line);
    if (kept.length > count) kept.shift();
  }
  yield* kept;
}
