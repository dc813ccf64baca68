import type { Clock } from '../core/clock.ts';
import type { ServiceView } from './service-view.ts';

/**
 * What is written down says when by the machine's clock, which somebody may set; what is decided goes by how long ago
 * something was. A time is taken over into the steady scale when it is first seen, and stays there for as long as it is
 * asked for, so that a jump of the clock neither settles a task, nor ends its protection, nor makes a start wait.
 */
export interface SteadyTime {
  /** Milliseconds that only ever grow. */
  now(): number;
  /** The view with the times that decisions go by in the steady scale. */
  translate(view: ServiceView): ServiceView;
  /** Back, for what is written down. */
  toWall(time: number): number;
  /** Of a service that is not looked at any more. */
  forget(serviceId: number): void;
}

interface Seen {
  wall: number;
  steady: number;
}

export function createSteadyTime(clock: Clock): SteadyTime {
  const ahead = clock.now() - clock.monotonic();
  const seen = new Map<number, Map<string, Seen>>();
  const now = (): number => ahead + clock.monotonic();

  return {
    now,
    toWall: (time) => clock.now() - (now() - time),
    forget: (serviceId) => void seen.delete(serviceId),
    translate(view) {
      const before = seen.get(view.service.id);
      const after = new Map<string, Seen>();
      const offset = now() - clock.now();
      const take = (key: string, wall: number, mayBeAhead = false): number => {
        const known = before?.get(key);
        // What has happened is not ahead of now: the clock was set back while nobody watched.
        const steady = known?.wall === wall ? known.steady : mayBeAhead ? wall + offset : Math.min(wall, clock.now()) + offset;
        after.set(key, { wall, steady });
        return steady;
      };
      const translated: ServiceView = {
        ...view,
        revisions: view.revisions.map((revision) => {
          const { lastFailureAt } = revision.tally;
          if (lastFailureAt === undefined) return revision;
          return { ...revision, tally: { ...revision.tally, lastFailureAt: take(`failure ${revision.id}`, lastFailureAt) } };
        }),
        tasks: view.tasks.map((task) => ({
          ...task,
          ...(task.startedAt === undefined ? {} : { startedAt: take(`start ${task.id}`, task.startedAt) }),
          ...(task.stoppedAt === undefined ? {} : { stoppedAt: take(`stop ${task.id}`, task.stoppedAt) }),
          ...(task.protectedUntil === undefined
            ? {}
            : { protectedUntil: take(`protection ${task.id}`, task.protectedUntil, true) }),
        })),
      };
      if (after.size === 0) seen.delete(view.service.id);
      else seen.set(view.service.id, after);
      return translated;
    },
  };
}
