import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import type { Caller } from '../core/place.ts';
import { recordAudits } from '../registry/audit.ts';
import { breathe } from '../registry/collection-pass.ts';
import { archiveImage } from '../registry/image-archive.ts';
import { deleteImages } from '../registry/image-delete.ts';
import { getImage } from '../registry/image-rows.ts';
import type { Repository } from '../registry/registry.ts';
import { readRepository } from '../registry/repository-rows.ts';
import type { LifecycleContext, LifecycleTransaction } from './context.ts';
import { evaluateLifecycle, type ImageVerdict, type JudgedImage } from './evaluate.ts';
import { evaluateRepository, type Evaluation } from './explain.ts';
import type { LifecycleRun } from './lifecycle.ts';
import { parseLifecyclePolicy } from './parse-policy.ts';
import { asRegistry, findPolicy, getPolicy } from './policies.ts';
import type { LifecyclePolicy } from './policy.ts';
import { PREVIEW_LIFETIME } from './previews.ts';
import { readRepositoryImages, readStamp } from './read-images.ts';
import type { LifecycleTables } from './schema.ts';
import { forgetWaiting, toRun, writeRun, type RunDetail, type RunRow } from './run-rows.ts';
import { summarizeVerdicts } from './summarize.ts';

/** Images that leave in one transaction, and their tags: enough to be quick, few enough that pushes get their turn in between. */
const BATCH = 100;
const BATCH_TAGS = 2_000;
/** Of the images that a run left alone, so many are told by name. */
const MOST_TOLD = 100;

export interface RunOptions {
  /** A person has seen what it will do. */
  confirmed: boolean;
  /** Ids of the runs under way, for `toRun`. */
  active: Set<string>;
}

/** What a run goes by while it works; decided anew whenever the repository has changed. */
interface Basis {
  judged: ReadonlyMap<Digest, JudgedImage>;
  stamp: number;
}

/**
 * One run of a repository's policy. It is planned once, and each image is decided again in the transaction in which it
 * leaves: where anything was pushed, pulled, retagged, held or deleted meanwhile, the whole repository is evaluated anew
 * there, and only what still goes goes. Nothing goes that the plan did not have.
 */
export async function runPolicy(
  context: LifecycleContext,
  caller: Caller,
  repository: Repository,
  { confirmed, active }: RunOptions,
): Promise<LifecycleRun> {
  const { meta, clock, ids, log } = context;
  const row = await getPolicy(meta.read, repository);
  const policy = parseLifecyclePolicy(row.text);
  const evaluation = await evaluateRepository(context, repository, policy);
  const counts = summarizeVerdicts(policy, evaluation.judged);
  let plan = evaluation.judged
    .map(({ verdict }) => verdict)
    .filter(({ verdict }) => verdict === 'expire' || verdict === 'archive');

  const run: RunRow = {
    id: ids.uuid(),
    account: repository.account,
    region: repository.region,
    repository: repository.name,
    policy_text: row.text,
    started_at: evaluation.now,
    finished_at: evaluation.now,
    status: 'done',
    principal: caller.principal,
    images: counts.images,
    expired: 0,
    archived: 0,
    held: counts.held,
    detail: '',
  };

  if (counts.waits !== undefined && !confirmed) {
    const seen = await readPreviewed(context, repository, row.text);
    if (seen === undefined) return waitForWord(context, repository, run, counts.waits, active);
    plan = plan.filter(({ digest }) => seen.has(digest));
  }

  const detail: RunDetail = { left: [] };
  let basis = basisOf(evaluation);
  active.add(run.id);
  try {
    for (let from = 0, to = 0; from < plan.length && !context.work.isStopping; from = to) {
      await breathe();
      await context.flushPulls();
      // Where a lot has to be read again, better before the transaction, in which everybody waits, than in it.
      if ((await readStamp(meta.read, repository)) !== basis.stamp)
        basis = basisOf(await evaluateRepository(context, repository, policy));
      to = endOfBatch(plan, from, basis);
      const batch = plan.slice(from, to);
      const done = await meta.transact(async (transaction) => {
        const now = { ...run, detail: JSON.stringify(detail), status: 'running' };
        return actOnBatch(transaction, context, caller, { repository, policy, basis, batch, run: now, detail });
      });
      if (done === undefined) {
        log.info('a lifecycle run ended early: the policy was changed', { repository: repository.name, run: run.id });
        break;
      }
      basis = done.basis;
      run.expired += done.expired;
      run.archived += done.archived;
      detail.left.push(...done.left.slice(0, MOST_TOLD - detail.left.length));
    }
  } finally {
    active.delete(run.id);
  }

  run.finished_at = clock.now();
  run.detail = JSON.stringify(detail);
  await meta.transact(async (transaction) => {
    await forgetWaiting(transaction, repository);
    if (run.expired + run.archived > 0) await writeRun(transaction, run);
    if (!context.work.isStopping) await noteEvaluation(transaction, repository, evaluation.now);
  });
  if (run.expired + run.archived > 0)
    log.info('a lifecycle policy was carried out', {
      repository: repository.name,
      run: run.id,
      expired: run.expired,
      archived: run.archived,
      held: run.held,
    });
  return toRun(run, active);
}

