import { describeCauses } from '../core/logger.ts';
import { carryOut, markStopping } from './carry-out.ts';
import type { Effects } from './step-work.ts';
import type { Kysely } from 'kysely';
import type { OrchestratorContext, OrchestratorTables } from './context.ts';
import { afterSettlement, decide, isSettled, planSettings, settle } from './decide-service.ts';
import { createGroupCommit } from './group-commit.ts';
import type { RuntimeHost } from './ports.ts';
import { resolveImages } from './resolve-images.ts';
import { addEvent, eventText } from './service-events.ts';
import { deploymentId, toRevision, type RevisionRecord, type ServiceRecord } from './service-rows.ts';
import { readServiceView, type ServiceView, type StopCause } from './service-view.ts';
import { createSteadyTime } from './steady-time.ts';
import type { TaskRow } from './task-rows.ts';
import type { TaskChange } from './change-task-rows.ts';
import type { Tasks } from './tasks.ts';
import { recordDigests, writeSettlement, writeTally } from './write-settlement.ts';

/** Services that are worked on at the same time. */
const AT_ONCE = 64;
const RETRY_MS = 1_000;
/** For so long the runtime's hosts are taken to be what they were. */
const HOSTS_MS = 10_000;
const LONGEST_RETRY_MS = 60_000;

/**
 * Keeps every service as it is wanted. A service is looked at when something about it has changed, or at the time its
 * plan asked for; each in series, several side by side. Every turn is one transaction, then the runtime is told; a crash
 * between the two is made up for by the next turn.
 */
export interface Reconciler {
  /** The service has changed: its settings, its deployment. After the commit. */
  touch(serviceId: number): void;
  /** A host of the cluster has opened or closed. */
  touchCluster(clusterId: number): Promise<void>;
  /** Looks at every service once; after `tasks.start`. */
  start(): Promise<void>;
  /** Resolves when there is nothing to do but to wait. */
  settled(): Promise<void>;
  /** Lets what is under way finish, and starts nothing new. */
  close(): Promise<void>;
}

