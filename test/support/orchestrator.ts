import type { TestContext } from 'node:test';
import { createManualClock } from '../../src/core/clock.ts';
import { digestOf, type Digest } from '../../src/core/digest.ts';
import type { IdSource } from '../../src/core/ids.ts';
import { silentLogger, type Logger } from '../../src/core/logger.ts';
import type { MetaStore } from '../../src/core/meta-store.ts';
import { parseReference } from '../../src/core/reference.ts';
import type { RepositoryName } from '../../src/core/repository-name.ts';
import { createManualTimers } from '../../src/core/timers.ts';
import type { Behaviour } from '../../src/drivers/runtime/simulated-behaviour.ts';
import { createSimulatedRuntime } from '../../src/drivers/runtime/simulated.ts';
import type { OrchestratorContext, OrchestratorSettings, OrchestratorTables } from '../../src/orchestrator/context.ts';
import { createOrchestrator } from '../../src/orchestrator/create-orchestrator.ts';
import { createServicePart } from '../../src/orchestrator/create-service-part.ts';
import { serviceMigrations } from '../../src/orchestrator/migrations-services.ts';
import { taskMigrations } from '../../src/orchestrator/migrations.ts';
import type { Orchestrator } from '../../src/orchestrator/orchestrator.ts';
import type { ImageToRun, RuntimeHost, TaskRuntime } from '../../src/orchestrator/ports.ts';
import { createHolds } from '../../src/registry/holds.ts';
import { createImages } from '../../src/registry/images.ts';
import { defaultRegistryOptions, type RegistryContext } from '../../src/registry/context.ts';
import { registryMigrations } from '../../src/registry/migrations.ts';
import { createPullTimes } from '../../src/registry/pull-times.ts';
import type { Registry, Repository } from '../../src/registry/registry.ts';
import { createRepositories } from '../../src/registry/repositories.ts';
import type { RegistryTables } from '../../src/registry/schema.ts';
import { caller, imageManifest } from './registry.ts';
import { createMeta } from './meta.ts';
import { createLife, type Life } from './server-life.ts';

/** What image names of the test's own registry begin with. */
export const HOST = '127.0.0.1:4600';
export const IMAGE = `${HOST}/team/web`;

/** An orchestrator with its registry on one database, and tasks that live on a clock that is moved by hand. */
export interface World {
  orchestrator: Orchestrator;
  registry: Registry;
  repository: Repository;
  runtime: TaskRuntime;
  meta: MetaStore<OrchestratorTables>;
  clock: ReturnType<typeof createManualClock>;
  /** How a container of an image behaves, by the image as it is written. */
  behaviours: Map<string, Behaviour>;
  /** What other registries hold, or what the test's own one says although it is not so: reference -> digest. */
  elsewhere: Map<string, Digest>;
  /** Errors that were logged. */
  errors: unknown[];
  /** Pushes an image of this content to `team/web`. */
  push(content: string, ...tags: string[]): Promise<Digest>;
  /** Moves time on, and lets everything that comes of it happen. */
  advance(milliseconds: number): Promise<void>;
  /** Everything that has to happen now, without time moving on. */
  settle(): Promise<void>;
  /** The server goes away at once, as by kill -9, and comes back; the tasks run on. */
  restart(): Promise<void>;
  /** What a client asks for. Raises `ServerGone` when the server dies of it; `settle` brings it back. */
  ask<T>(request: (orchestrator: Orchestrator) => Promise<T>): Promise<T>;
}

/** The server died before it answered. */
export class ServerGone extends Error {
  override readonly name = 'ServerGone';
}

export interface WorldOptions {
  settings?: Partial<OrchestratorSettings>;
  hosts?: RuntimeHost[];
  resolver?: OrchestratorContext['resolver'];
  /** By name; they may change while the world runs. */
  secrets?: ReadonlyMap<string, string>;
  /** Told of each image that the runtime would pull. */
  onPull?: (image: ImageToRun) => void;
  /** Told of each step that the server takes towards its database or its runtime: true, and it dies there, as by kill -9. */
  diesAt?: (step: string) => boolean;
  /** What stands between the server, whichever life it is in, and the tasks. */
  watch?: (runtime: TaskRuntime) => TaskRuntime;
}

