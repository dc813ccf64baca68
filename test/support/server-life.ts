import type { MetaStore } from '../../src/core/meta-store.ts';
import type { Timers } from '../../src/core/timers.ts';
import type { TaskRuntime } from '../../src/orchestrator/ports.ts';

/**
 * One life of a server inside the test's own process. Once it is over, nothing that it was about to do happens any more:
 * its transactions are not committed, its calls reach no runtime, its timers do not ring.
 */
export interface Life {
  readonly isOver: boolean;
  readonly over: Promise<void>;
  end(): void;
  meta<Tables>(meta: MetaStore<Tables>): MetaStore<Tables>;
  runtime(runtime: TaskRuntime): TaskRuntime;
  timers(timers: Timers): Timers;
}

/** `diesAt` is told of each step, before and after: true ends the life there. */
export function createLife(diesAt: (step: string) => boolean): Life {
  const ending = Promise.withResolvers<void>();
  let isOver = false;
  const end = (): void => {
    isOver = true;
    ending.resolve();
  };
  const never = (): Promise<never> => new Promise(() => {});
  const dies = (step: string): boolean => {
    if (!isOver && diesAt(step)) end();
    return isOver;
  };
  const around = async <T>(before: string, act: () => Promise<T>, after: string): Promise<T> => {
    if (dies(before)) return never();
    const result = await act();
    return dies(after) ? never() : result;
  };
  return {
    get isOver() {
      return isOver;
    },
    over: ending.promise,
    end,
    meta: (meta) => ({
      ...(meta.changes === undefined ? {} : { changes: meta.changes }),
      get read() {
        return meta.read;
      },
      snapshot: (work) => (isOver ? never() : meta.snapshot(work)),
      async transact(work) {
        if (dies('begin')) return never();
        try {
          const result = await meta.transact(async (transaction) => {
            const value = await work(transaction);
            if (dies('commit')) throw new Error('the server has died');
            return value;
          });
          return dies('committed') ? await never() : result;
        } catch (error) {
          if (isOver) return never();
          throw error;
        }
      },
    }),
    runtime: (runtime) => ({
      name: runtime.name,
      hosts: () => (isOver ? never() : runtime.hosts()),
      observe: (listener) => runtime.observe((task) => void (isOver || listener(task))),
      start: (spec) => around('start', () => runtime.start(spec), 'started'),
      stop: (taskId) => around('stop', () => runtime.stop(taskId), 'stopped'),
      list: () => (isOver ? never() : runtime.list()),
      forget: (taskId) => around('forget', () => runtime.forget(taskId), 'forgotten'),
      logs: (...all) => runtime.logs(...all),
      stats: (taskId) => runtime.stats(taskId),
      close: () => runtime.close(),
    }),
    timers: (timers) => ({ after: (milliseconds, work) => timers.after(milliseconds, () => void (isOver || work())) }),
  };
}