export function createReconciler(context: OrchestratorContext, tasks: Tasks): Reconciler {
  const { meta, clock, timers, log, runtime } = context;
  const queued = new Set<number>();
  const running = new Map<number, Promise<void>>();
  const wakes = new Map<number, () => void>();
  const failures = new Map<number, number>();
  /** Revisions whose tags are being asked for. */
  const resolving = new Map<string, Promise<void>>();
  const writes = createGroupCommit(meta);
  const steady = createSteadyTime(clock);
  let hosts: RuntimeHost[] = [];
  let hostsUntil = -Infinity;
  let isClosed = false;

  tasks.listen((change) => {
    if (change.after.serviceId !== undefined && isNews(change)) touch(change.after.serviceId);
  });

  function touch(serviceId: number): void {
    if (isClosed) return;
    queued.add(serviceId);
    pump();
  }

  function pump(): void {
    for (const id of queued) {
      if (running.size >= AT_ONCE) return;
      if (running.has(id)) continue;
      queued.delete(id);
      // In its own turn, so that what comes in at the same moment is seen together.
      const work = Promise.resolve().then(() => look(id));
      running.set(id, work);
      void work.finally(() => {
        running.delete(id);
        pump();
      });
    }
  }

  async function look(id: number): Promise<void> {
    wakes.get(id)?.();
    wakes.delete(id);
    try {
      let wakeAt: number | 'again' | undefined = 'again';
      while (wakeAt === 'again' && !isClosed) wakeAt = await turn(id);
      failures.delete(id);
      if (typeof wakeAt === 'number') wake(id, wakeAt - steady.now());
    } catch (error) {
      const count = (failures.get(id) ?? 0) + 1;
      failures.set(id, count);
      log.error('a service could not be seen to; it is tried again', { service: id, error: describeCauses(error) });
      wake(id, Math.min(RETRY_MS * 2 ** (count - 1), LONGEST_RETRY_MS));
    }
  }

  function wake(id: number, milliseconds: number): void {
    if (isClosed) return;
    wakes.get(id)?.();
    wakes.set(
      id,
      timers.after(Math.max(milliseconds, 1), () => {
        wakes.delete(id);
        touch(id);
      }),
    );
  }

  /** One look and what follows from it. Gives when to look again, `again` for at once. */
  async function turn(id: number): Promise<number | 'again' | undefined> {
    const view = await readView(meta.read, id);
    if (view === undefined) return undefined;
    if (await stopMarked(view)) return 'again';
    const asked = resolveTags(view);
    const seen = consider(view);
    if (isSettled(seen.settlement, view) && seen.plan.steps.length === 0) return earliest(seen.plan.wakeAt, asked);

    if (seen.plan.steps.some(({ kind }) => kind === 'start')) await readHosts();
    const effects = await writes.transact(async (transaction): Promise<Effects & { planned?: number }> => {
      const now = await readView(transaction, id);
      if (now === undefined) return { launch: [], again: false };
      const { settlement, unheld } = await writeSettlement(transaction, context, now, consider(now).settlement, steady);
      if (unheld !== undefined) await markStopping(transaction, [unheld], 'unheld');
      if (settlement.isEmpty) return { launch: [], again: false };
      const settled = afterSettlement(now, settlement, steady.now());
      for (const task of settled.tasks) if (task.id === unheld) task.why = 'unheld';
      const plan = decide(settled, planSettings(context.settings, settled), steady.now(), clock.now());
      const carried = await carryOut(transaction, context, tasks, settled, plan.steps, hosts);
      return {
        ...carried,
        again: carried.again || unheld !== undefined,
        ...(plan.wakeAt === undefined ? {} : { planned: plan.wakeAt }),
      };
    });
    await Promise.all(effects.launch.map(({ row, of }) => tasks.launch(row, of)));
    if (effects.again) return 'again';
    return earliest(effects.planned, effects.wakeIn === undefined ? undefined : steady.now() + effects.wakeIn, asked);
  }

  /** Its times are steady ones. */
  async function readView(database: Kysely<OrchestratorTables>, id: number): Promise<ServiceView | undefined> {
    const view = await readServiceView(database, id, hostIds());
    if (view === undefined) steady.forget(id);
    return view === undefined ? undefined : steady.translate(view);
  }

  function consider(view: ServiceView) {
    const now = steady.now();
    const settings = planSettings(context.settings, view);
    const settlement = settle(view, settings, now);
    return {
      settlement,
      plan: settlement.isEmpty ? { steps: [] } : decide(afterSettlement(view, settlement, now), settings, now, clock.now()),
    };
  }

  function hostIds(): string[] {
    return hosts.map(({ id }) => id);
  }

  async function readHosts(): Promise<void> {
    if (clock.monotonic() < hostsUntil) return;
    hosts = await runtime.hosts();
    hostsUntil = clock.monotonic() + HOSTS_MS;
  }

  /** Has the runtime stop what the last turn, or the life before, decided to stop. */
  async function stopMarked(view: ServiceView): Promise<boolean> {
    const marked = view.tasks.filter(({ why, desiredStatus }) => why !== undefined && desiredStatus !== 'STOPPED');
    const groups = Map.groupBy(marked, ({ why, revision }) => stopReason(why, revision));
    for (const [reason, group] of groups) {
      await tasks.stop(
        group.map(({ id }) => id),
        { code: 'ServiceSchedulerInitiated', reason },
      );
    }
    return groups.size > 0;
  }

  /** Asks for the tags of a revision that resolves them at the registry. Gives when to ask again. */
  function resolveTags({ service, revisions }: ServiceView): number | undefined {
    for (const revision of revisions) {
      if (revision.resolution !== 'PENDING' || revision.resolveBy !== 'registry') continue;
      if (service.status !== 'ACTIVE' || revision.role !== 'PRIMARY' || revision.rollout !== 'IN_PROGRESS') continue;
      if (resolving.has(revision.id)) continue;
      const { resolveAttempts, lastFailureAt = 0 } = revision.tally;
      const at = resolveAttempts === 0 ? 0 : lastFailureAt + RETRY_MS * 2 ** (resolveAttempts - 1);
      if (at > steady.now()) return at;
      const work = learnDigests(service, revision)
        .catch((error: unknown) => {
          log.error('digests could not be written down; it is tried again', {
            revision: revision.id,
            error: describeCauses(error),
          });
          wake(service.id, RETRY_MS);
          return false;
        })
        .then((isWritten) => {
          resolving.delete(revision.id);
          if (isWritten) touch(service.id);
        });
      resolving.set(revision.id, work);
    }
    return undefined;
  }

  async function learnDigests(service: ServiceRecord, revision: RevisionRecord): Promise<boolean> {
    const answer = await resolveImages(context, service, revision.document.images);
    await writes.transact(async (transaction) => {
      const view = await readServiceView(transaction, service.id, hostIds());
      const row = await transaction.selectFrom('service_revision').selectAll().where('id', '=', revision.id).executeTakeFirst();
      if (view === undefined || row === undefined || row.resolution !== 'PENDING') return;
      if ('images' in answer) {
        const failure = await recordDigests(transaction, context, view, revision.id, answer.images);
        if (failure === undefined) return;
      } else {
        await addEvent(transaction, context, view.service, eventText.unresolved(revision.id, answer.failure));
      }
      const { tally } = toRevision(row);
      const now = clock.now();
      await writeTally(
        transaction,
        revision.id,
        { ...tally, failures: tally.failures + 1, resolveAttempts: tally.resolveAttempts + 1, lastFailureAt: now },
        now,
      );
    });
    return true;
  }

  async function touchAll(rows: { id: number }[]): Promise<void> {
    hostsUntil = -Infinity;
    await readHosts();
    for (const { id } of rows) touch(id);
  }

  return {
    touch,
    async touchCluster(clusterId) {
      await touchAll(
        await meta.read
          .selectFrom('service')
          .select('id')
          .where('cluster_id', '=', clusterId)
          .where('status', '!=', 'INACTIVE')
          .execute(),
      );
    },
    async start() {
      await touchAll(await meta.read.selectFrom('service').select('id').where('status', '!=', 'INACTIVE').execute());
    },
    async settled() {
      while (running.size > 0 || queued.size > 0 || resolving.size > 0) {
        await Promise.all([...running.values(), ...resolving.values()]);
        await Promise.resolve();
      }
    },
    async close() {
      isClosed = true;
      queued.clear();
      for (const cancel of wakes.values()) cancel();
      wakes.clear();
      await Promise.all([...running.values(), ...resolving.values()]);
    },
  };
}

