import type { TaskRuntime } from '../../src/orchestrator/ports.ts';
import type { RevisionDocument, ServiceDocument } from '../../src/orchestrator/service-rows.ts';
import type { TaskDocument, TaskSight } from '../../src/orchestrator/task-rows.ts';
import { IMAGE, type World } from './orchestrator.ts';

/**
 * Looks over the scheduler's shoulder: at each start and each stop that reaches the tasks it holds the percentages of the
 * deployment configuration against what runs at that moment, and `check` holds the rest of the promises against what is
 * written down. What is wrong is gathered in words.
 */
export interface ServiceWatch {
  /** For `WorldOptions.watch`. */
  runtime(inner: TaskRuntime): TaskRuntime;
  /** What was found wrong so far, and what is wrong now. */
  check(world: World): Promise<string[]>;
}

/** In two seconds, of a handful of tasks: more is a loop that no throttle holds. */
const MOST_STARTS = 40;

export function createServiceWatch(worldOf: () => World, { settleMs = 500, keptRevisions = 5 } = {}): ServiceWatch {
  const wrong = new Set<string>();
  const starts = new Map<string, number>();
  const taken = new Set<string>();
  const started = new Map<number, number[]>();
  const digests = new Map<string, string>();
  /** When a task was first seen to run, by the clock that nobody sets. */
  const since = new Map<string, number>();
  let runtime: TaskRuntime;

  async function serviceOf(taskId: string) {
    const { meta } = worldOf();
    const row = await meta.read
      .selectFrom('task')
      .innerJoin('service', 'service.id', 'task.service_id')
      .select([
        'task.stop_code',
        'task.created_at',
        'task.revision_id',
        'service.id',
        'service.name',
        'service.status',
        'service.controller',
      ])
      .select(['service.scheduling_strategy', 'service.desired_count', 'service.document'])
      .where('task.id', '=', taskId)
      .executeTakeFirst();
    if (row === undefined || row.status !== 'ACTIVE' || row.controller !== 'ECS' || row.scheduling_strategy !== 'REPLICA')
      return undefined;
    const { minimumHealthyPercent, maximumPercent } = (JSON.parse(row.document) as ServiceDocument).deploymentConfiguration;
    return {
      ...row,
      lowest: Math.ceil((row.desired_count * minimumHealthyPercent) / 100),
      highest: Math.floor((row.desired_count * maximumPercent) / 100),
    };
  }

  /** How the digests of a task's revision stand, and how many other tasks it has. */
  async function revisionOf(taskId: string): Promise<{ resolution: string; others: number }> {
    const rows = await worldOf()
      .meta.read.selectFrom('task')
      .innerJoin('service_revision', 'service_revision.id', 'task.revision_id')
      .innerJoin('task as other', 'other.revision_id', 'task.revision_id')
      .select(['service_revision.resolution', 'other.id'])
      .where('task.id', '=', taskId)
      .where('other.desired_status', '=', 'RUNNING')
      .execute();
    return { resolution: rows[0]?.resolution ?? '', others: rows.filter(({ id }) => id !== taskId).length };
  }

  async function liveOf(serviceId: number): Promise<Map<string, { wanted: boolean; checked: boolean }>> {
    const rows = await worldOf()
      .meta.read.selectFrom('task')
      .innerJoin('task_definition', 'task_definition.id', 'task.task_definition_id')
      .select(['task.id', 'task.desired_status', 'task_definition.document'])
      .where('task.service_id', '=', serviceId)
      .where('task.last_status', '!=', 'STOPPED')
      .execute();
    return new Map(
      rows.map((row) => [row.id, { wanted: row.desired_status === 'RUNNING', checked: row.document.includes('"healthCheck"') }]),
    );
  }

  async function beforeStart(taskId: string): Promise<void> {
    // To start what is there already is to do nothing.
    if (!taken.has(taskId)) starts.set(taskId, (starts.get(taskId) ?? 0) + 1);
    taken.add(taskId);
    const service = await serviceOf(taskId);
    // What the life before has decided is started as it was decided, and may be stopped at once.
    if (service === undefined || service.created_at !== worldOf().clock.now()) return;
    const wanted = [...(await liveOf(service.id)).values()].filter((task) => task.wanted).length;
    const now = worldOf().clock.monotonic();
    const lately = [...(started.get(service.id) ?? []), now].filter((at) => at > now - 2_000);
    started.set(service.id, lately);
    if (lately.length > MOST_STARTS) wrong.add(`${service.name} was given ${lately.length} tasks in two seconds`);
    const { resolution, others } = await revisionOf(taskId);
    if (resolution === 'PENDING' && others > 0)
      wrong.add(`${service.name} has ${others + 1} tasks of a revision without digests`);
    if (wanted > service.highest) wrong.add(`${service.name} has ${wanted} tasks, of at most ${service.highest}`);
  }

  async function beforeStop(taskId: string): Promise<void> {
    const service = await serviceOf(taskId);
    if (service?.stop_code !== 'ServiceSchedulerInitiated') return;
    const { clock, meta } = worldOf();
    const primary = await meta.read
      .selectFrom('service_revision')
      .select(['id', 'rollout'])
      .where('service_id', '=', service.id)
      .where('role', '=', 'PRIMARY')
      .executeTakeFirst();
    if (primary?.rollout === 'COMPLETED' && primary.id !== service.revision_id)
      wrong.add(`${service.name} completed a deployment that had not replaced every task`);
    const known = await liveOf(service.id);
    const healthy = (await runtime.list()).filter((task) => {
      const row = known.get(task.id);
      if (row === undefined || task.status !== 'RUNNING') return false;
      if (row.checked) return task.health === 'HEALTHY';
      const runs = clock.monotonic() - (since.get(task.id) ?? Infinity);
      return runs >= settleMs;
    });
    const rest = healthy.filter(({ id }) => id !== taskId).length;
    if (rest < healthy.length && rest < service.lowest)
      wrong.add(`${service.name} was left with ${rest} healthy tasks, of at least ${service.lowest}`);
  }

  return {
    runtime(inner) {
      runtime = inner;
      return {
        ...inner,
        observe: (listener) =>
          inner.observe((task) => {
            if (task.status === 'RUNNING' && !since.has(task.id)) since.set(task.id, worldOf().clock.monotonic());
            listener(task);
          }),
        async start(spec) {
          await beforeStart(spec.id);
          await inner.start(spec);
        },
        async forget(taskId) {
          await inner.forget(taskId);
          taken.delete(taskId);
        },
        async stop(taskId) {
          await beforeStop(taskId);
          await inner.stop(taskId);
        },
      };
    },
    async check({ meta, registry, repository }) {
      const tasks = (await meta.read.selectFrom('task').selectAll().execute()).map((row) => ({
        ...row,
        containers: (JSON.parse(row.sight) as TaskSight).containers,
        written: (JSON.parse(row.document) as TaskDocument).containers,
      }));
      const revisions = (await meta.read.selectFrom('service_revision').selectAll().execute()).map((row) => ({
        ...row,
        images: (JSON.parse(row.document) as RevisionDocument).images,
      }));
      const now: string[] = [];
      const others = await meta.read.selectFrom('service_task').select('task_id').where('pilot', '=', 0).execute();
      const followers = new Set(others.map(({ task_id }) => task_id));

      for (const { id, resolution, images } of revisions) {
        if (resolution !== 'RESOLVED') continue;
        for (const task of tasks.filter(({ revision_id }) => revision_id === id)) {
          for (const { name, imageDigest } of task.containers) {
            const expected = images.find(({ containerName }) => containerName === name)?.digest;
            if (imageDigest === undefined || expected === undefined) continue;
            const known = digests.get(`${id} ${name}`) ?? expected;
            digests.set(`${id} ${name}`, known);
            if (known !== expected) now.push(`the digest of ${name} in revision ${id} has changed`);
            // A pilot that was overtaken runs what it found; that is never taken for the revision's.
            if (imageDigest !== expected && followers.has(task.id))
              now.push(`a task of revision ${id} runs ${imageDigest}, not ${expected}`);
          }
        }
      }

      // Running tasks are the rows', one for one.
      const live = new Set(tasks.filter(({ last_status }) => last_status !== 'STOPPED').map(({ id }) => id));
      const run = (await runtime.list()).filter(({ status }) => status !== 'STOPPED');
      for (const { id } of run) if (!live.has(id)) now.push(`an orphan runs: ${id}`);
      const running = new Set(run.map(({ id }) => id));
      for (const id of live) if (!running.has(id)) now.push(`nothing runs of task ${id}`);
      for (const [id, count] of starts) if (count > 1) now.push(`task ${id} was started ${count} times`);

      // Holds are those that revisions and tasks ask for, and no others.
      const present = new Set((await registry.images.list(repository, { limit: 1_000 })).items.map(({ digest }) => digest));
      const kept = new Set<string>();
      for (const serviceId of new Set(revisions.map(({ service_id }) => service_id))) {
        revisions
          .filter(({ service_id, completed_at }) => service_id === serviceId && completed_at !== null)
          .sort((a, b) => (b.completed_at ?? 0) - (a.completed_at ?? 0) || (a.id < b.id ? 1 : -1))
          .slice(0, keptRevisions)
          .forEach(({ id }) => kept.add(id));
      }
      const wanted = new Set<string>();
      for (const { id, role, images, held } of revisions) {
        if (role === 'GONE' && !(held === 1 && kept.has(id))) continue;
        for (const { digest, image } of images)
          if (digest !== undefined && present.has(digest) && image.startsWith(IMAGE)) wanted.add(`${id} ${digest}`);
      }
      for (const task of tasks) {
        if (task.last_status === 'STOPPED') continue;
        for (const { name, imageDigest } of task.containers) {
          const pinned = task.service_id !== null && task.written.find((one) => one.name === name)?.digest !== undefined;
          if (imageDigest !== undefined && !pinned && present.has(imageDigest)) wanted.add(`${task.id} ${imageDigest}`);
        }
      }
      const rows = await meta.read.selectFrom('hold').select(['holder', 'digest']).execute();
      const holds = new Set(rows.map(({ holder, digest }) => `${holder.slice(holder.lastIndexOf('/') + 1)} ${digest}`));
      for (const one of wanted) if (!holds.has(one)) now.push(`not held: ${one}`);
      for (const one of holds) if (!wanted.has(one)) now.push(`held for nobody: ${one}`);
      return [...wrong, ...now];
    },
  };
}
