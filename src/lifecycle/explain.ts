import type { Kysely } from 'kysely';
import type { Repository } from '../registry/registry.ts';
import { readBytesFreed } from './bytes-freed.ts';
import type { LifecycleContext } from './context.ts';
import { evaluateInSteps, type JudgedImage } from './evaluate.ts';
import type { Lifecycle } from './lifecycle.ts';
import { parseLifecyclePolicy } from './parse-policy.ts';
import { getPolicy } from './policies.ts';
import type { LifecyclePolicy } from './policy.ts';
import { readRepositoryImages, type StoredLifecycleImage } from './read-images.ts';
import type { LifecycleTables } from './schema.ts';
import { byTheWay } from './steps.ts';
import { summarizeVerdicts } from './summarize.ts';
import { warnInSteps } from './warn-policy.ts';

/** One evaluation of a repository as it was at one moment. */
export interface Evaluation {
  /** Oldest first. */
  judged: JudgedImage<StoredLifecycleImage>[];
  now: number;
  /** See `readStamp`. */
  stamp: number;
}

/** Reads and judges, and lets others work in between. Pulls that are in memory only are written first. */
export async function evaluateRepository(
  { meta, clock, flushPulls }: Pick<LifecycleContext, 'meta' | 'clock' | 'flushPulls'>,
  repository: Repository,
  policy: LifecyclePolicy,
): Promise<Evaluation> {
  await flushPulls();
  return meta.snapshot((database) => evaluateIn(database, repository, policy, clock.now()));
}

async function evaluateIn(
  database: Kysely<LifecycleTables>,
  repository: Repository,
  policy: LifecyclePolicy,
  now: number,
): Promise<Evaluation> {
  const { images, stamp } = await readRepositoryImages(database, repository, now);
  return { judged: await byTheWay(evaluateInSteps(policy, images, now)), now, stamp };
}

export function createExplain({ meta, clock, flushPulls, findings }: LifecycleContext): Lifecycle['explain'] {
  return async (repository, given) => {
    const policyText = given ?? (await getPolicy(meta.read, repository)).text;
    const policy = parseLifecyclePolicy(policyText);
    await flushPulls();
    return meta.snapshot(async (database) => {
      const { judged, now } = await evaluateIn(database, repository, policy, clock.now());
      const images = judged.map(({ image }) => image);
      const expiring = judged.filter(({ verdict }) => verdict.verdict === 'expire').map(({ image }) => image.digest);
      return {
        repository: repository.name,
        policyText,
        evaluatedAt: now,
        images: judged,
        counts: summarizeVerdicts(policy, judged),
        freed: await readBytesFreed(database, images, new Set(expiring)),
        ...(findings === undefined ? {} : { findings: await findings(repository, expiring) }),
        warnings: await byTheWay(warnInSteps(policy, images)),
      };
    });
  };
}