/** Whether a change of a task can change its service's plan. */
function isNews({ before, after }: TaskChange): boolean {
  if (phaseOf(before) !== phaseOf(after) || before.health !== after.health || before.protectedUntil !== after.protectedUntil)
    return true;
  // A task that was started by its tag may be the one that tells the digest.
  return after.document.containers.some(
    ({ name, digest }) => digest === undefined && reportedDigest(before, name) !== reportedDigest(after, name),
  );
}

function phaseOf({ lastStatus, desiredStatus }: TaskRow): string {
  if (lastStatus === 'STOPPED') return 'stopped';
  if (desiredStatus === 'STOPPED') return 'stopping';
  return lastStatus === 'RUNNING' ? 'running' : 'pending';
}

function reportedDigest({ sight }: TaskRow, container: string): string | undefined {
  return sight.containers.find(({ name }) => name === container)?.imageDigest;
}

function stopReason(why: StopCause | undefined, revision: string): string {
  switch (why) {
    case 'unhealthy':
      return 'Task failed container health checks';
    case 'unheld':
      return `The image that it runs was deleted before it could be kept for (deployment ${deploymentId(revision)})`;
    default:
      return `Scaling activity initiated by (deployment ${deploymentId(revision)})`;
  }
}

function earliest(...times: (number | undefined)[]): number | undefined {
  const set = times.filter((time) => time !== undefined);
  return set.length === 0 ? undefined : Math.min(...set);
}