function endOfBatch(plan: ImageVerdict[], from: number, { judged }: Basis): number {
  const tagsOf = (at: number): number => judged.get(plan[at]?.digest as Digest)?.image.tags.length ?? 0;
  let to = from + 1;
  for (let tags = tagsOf(from); to < Math.min(plan.length, from + BATCH); to++) {
    tags += tagsOf(to);
    if (tags > BATCH_TAGS) break;
  }
  return to;
}

async function waitForWord(
  { meta, log }: LifecycleContext,
  repository: Repository,
  run: RunRow,
  reason: string,
  active: ReadonlySet<string>,
): Promise<LifecycleRun> {
  const waits = `${reason} It waits for your word: holdfast lifecycle apply ${repository.name}`;
  const row: RunRow = {
    ...run,
    status: 'waiting',
    detail: JSON.stringify({ waits, left: [] } satisfies RunDetail),
  };
  await meta.transact(async (transaction) => {
    await forgetWaiting(transaction, repository);
    await writeRun(transaction, row);
    await noteEvaluation(transaction, repository, run.started_at);
  });
  log.warn('a lifecycle run waits for a word', { repository: repository.name, run: run.id, reason: waits });
  return toRun(row, active);
}

/**
 * What a person saw go in a preview of this very policy, and put nonetheless: that is the word for these images.
 * `undefined` when there was no such preview in the last day.
 */
async function readPreviewed(
  { meta, clock }: LifecycleContext,
  repository: Repository,
  policyText: string,
): Promise<Set<string> | undefined> {
  const preview = await meta.read
    .selectFrom('lifecycle_preview')
    .select('started_at')
    .where('repository_id', '=', repository.id)
    .where('status', '=', 'COMPLETE')
    .where('policy_text', '=', policyText)
    .executeTakeFirst();
  if (preview === undefined || clock.now() - preview.started_at > PREVIEW_LIFETIME) return undefined;
  const rows = await meta.read
    .selectFrom('lifecycle_preview_image')
    .select('digest')
    .where('repository_id', '=', repository.id)
    .execute();
  return new Set(rows.map(({ digest }) => digest));
}

interface Batch {
  repository: Repository;
  policy: LifecyclePolicy;
  basis: Basis;
  batch: ImageVerdict[];
  run: RunRow;
  detail: RunDetail;
}

interface BatchDone {
  basis: Basis;
  expired: number;
  archived: number;
  left: RunDetail['left'];
}

