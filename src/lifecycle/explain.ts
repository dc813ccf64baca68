import type { Repository } from '../registry/registry.ts';
import { readBytesFreed } from './bytes-freed.ts';
import type { LifecycleContext } from './context.ts';
import { evaluateLifecycle, type ImageVerdict } from './evaluate.ts';
import type { Lifecycle } from './lifecycle.ts';
import { parseLifecyclePolicy } from './parse-policy.ts';
import { getPolicy } from './policies.ts';
import type { LifecyclePolicy } from './policy.ts';
import { readRepositoryImages, type RepositoryImages } from './read-images.ts';
import { summarizeVerdicts } from './summarize.ts';
import { warnPolicy } from './warn-policy.ts';

/** One evaluation of a repository as it is now. */
export interface Evaluation extends RepositoryImages {
  verdicts: ImageVerdict[];
  now: number;
}

/** Pulls that are in memory only are written first; a repository that never holds still is read in a transaction. */
export async function evaluateRepository(
  { meta, clock, flushPulls }: Pick<LifecycleContext, 'meta' | 'clock' | 'flushPulls'>,
  repository: Repository,
  policy: LifecyclePolicy,
): Promise<Evaluation> {
  await flushPulls();
  const now = clock.now();
  const read =
    (await readRepositoryImages(meta.read, repository, now)) ??
    (await meta.transact((transaction) => readRepositoryImages(transaction, repository, now)));
  if (read === undefined) throw new Error('a repository changed inside a transaction');
  return { ...read, now, verdicts: evaluateLifecycle(policy, read.images, now) };
}

export function createExplain(context: LifecycleContext): Lifecycle['explain'] {
  const { meta, findings } = context;
  return async (repository, given) => {
    const policyText = given ?? (await getPolicy(meta.read, repository)).text;
    const policy = parseLifecyclePolicy(policyText);
    const { images, verdicts, now } = await evaluateRepository(context, repository, policy);
    const expiring = verdicts.filter(({ verdict }) => verdict === 'expire').map(({ digest }) => digest);
    const byDigest = new Map(images.map((image) => [image.digest, image]));
    return {
      repository: repository.name,
      policyText,
      evaluatedAt: now,
      images: verdicts.flatMap((verdict) => {
        const image = byDigest.get(verdict.digest);
        return image === undefined ? [] : [{ image, verdict }];
      }),
      counts: summarizeVerdicts(policy, images, verdicts),
      freed: await readBytesFreed(meta.read, images, new Set(expiring)),
      ...(findings === undefined ? {} : { findings: await findings(repository, expiring) }),
      warnings: warnPolicy(policy, images),
    };
  };
}
