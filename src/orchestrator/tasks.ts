import { createJumpDetector } from '../core/clock.ts';
import { describeCauses } from '../core/logger.ts';
import { taskArn } from './arn.ts';
import { buildTaskSpec } from './build-task-spec.ts';
import { changeRows, endOf, type TaskChange } from './change-task-rows.ts';
import { clusterById } from './cluster-rows.ts';
import type { OrchestratorContext, OrchestratorTransaction } from './context.ts';
import { createTaskRow, taskNeeds, type NewTask } from './create-task-row.ts';
import { createHostUse, type HostUse } from './host-use.ts';
import type { ObservedTask } from './ports.ts';
import { dropTags, tagsOf } from './resource-tags.ts';
import { readSecretsOf } from './secrets-of-task.ts';
import { taskDefinitionById } from './task-definition-rows.ts';
import { followTaskHolds } from './task-holds.ts';
import { toTask, type StopCode, type TaskRow } from './task-rows.ts';
import { applySight } from './task-sight.ts';

/**
 * The rows of tasks, and the runtime that they follow. A row is made in its maker's transaction and launched after the
 * commit; from then on the runtime's snapshots move it. A task whose launch a crash has swallowed is launched by `start`.
 */
export interface Tasks {
  /** Absent where other processes put tasks on the same hosts, too. */
  readonly hostUse: HostUse | undefined;
  /** Writes a task that is to run. Part of the caller's transaction; call `launch` once it is committed. */
  createTaskRow(transaction: OrchestratorTransaction, task: NewTask): Promise<TaskRow>;
  /**
   * Gives the task to the runtime. What goes wrong is the task's own end, and told as such. `of`: what it was made of, by who has that
   * at hand.
   */
  launch(task: TaskRow, of?: LaunchedOf): Promise<void>;
  /** Has tasks stopped: their rows say why from now on. Those that have stopped, or are stopping, keep their reason. */
  stop(ids: string[], why: { code: StopCode; reason: string }): Promise<TaskRow[]>;
  /** Scale-in and deployments leave the tasks alone until then (milliseconds since the epoch); undefined: no longer. */
  protect(ids: string[], until: number | undefined): Promise<TaskRow[]>;
  /** For the runtime's listener; changes are written in order, several in one transaction. */
  onObserved(observed: ObservedTask): void;
  /** Told of each change after it is written, the ones that `stop` makes too. Must not throw. */
  listen(listener: (change: TaskChange) => void): void;
  find(id: string): Promise<TaskRow | undefined>;
  /** Tasks of a service that have not stopped. */
  liveOfService(serviceId: number): Promise<TaskRow[]>;
  /** Takes up the tasks of the life before, and forgets those that stopped long ago. */
  start(): Promise<void>;
  /** Resolves when every snapshot that has come in is written, every launch is done, and what is to be forgotten is. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export type LaunchedOf = Pick<NewTask, 'cluster' | 'definition' | 'tags'>;

/** Milliseconds that news for which nobody waits may wait for more, to be written with it. */
const PATIENCE_MS = 10;
const LOST = 'The runtime no longer has this task.';

export function createTasks(context: OrchestratorContext): Tasks {
  const { meta, runtime, clock, timers, log, settings } = context;
  const listeners: ((change: TaskChange) => void)[] = [];
  /** What the runtime has taken, and told last of it; a task that is in no such state is stopped by its row alone. */
  const taken = new Map<string, ObservedTask['status']>();
  const hostUse = meta.changes === undefined ? undefined : createHostUse();
  const waiting = new Map<string, ObservedTask>();
  const hasJumped = createJumpDetector(clock);
  /** Launches, and the look for tasks to forget. */
  const underWay = new Set<Promise<void>>();
  let pump: Promise<void> | undefined;
  let cancelPatience: (() => void) | undefined;
  let cancelSweep: (() => void) | undefined;
  let isClosed = false;

  const tell = (changes: TaskChange[]): void => {
    for (const change of changes) for (const listener of listeners) listener(change);
  };

  /** The rows with the holds on what they run. */
  async function changeTasks(
    transaction: OrchestratorTransaction,
    changed: string[],
    change: (row: TaskRow) => TaskRow | undefined,
  ): Promise<TaskChange[]> {
    const changes = await changeRows(transaction, changed, change);
    for (const one of changes) await followTaskHolds(transaction, context, one);
    return changes;
  }

  async function find(id: string): Promise<TaskRow | undefined> {
    const row = await meta.read.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : toTask(row);
  }

  async function statusOf(id: string): Promise<{ desired: string; last: string } | undefined> {
    return meta.read
      .selectFrom('task')
      .select(['desired_status as desired', 'last_status as last'])
      .where('id', '=', id)
      .executeTakeFirst();
  }

  async function readOf({ id, clusterId, taskDefinitionId }: TaskRow): Promise<LaunchedOf> {
    const [cluster, definition] = await Promise.all([
      clusterById(meta.read, clusterId),
      taskDefinitionById(meta.read, taskDefinitionId),
    ]);
    const arn = taskArn(cluster, cluster.name, id);
    return { cluster, definition, tags: (await tagsOf(meta.read, [arn])).get(arn) ?? {} };
  }

  /** `settled` waits for it. */
  async function counted(work: Promise<void>): Promise<void> {
    underWay.add(work);
    try {
      await work;
    } finally {
      underWay.delete(work);
    }
  }

  async function launch(task: TaskRow, of?: LaunchedOf): Promise<void> {
    try {
      const { cluster, definition, tags = {} } = of ?? (await readOf(task));
      const known = await readSecretsOf(context, cluster, definition.document, task.document.containers);
      if ('failure' in known) {
        await end([task.id], { code: 'TaskFailedToStart', reason: known.failure });
        return;
      }
      const now = await statusOf(task.id);
      if (now === undefined || now.desired === 'STOPPED') return;
      taken.set(task.id, 'PENDING');
      await runtime.start(buildTaskSpec(task, cluster, definition, tags, known));
      // It may have been ended by its row in the moment before it was taken.
      if ((await statusOf(task.id))?.last === 'STOPPED') await runtime.stop(task.id);
    } catch (error) {
      taken.delete(task.id);
      log.error('a task could not be given to the runtime', { task: task.id, error: describeCauses(error) });
      const reason = `CannotStartContainerError: ${error instanceof Error ? error.message : String(error)}`.slice(0, 1000);
      await end([task.id], { code: 'TaskFailedToStart', reason });
    }
  }

  /** Writes the end of tasks that the runtime has not got. */
  async function end(ended: string[], why: { code: StopCode; reason: string }): Promise<void> {
    const changes = await meta.transact((transaction) => changeTasks(transaction, ended, (row) => endOf(row, clock.now(), why)));
    tell(changes);
    scheduleSweep();
  }

  async function stop(stopped: string[], why: { code: StopCode; reason: string }): Promise<TaskRow[]> {
    const now = clock.now();
    const changes = await meta.transact((transaction) =>
      changeTasks(transaction, stopped, (row) => {
        if (row.desiredStatus === 'STOPPED') return undefined;
        if (!taken.has(row.id)) return endOf(row, now, why);
        return {
          ...row,
          desiredStatus: 'STOPPED',
          stopCode: why.code,
          stoppedReason: why.reason,
          stoppingAt: row.stoppingAt ?? now,
        };
      }),
    );
    tell(changes);
    for (const { after } of changes) {
      if (after.lastStatus !== 'STOPPED') await runtime.stop(after.id);
    }
    if (changes.some(({ after }) => after.lastStatus === 'STOPPED')) scheduleSweep();
    return changes.map(({ after }) => after);
  }

  async function protect(protected_: string[], until: number | undefined): Promise<TaskRow[]> {
    const changes = await meta.transact((transaction) =>
      changeTasks(transaction, protected_, (row) =>
        row.desiredStatus === 'STOPPED' ? undefined : { ...row, protectedUntil: until },
      ),
    );
    tell(changes);
    return changes.map(({ after }) => after);
  }

  function onObserved(observed: ObservedTask): void {
    const { id, status } = observed;
    waiting.set(id, observed);
    const isOnTheWay = status === 'PENDING' || (status === 'ACTIVATING' && taken.get(id) === status);
    // Also one that the life before gave to the runtime as it ended.
    if (status !== 'STOPPED') taken.set(id, status);
    if (!isOnTheWay) drainNext();
    else cancelPatience ??= timers.after(PATIENCE_MS, drainNext);
  }

  /** In a turn of its own, so that all that comes in this one is written, and flushed to the disk, together. */
  function drainNext(): void {
    cancelPatience?.();
    cancelPatience = undefined;
    pump ??= new Promise((resolve) => setImmediate(resolve)).then(drain);
  }

  async function drain(): Promise<void> {
    while (waiting.size > 0) {
      const batch = new Map(waiting);
      waiting.clear();
      try {
        const wanted = new Set<string>();
        const known = new Set<string>();
        const changes = await meta.transact((transaction) =>
          changeTasks(transaction, [...batch.keys()], (row) => {
            known.add(row.id);
            if (row.lastStatus !== 'STOPPED') wanted.add(row.id);
            const observed = batch.get(row.id);
            return observed === undefined ? undefined : applySight(row, observed);
          }),
        );
        for (const { id, status } of batch.values()) if (!wanted.has(id)) letGo(id, status, known.has(id));
        for (const { after } of changes) if (after.lastStatus === 'STOPPED') taken.delete(after.id);
        tell(changes);
        if (changes.some(({ after }) => after.lastStatus === 'STOPPED')) scheduleSweep();
      } catch (error) {
        // The runtime still has what it told, so nothing is lost: it is asked again.
        log.error('what became of tasks could not be written; it is tried again', { error: describeCauses(error) });
        if (!isClosed)
          timers.after(
            1000,
            () =>
              void takeUp().catch((cause: unknown) => log.error('tasks could not be taken up', { error: describeCauses(cause) })),
          );
      }
    }
    pump = undefined;
  }

  /** What no row wants must not run, and what no row knows is forgotten: a crash may have come between a row and the runtime. */
  function letGo(id: string, status: ObservedTask['status'], isKnown: boolean): void {
    taken.delete(id);
    const work = status === 'STOPPED' ? (isKnown ? undefined : runtime.forget(id)) : runtime.stop(id);
    work?.catch((error: unknown) =>
      log.error('a task that nobody wants could not be let go of', { task: id, error: describeCauses(error) }),
    );
  }

  async function takeUp(): Promise<void> {
    const seen = await runtime.list();
    const known = new Map(seen.map((task) => [task.id, task]));
    for (const task of seen) {
      if (task.status !== 'STOPPED') taken.set(task.id, task.status);
      onObserved(task);
    }
    await settled();
    const rows = await meta.read.selectFrom('task').selectAll().where('last_status', '!=', 'STOPPED').execute();
    for (const row of rows.map(toTask)) {
      if (known.has(row.id) || taken.has(row.id)) {
        // It was told to stop, and the server went away before the runtime heard.
        if (row.desiredStatus === 'STOPPED') await runtime.stop(row.id);
      } else if (row.desiredStatus === 'STOPPED' || row.sight.containers.length > 0) {
        await end([row.id], { code: row.stopCode ?? 'EssentialContainerExited', reason: row.stoppedReason ?? LOST });
      } else {
        await launch(row);
      }
    }
  }

  /** Forgets the tasks that stopped long enough ago, when the first of them has. */
  function scheduleSweep(milliseconds = settings.stoppedRetentionMs): void {
    if (isClosed) return;
    cancelSweep ??= timers.after(milliseconds, () => {
      cancelSweep = undefined;
      counted(sweep()).catch((error: unknown) =>
        log.error('stopped tasks could not be forgotten', { error: describeCauses(error) }),
      );
    });
  }

  async function sweep(): Promise<void> {
    if (hasJumped()) {
      scheduleSweep();
      return;
    }
    const before = clock.now() - settings.stoppedRetentionMs;
    const gone = await meta.transact(async (transaction) => {
      const rows = await transaction
        .selectFrom('task')
        .innerJoin('cluster', 'cluster.id', 'task.cluster_id')
        .select(['task.id', 'cluster.account', 'cluster.region', 'cluster.name'])
        .where('task.stopped_at', '<=', before)
        .limit(SWEEP)
        .execute();
      for (const row of rows) await dropTags(transaction, taskArn(row, row.name, row.id));
      if (rows.length > 0)
        await transaction
          .deleteFrom('task')
          .where(
            'id',
            'in',
            rows.map(({ id }) => id),
          )
          .execute();
      return rows.map(({ id }) => id);
    });
    for (const id of gone) await runtime.forget(id);
    const oldest = await meta.read
      .selectFrom('task')
      .select((builder) => builder.fn.min('stopped_at').as('at'))
      .where('stopped_at', 'is not', null)
      .executeTakeFirst();
    if (oldest?.at !== undefined && oldest.at !== null)
      scheduleSweep(Math.max(1000, Number(oldest.at) + settings.stoppedRetentionMs - clock.now()));
  }

  async function settled(): Promise<void> {
    while (pump !== undefined || waiting.size > 0 || underWay.size > 0) {
      if (waiting.size > 0) drainNext();
      await Promise.allSettled([pump, ...underWay]);
    }
  }

  return {
    hostUse,
    createTaskRow(transaction, task) {
      if (task.hostId !== undefined && task.launchType !== 'FARGATE')
        hostUse?.add(task.hostId, taskNeeds(task.definition, task.overrides ?? {}));
      return createTaskRow(context, transaction, task);
    },
    launch: (task, of) => counted(launch(task, of)),
    stop,
    protect,
    onObserved,
    listen: (listener) => void listeners.push(listener),
    find,
    async liveOfService(serviceId) {
      const rows = await meta.read
        .selectFrom('task')
        .selectAll()
        .where('service_id', '=', serviceId)
        .where('last_status', '!=', 'STOPPED')
        .execute();
      return rows.map(toTask);
    },
    async start() {
      runtime.observe(onObserved);
      await takeUp();
      await sweep();
    },
    settled,
    async close() {
      isClosed = true;
      cancelSweep?.();
      await settled();
    },
  };
}

const SWEEP = 200;
