import { join } from 'node:path';
import { ConfigError, type ServerConfig } from './config.ts';
import { createHash } from 'node:crypto';
import type { Clock } from './core/clock.ts';
import type { IdSource } from './core/ids.ts';
import type { Logger } from './core/logger.ts';
import type { Timers } from './core/timers.ts';
import type { ImageSource } from './drivers/runtime/oci/image-source.ts';
import { createNoRuntime } from './drivers/runtime/none.ts';
import type { ContainerEngine } from './orchestrator/container-engine.ts';
import type { TaskRuntime } from './orchestrator/ports.ts';
import type { Supervisor } from './orchestrator/supervise/supervisor.ts';

export interface RuntimeParts {
  clock: Clock;
  ids: IdSource;
  timers: Timers;
  log: Logger;
  images: ImageSource;
  /** The name by which an engine on this machine reaches an image that people know by another. */
  pullFrom: (reference: string) => string;
  /** Where containers that see this machine at an address reach the metadata endpoint. */
  serverAddress: (hostAddress: string) => Promise<string | undefined>;
  env: Record<string, string | undefined>;
}

/** What runs tasks, and the supervisor in it where containers are real. */
export interface OpenedRuntime {
  runtime: TaskRuntime;
  supervisor?: Supervisor;
}

/**
 * What HOLDFAST_RUNTIME names. `auto`: Docker if its socket answers, else crun or runc if this machine can, else nothing,
 * and the log says why. Raises an Error that says what to do when what was asked for by name is not there, and ConfigError for
 * what cannot be asked for.
 */
export async function openRuntime(config: ServerConfig, parts: RuntimeParts): Promise<OpenedRuntime> {
  switch (config.runtime) {
    case 'none':
      return { runtime: createNoRuntime() };
    case 'simulated': {
      const { createSimulatedRuntime } = await import('./drivers/runtime/simulated.ts');
      const { clock, timers, images } = parts;
      return {
        runtime: createSimulatedRuntime({
          clock,
          timers,
          resolve: async (image) => {
            if (image.digest !== undefined) return { digest: image.digest };
            try {
              return { digest: await images.resolve(image) };
            } catch (error) {
              return { failure: error instanceof Error ? error.message : String(error) };
            }
          },
        }),
      };
    }
    case 'docker':
      return supervise(config, parts, await openDocker(config, parts));
    case 'oci':
      return supervise(config, parts, await openOci(config, parts));
    case 'auto':
      return openAny(config, parts);
    case 'kubernetes':
      throw new ConfigError(
        'HOLDFAST_RUNTIME=kubernetes is not supported. Set it to oci or docker, which run containers on this machine, or to simulated or none.',
      );
  }
}

async function openAny(config: ServerConfig, parts: RuntimeParts): Promise<OpenedRuntime> {
  const reasons: string[] = [];
  for (const open of [openDocker, openOci]) {
    try {
      const engine = await open(config, parts);
      const { engineVersion = '' } = await engine.host();
      parts.log.info('tasks run in containers', { engine: engine.name, version: engineVersion });
      return await supervise(config, parts, engine);
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  parts.log.warn('this server runs no containers; HOLDFAST_RUNTIME=simulated plays them', { reasons });
  return { runtime: createNoRuntime() };
}

async function openDocker(config: ServerConfig, { timers, log, images, pullFrom, env }: RuntimeParts): Promise<ContainerEngine> {
  const host = env['DOCKER_HOST'] ?? '';
  if (host !== '' && !host.startsWith('unix://'))
    throw new ConfigError(`DOCKER_HOST=${host.slice(0, 200)} is not of this machine. Tasks run where the server is: unset it.`);
  const socketPath = host === '' ? '/var/run/docker.sock' : host.slice('unix://'.length);
  const { createDockerEngine } = await import('./drivers/runtime/docker/engine.ts');
  const engine = createDockerEngine({
    socketPath,
    installation: createHash('sha256').update(config.dataFolder).digest('hex').slice(0, 12),
    timers,
    log,
    resolve: (image) => images.resolve(image),
    pullFrom,
  });
  try {
    await engine.host();
    return engine;
  } catch (error) {
    await engine.close();
    throw new Error(
      `No Docker Engine answers at ${socketPath} (${error instanceof Error ? error.message : String(error)}). Start it, or set DOCKER_HOST.`,
      { cause: error },
    );
  }
}

async function openOci(config: ServerConfig, { clock, ids, log, images }: RuntimeParts): Promise<ContainerEngine> {
  const { openOciEngine } = await import('./drivers/runtime/oci/oci-engine.ts');
  try {
    return await openOciEngine({ folder: join(config.dataFolder, 'oci'), images, clock, ids, log });
  } catch (error) {
    throw new Error(`Containers cannot be run by crun or runc here: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** Lets the engine go when that fails. */
async function supervise(config: ServerConfig, parts: RuntimeParts, engine: ContainerEngine): Promise<OpenedRuntime> {
  const { createSupervisor } = await import('./orchestrator/supervise/supervisor.ts');
  const { createFileTaskRecords } = await import('./drivers/runtime/task-records.ts');
  const { clock, timers, ids, log, serverAddress } = parts;
  const records = createFileTaskRecords(join(config.dataFolder, 'tasks'));
  try {
    const supervisor = await createSupervisor({ engine, records, clock, timers, ids, log, serverAddress });
    return { runtime: supervisor, supervisor };
  } catch (error) {
    await engine.close();
    throw error;
  }
}