export async function createWorld(test: Pick<TestContext, 'after'>, options: WorldOptions = {}): Promise<World> {
  const opened = await createMeta<OrchestratorTables>([...registryMigrations, ...taskMigrations, ...serviceMigrations]);
  const clock = createManualClock(1_700_000_000_000);
  const timers = createManualTimers(clock);
  const ids = createDistinctIds();
  const errors: unknown[] = [];
  const log: Logger = { ...silentLogger, error: (message, facts) => void errors.push([message, facts]) };
  const registry = createRegistryOf(opened as unknown as MetaStore<RegistryTables>, clock, ids);
  const repository = await registry.repositories.create(caller, 'team/web' as RepositoryName);
  const behaviours = new Map<string, Behaviour>();
  const elsewhere = new Map<string, Digest>();

  /** Pulls, which take as long as the database does. */
  const pulls = new Set<Promise<unknown>>();
  const lookUp = async (reference: string): Promise<Digest | undefined> => {
    const { host, path, tag, digest } = parseReference(reference);
    if (host !== HOST || elsewhere.has(reference)) return elsewhere.get(reference);
    const found = await registry.repositories.find(caller, path as RepositoryName);
    if (found === undefined) return undefined;
    try {
      return (await registry.images.resolve(found, digest === undefined ? { tag: tag ?? ('latest' as never) } : { digest }))
        .digest;
    } catch {
      return undefined;
    }
  };
  const simulated = createSimulatedRuntime({
    clock,
    timers,
    behaviour: (image) => behaviours.get(image) ?? {},
    resolve: async (image) => {
      const { reference } = image;
      options.onPull?.(image);
      const pull = lookUp(reference);
      pulls.add(pull);
      const digest = await pull.finally(() => pulls.delete(pull));
      return digest === undefined
        ? {
            failure: `pull image manifest has been retried 1 time(s): failed to resolve ref ${reference}: ${reference}: not found`,
          }
        : { digest };
    },
    ...(options.hosts === undefined ? {} : { hosts: options.hosts }),
  });

  const runtime = options.watch?.(simulated) ?? simulated;
  let life: Life;
  let orchestrator: Orchestrator;
  const begin = (): void => {
    life = createLife(options.diesAt ?? (() => false));
    orchestrator = createOrchestrator(
      {
        meta: life.meta(opened),
        registry,
        runtime: life.runtime(runtime),
        clock,
        ids,
        timers: life.timers(timers),
        log,
        settings: options.settings ?? {},
        ownRegistry: (host) => (host === HOST ? caller : undefined),
        readSecret: (_place, name) => Promise.resolve(options.secrets?.get(name)),
        ...(options.resolver === undefined ? {} : { resolver: options.resolver }),
      },
      createServicePart,
    );
  };
  begin();
  const comeBack = async (): Promise<void> => {
    while (life.isOver) {
      begin();
      await Promise.race([orchestrator.start(), life.over]);
    }
  };
  const settle = async (): Promise<void> => {
    for (let quiet = 0; quiet < 3; quiet++) {
      await Promise.race([orchestrator.settled(), life.over]);
      if (life.isOver || pulls.size > 0) {
        await Promise.allSettled(pulls);
        await comeBack();
        quiet = 0;
      }
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  };
  test.after(async () => {
    await orchestrator.close();
    await runtime.close();
    await opened.close();
  });
  await orchestrator!.start();
  await orchestrator!.operations.CreateCluster(caller, { clusterName: 'default' });
  return {
    get orchestrator() {
      return orchestrator;
    },
    registry,
    repository,
    runtime,
    meta: opened,
    clock,
    behaviours,
    elsewhere,
    errors,
    async push(content, ...tags) {
      const { body, digest } = imageManifest(`config of ${content}`, []);
      await addBlob(opened as unknown as MetaStore<RegistryTables>, repository, `config of ${content}`, clock.now());
      await registry.images.put(caller, repository, { body, tags: tags as never[] });
      return digest;
    },
    settle,
    advance: (milliseconds) => timers.advance(milliseconds, settle),
    async restart() {
      life.end();
      await comeBack();
      await settle();
    },
    async ask(request) {
      const { over } = life;
      return Promise.race([
        request(orchestrator),
        over.then(() => {
          throw new ServerGone('the server died before it answered');
        }),
      ]);
    },
  };
}

function createDistinctIds(): IdSource {
  let count = 0;
  return {
    uuid: () => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`,
    bytes: (length) => Buffer.from(digestOf(`bytes ${++count}`).slice('sha256:'.length), 'hex').subarray(0, length),
  };
}

/** The parts of the registry that services touch. */
function createRegistryOf(meta: MetaStore<RegistryTables>, clock: RegistryContext['clock'], ids: IdSource): Registry {
  const context: RegistryContext = { meta, clock, ids, log: silentLogger, options: defaultRegistryOptions };
  return {
    images: createImages(context, createPullTimes(context)),
    repositories: createRepositories(context),
    holds: createHolds(context),
  } as unknown as Registry;
}

async function addBlob(meta: MetaStore<RegistryTables>, repository: Repository, content: string, now: number): Promise<void> {
  const digest = digestOf(content);
  await meta.transact(async (transaction) => {
    await transaction
      .insertInto('blob')
      .values({ digest, bytes: content.length, stamp: 'test', created_at: now, corrupt_at: null, verified_at: now })
      .onConflict((conflict) => conflict.column('digest').doNothing())
      .execute();
    await transaction
      .insertInto('repository_blob')
      .values({ repository_id: repository.id, digest, lease_until: now + 1_000_000 })
      .onConflict((conflict) => conflict.columns(['repository_id', 'digest']).doNothing())
      .execute();
  });
}

export { caller };