/** `undefined` when the policy is no longer the one that was planned with. */
async function actOnBatch(
  transaction: LifecycleTransaction,
  context: LifecycleContext,
  caller: Caller,
  { repository: known, policy, basis: planned, batch, run, detail }: Batch,
): Promise<BatchDone | undefined> {
  const registry = asRegistry(transaction);
  const repository = await readRepository(registry, known);
  if ((await findPolicy(transaction, repository))?.text !== run.policy_text) return undefined;
  const basis = await refresh(transaction, context, { repository, policy, basis: planned, batch });
  const done: BatchDone = { basis, expired: 0, archived: 0, left: [] };
  const leaving = new Map<Digest, number | undefined>();
  const archived: LifecycleTables['lifecycle_run_archived'][] = [];
  for (const { digest, verdict } of batch) {
    const current = basis.judged.get(digest)?.verdict;
    if (current?.verdict !== verdict)
      done.left.push({ digest, reason: current === undefined ? 'it was deleted meanwhile' : 'it changed meanwhile, and stays' });
    else if (verdict === 'expire') leaving.set(digest, current.rule);
    else {
      try {
        const image = await getImage(registry, repository, digest);
        const facts = { run: run.id, rule: current.rule };
        await archiveImage(registry, caller, repository, image, context.clock.now(), facts);
        archived.push({ run: run.id, digest });
      } catch (error) {
        done.left.push({ digest, reason: whyLeft(error) });
      }
    }
  }
  const deletion = { cause: 'expire', run: run.id } as const;
  const surroundings = { clock: context.clock, options: { graceMs: context.graceMs } };
  const { deleted, refused } = await deleteImages(registry, surroundings, caller, repository, [...leaving.keys()], deletion);
  for (const [digest, fault] of refused) done.left.push({ digest, reason: whyLeft(fault) });
  const at = context.clock.now();
  await recordAudits(
    registry,
    caller,
    [...deleted].map(([digest, tags]) => ({
      at,
      action: 'image.expire',
      repository: repository.name,
      detail: { digest, tags, run: run.id, rule: leaving.get(digest) },
    })),
  );
  done.expired = deleted.size;
  done.archived = archived.length;
  await writeRun(transaction, {
    ...run,
    expired: run.expired + done.expired,
    archived: run.archived + done.archived,
    finished_at: context.clock.now(),
    detail: JSON.stringify(detail),
  });
  if (archived.length > 0) await transaction.insertInto('lifecycle_run_archived').values(archived).execute();
  return { ...done, basis: { ...basis, stamp: await readStamp(transaction, repository) } };
}

/** The basis as it is when the batch's transaction begins: what was planned with, unless something has changed since. */
async function refresh(
  transaction: LifecycleTransaction,
  { clock }: LifecycleContext,
  { repository, policy, basis, batch }: Pick<Batch, 'repository' | 'policy' | 'basis' | 'batch'>,
): Promise<Basis> {
  const rows = await transaction
    .selectFrom('manifest')
    .select(['digest', 'pulled_at'])
    .where('repository_id', '=', repository.id)
    .where(
      'digest',
      'in',
      batch.map(({ digest }) => digest),
    )
    .execute();
  const isPulled = rows.some(
    ({ digest, pulled_at }) => (pulled_at ?? undefined) !== basis.judged.get(digest as Digest)?.image.pulledAt,
  );
  if (!isPulled && (await readStamp(transaction, repository)) === basis.stamp) return basis;
  const now = clock.now();
  const { images, stamp } = await readRepositoryImages(transaction, repository, now, () => Promise.resolve());
  return basisOf({ judged: evaluateLifecycle(policy, images, now), stamp });
}

function basisOf({ judged, stamp }: Pick<Evaluation, 'judged' | 'stamp'>): Basis {
  return { judged: new Map(judged.map((one) => [one.image.digest, one])), stamp };
}

/** Why an image that should go cannot. Raises again what is no reason but a failure. */
function whyLeft(error: unknown): string {
  if (isFault(error, 'image-held')) {
    const [hold] = error.facts.holds;
    return hold === undefined ? 'somebody needs it' : `${hold.kind} ${hold.holder} needs it`;
  }
  if (isFault(error, 'image-referenced')) return `${error.facts.parents[0] ?? 'an index'} lists it`;
  if (isFault(error, 'storage-class-unsupported')) return error.facts.reason;
  if (isFault(error, 'image-unknown')) return 'it was deleted meanwhile';
  throw error;
}

async function noteEvaluation(transaction: LifecycleTransaction, repository: Repository, at: number): Promise<void> {
  await transaction
    .updateTable('lifecycle_policy')
    .set({ last_evaluated_at: at })
    .where('repository_id', '=', repository.id)
    .execute();
}
