import type { Caller } from '../core/place.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import { decodeCursor, pageOf } from '../registry/cursor.ts';
import type { Repository } from '../registry/registry.ts';
import { isFault } from '../core/fault.ts';
import { createBackgroundWork, type LifecycleContext } from './context.ts';
import { createExplain } from './explain.ts';
import type { Lifecycle, LifecycleRun } from './lifecycle.ts';
import { createPolicies } from './policies.ts';
import { createPreviews } from './previews.ts';
import { runPolicy } from './run.ts';
import { toRun } from './run-rows.ts';
import { createSteadyClock, type SteadyClock } from './steady-clock.ts';
import { createUndo } from './undo.ts';

const HOUR = 3_600_000;
/** Who does what nobody asked for at that moment. */
const PRINCIPAL = 'holdfast:lifecycle';

export type LifecycleDependencies = Omit<LifecycleContext, 'work' | 'flushPulls'> & Partial<Pick<LifecycleContext, 'flushPulls'>>;

/** Builds the room. `meta` has run `registryMigrations` and `lifecycleMigrations`. */
export function createLifecycle(dependencies: LifecycleDependencies): Lifecycle {
  const { meta, clock, log, registry } = dependencies;
  const work = createBackgroundWork(log);
  const context: LifecycleContext = { flushPulls: () => Promise.resolve(), ...dependencies, work };
  const policies = createPolicies(context);
  const active = new Set<string>();
  const inTurn = createTurns();
  let steady: Promise<SteadyClock> | undefined;
  const isSteady = async (): Promise<boolean> =>
    (await (steady ??= readLastSeen(context).then((lastSeen) => createSteadyClock(clock, log, lastSeen)))).isSteady();

  const run = (caller: Caller, repository: Repository, confirmed: boolean): Promise<LifecycleRun> =>
    work.track(inTurn(repository.id, () => runPolicy(context, caller, repository, { confirmed, active })));
  const runUnasked = async (repository: Repository): Promise<void> => {
    if (!(await isSteady())) return;
    try {
      await run({ account: repository.account, region: repository.region, principal: PRINCIPAL }, repository, false);
    } catch (error) {
      // It was deleted, with its policy or without.
      if (!isFault(error, 'repository-unknown') && !isFault(error, 'lifecycle-policy-unknown')) throw error;
    }
  };

  return {
    ...policies,
    ...createPreviews(context),
    explain: createExplain(context),
    async put(caller, repository, text, { run: isRun = true } = {}) {
      const stored = await policies.put(caller, repository, text);
      if (isRun) work.start('a run of a lifecycle policy', () => runUnasked(repository));
      return stored;
    },
    run: (caller, repository, { confirmed = false } = {}) => run(caller, repository, confirmed),
    async runs(place, { limit, next }) {
      let query = meta.read
        .selectFrom('lifecycle_run')
        .selectAll()
        .where('account', '=', place.account)
        .where('region', '=', place.region)
        .where('repository', '=', place.name)
        .orderBy('started_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (next !== undefined) {
        const [startedAt, id] = decodeCursor(next, ['number', 'string']);
        query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('started_at', 'id'), '<', tuple(startedAt, id)));
      }
      return pageOf(
        await query.execute(),
        limit,
        (row) => [row.started_at, row.id],
        (row) => toRun(row, active),
      );
    },
    undo: (caller, repository, id) => work.track(inTurn(repository.id, () => createUndo(context)(caller, repository, id))),
    async tick() {
      if (!(await isSteady())) return;
      for (const { account, region, name } of await readDue(context)) {
        if (work.isStopping) return;
        const repository = await registry.repositories.find({ account, region }, name as RepositoryName);
        if (repository === undefined) continue;
        // One repository's trouble is not the others'.
        await runUnasked(repository).catch((error: unknown) =>
          log.error('a run of a lifecycle policy failed; it is tried again', { repository: name, error: String(error) }),
        );
      }
    },
    idle: () => work.idle(),
    async close() {
      work.stop();
      await work.idle();
    },
  };
}

/** Policies that are on and were not evaluated in the last hour; a time in the future is of a clock that went back since. */
async function readDue({ meta, clock }: LifecycleContext): Promise<{ account: string; region: string; name: string }[]> {
  const now = clock.now();
  return meta.read
    .selectFrom('lifecycle_policy')
    .innerJoin('repository', 'repository.id', 'lifecycle_policy.repository_id')
    .select(['repository.account', 'repository.region', 'repository.name'])
    .where('is_off', '=', 0)
    .where((builder) =>
      builder.or([
        builder('last_evaluated_at', 'is', null),
        builder('last_evaluated_at', '<=', now - HOUR),
        builder('last_evaluated_at', '>', now + HOUR),
      ]),
    )
    .orderBy('repository.id')
    .execute();
}

async function readLastSeen({ meta }: LifecycleContext): Promise<number | undefined> {
  const row = await meta.read
    .selectFrom('lifecycle_policy')
    .select((builder) => builder.fn.max('last_evaluated_at').as('latest'))
    .executeTakeFirst();
  return row?.latest ?? undefined;
}

/** One at a time for each key, in the order of their coming. */
function createTurns(): <T>(key: number, work: () => Promise<T>) => Promise<T> {
  const last = new Map<number, Promise<unknown>>();
  return async (key, work) => {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.then(
      () => undefined,
      () => undefined,
    );
    last.set(key, settled);
    try {
      return await mine;
    } finally {
      if (last.get(key) === settled) last.delete(key);
    }
  };
}
