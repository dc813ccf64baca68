/**
 * One step in a process of its own: `measure.ts evaluate|fill|verdicts|explain|apply IMAGES RULES FOLDER`. Prints JSON. The database
 * is filled by one process and measured by another, so that the memory is the measured work's.
 */
import { join } from 'node:path';
import { createManualClock } from '../../src/core/clock.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { MetaStore } from '../../src/core/meta-store.ts';
import type { Caller } from '../../src/core/place.ts';
import type { RepositoryName } from '../../src/core/repository-name.ts';
import { createMemoryBlobs } from '../../src/drivers/blobs/memory.ts';
import { openSqliteMeta } from '../../src/drivers/meta/sqlite.ts';
import { systemClock } from '../../src/drivers/system/clock.ts';
import { systemIds } from '../../src/drivers/system/ids.ts';
import { createLifecycle } from '../../src/lifecycle/create-lifecycle.ts';
import { evaluateLifecycle, type LifecycleImage } from '../../src/lifecycle/evaluate.ts';
import { evaluateRepository } from '../../src/lifecycle/explain.ts';
import { lifecycleMigrations } from '../../src/lifecycle/migrations.ts';
import { parseLifecyclePolicy } from '../../src/lifecycle/parse-policy.ts';
import type { LifecycleTables } from '../../src/lifecycle/schema.ts';
import { createRegistry } from '../../src/registry/create-registry.ts';
import { registryMigrations } from '../../src/registry/migrations.ts';
import type { RegistryTables } from '../../src/registry/schema.ts';
import { fillRepository } from './fill.ts';
import { environments, policyOf } from './policies.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const caller: Caller = { account: '123456789012', region: 'us-east-1', principal: 'arn:aws:iam::123456789012:user/bench' };
const [kind, images, rules, folder = '.'] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4]), process.argv[5]];

if (kind === 'evaluate') {
  const policy = parseLifecyclePolicy(policyOf(rules));
  const made = makeImages(images);
  const started = performance.now();
  const judged = evaluateLifecycle(policy, made, NOW);
  print({ ms: performance.now() - started, expired: judged.filter(({ verdict }) => verdict.verdict === 'expire').length });
} else {
  const meta = await openSqliteMeta<LifecycleTables>({
    path: join(folder, 'meta.db'),
    migrations: [...registryMigrations, ...lifecycleMigrations],
    now: () => 0,
  });
  const clock = { ...createManualClock(NOW), monotonic: () => systemClock.monotonic() };
  const registry = createRegistry({
    meta: meta as unknown as MetaStore<RegistryTables>,
    blobs: createMemoryBlobs(clock),
    clock,
    ids: systemIds,
    log: silentLogger,
  });
  const name = 'bench/app' as RepositoryName;
  const lifecycle = createLifecycle({ meta, registry, clock, ids: systemIds, log: silentLogger, graceMs: DAY });
  const text = rules === 0 ? environments() : policyOf(rules);
  if (kind === 'fill') {
    await fillRepository(meta, await registry.repositories.create(caller, name), images, NOW);
    print({ ms: 0, expired: 0 });
  } else if (kind === 'verdicts') {
    const repository = await registry.repositories.get(caller, name);
    const context = { meta, clock, flushPulls: () => Promise.resolve() };
    const started = performance.now();
    const { judged } = await evaluateRepository(context, repository, parseLifecyclePolicy(text));
    print({ ms: performance.now() - started, expired: judged.filter(({ verdict }) => verdict.verdict === 'expire').length });
  } else if (kind === 'explain') {
    const repository = await registry.repositories.get(caller, name);
    const started = performance.now();
    const preview = await lifecycle.explain(repository, text);
    print({ ms: performance.now() - started, expired: preview.counts.expiring });
  } else {
    const repository = await registry.repositories.get(caller, name);
    await lifecycle.put(caller, repository, text);
    await lifecycle.idle();
    const started = performance.now();
    const run = await lifecycle.run(caller, repository, { confirmed: true });
    print({ ms: performance.now() - started, expired: run.expired });
  }
  await lifecycle.close();
  await meta.close();
}

function print(result: object): void {
  process.stdout.write(JSON.stringify({ ...result, mib: process.resourceUsage().maxRSS / 1024 }));
}

function makeImages(count: number): LifecycleImage[] {
  return Array.from({ length: count }, (_, index) => ({
    digest: digestOf(String(index)) as Digest,
    tags: [`build-${index}`, ...(index % 5 === 0 ? [`env${index % 49}-${index}`] : [])],
    pushedAt: NOW - (count - index) * 60_000,
    storageClass: 'standard' as const,
  }));
}
