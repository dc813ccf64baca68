import { ContainerError, type ContainerErrorName } from '../../../core/container-error.ts';
import { digestHex, digestOf, type Digest } from '../../../core/digest.ts';
import { describeCauses, type Logger } from '../../../core/logger.ts';
import type { Timers } from '../../../core/timers.ts';
import type {
  ContainerEngine,
  ContainerExit,
  ContainerKey,
  ContainerToCreate,
  CreatedContainer,
  FoundContainer,
  TaskPlace,
} from '../../../orchestrator/container-engine.ts';
import type { ContainerStats, ImageToRun, TaskSpec } from '../../../orchestrator/ports.ts';
import { createDockerApi, DockerError } from './api.ts';
import { createBody, needsPause, pauseBody } from './create-body.ts';
import { execute } from './execute.ts';
import { exactName, imageId, pullImage, resolveByEngine, shownName } from './images.ts';
import { addressOf, bindingsOf, foundContainer, timeOf, type Inspected } from './inspected.ts';
import { readLogs } from './logs.ts';
import { containerName, LABELS, ownLabels, pauseName, volumeName } from './names.ts';
import { createPatience } from './patience.ts';
import { pauseImage } from './pause.ts';
import { watchEngine, type Watch } from './watch.ts';

export interface DockerEngineSettings {
  /** Such as `/var/run/docker.sock`, or Podman's. */
  socketPath: string;
  /** Tells this server's containers from another's on the same engine; the same for ever. */
  installation: string;
  timers: Timers;
  log: Logger;
  /** Asked for digests instead of the engine, which not every engine can tell (Podman cannot). */
  resolve?: (image: ImageToRun) => Promise<Digest>;
  /**
   * The name by which the engine reaches an image's repository, where that is not the one that people know it by: our own
   * registry is `<account>.dkr.ecr.<region>.amazonaws.com` to them, and `127.0.0.1:4600` to an engine on this machine.
   */
  pullFrom?: (reference: string) => string;
}

const END_TRIES = 20;
const END_AGAIN_MS = 100;

interface Info {
  ID: string;
  NCPU: number;
  MemTotal: number;
  Architecture: string;
  ServerVersion: string;
}

/** Containers by the Docker Engine's API, or Podman's. Nothing is asked of it before it is used. */
export function createDockerEngine({
  socketPath,
  installation,
  timers,
  log,
  resolve,
  pullFrom,
}: DockerEngineSettings): ContainerEngine {
  const api = createDockerApi(socketPath);
  const patience = createPatience(timers);
  /** Those that are known to run, so that an end that was missed is noticed. */
  const running = new Map<string, { key: ContainerKey; startedAt: number | undefined }>();
  /** When the last run of a container began, by its name. */
  const lastStarts = new Map<string, number>();
  let listener: ((exit: ContainerExit) => void) | undefined;
  let watch: Watch | undefined;
  let info: Promise<Info> | undefined;
  let pause: Promise<string> | undefined;

  const reachable = <Image extends ImageToRun>(image: Image): Image =>
    pullFrom === undefined ? image : { ...image, reference: pullFrom(image.reference) };
  const engineInfo = (): Promise<Info> => {
    info ??= api
      .call<Info>('/info')
      .then((answer) => answer ?? Promise.reject(new Error(`the engine at ${socketPath} says nothing of itself`)));
    info.catch(() => (info = undefined));
    return info;
  };
  const pauseId = async (): Promise<string> => {
    const { Architecture: architecture } = await engineInfo();
    pause ??= pauseImage(api, ecsArchitecture(architecture));
    pause.catch(() => (pause = undefined));
    return pause;
  };
  const inspect = (name: string): Promise<Inspected | undefined> =>
    api.call<Inspected>(`/containers/${encodeURIComponent(name)}/json`, { also: [404] });

  /** Tells the end of a container's last run, if it has come to it. */
  const tellEnd = (found: FoundContainer): void => {
    running.delete(found.runtimeId);
    const { taskId, name, exitCode, outOfMemory, finishedAt, startedAt } = found;
    const at = finishedAt ?? startedAt ?? 0;
    listener?.({ taskId, name, outOfMemory, at, ...(exitCode === undefined ? {} : { exitCode }) });
  };
  const lookAt = async (engineId: string): Promise<void> => {
    const inspected = await patience.wait(() => inspect(engineId));
    const found = inspected === undefined ? undefined : foundContainer(inspected);
    if (found?.state === 'exited') tellEnd(found);
    const known = running.get(engineId);
    if (inspected !== undefined || known === undefined) return;
    running.delete(engineId);
    listener?.({ ...known.key, outOfMemory: false, at: known.startedAt ?? 0 });
  };
  /** After the news of an end: Podman may tell it a moment before its own books have it. */
  const lookForEnd = async (engineId: string, tries = END_TRIES): Promise<void> => {
    await lookAt(engineId);
    if (tries > 0 && running.has(engineId)) timers.after(END_AGAIN_MS, () => void lookForEnd(engineId, tries - 1).catch(unheard));
  };
  const lookAtAll = async (): Promise<void> => {
    await Promise.all([...running.keys()].map(lookAt));
  };
  const unheard = (error: unknown): void =>
    log.warn('the end of a container could not be looked at; the next look will tell it', { causes: describeCauses(error) });

  async function list(): Promise<FoundContainer[]> {
    const query = { all: true, filters: ofInstallation() };
    const rows = await patience.wait(() => api.call<{ Id: string }[]>('/containers/json', { query }));
    const found: FoundContainer[] = [];
    // Looked at one after another in eight rows, so that thousands do not fall upon the engine together.
    const queue = [...(rows ?? [])];
    const work = async (): Promise<void> => {
      for (let row = queue.pop(); row !== undefined; row = queue.pop()) {
        const inspected = await patience.wait(() => inspect(row.Id));
        const container = inspected === undefined ? undefined : foundContainer(inspected);
        if (container === undefined) continue;
        found.push(container);
        if (container.state === 'running') running.set(container.runtimeId, { key: container, startedAt: container.startedAt });
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    return found;
  }
  const ofInstallation = (taskId?: string): { label: string[] } => ({
    label: [`${LABELS.installation}=${installation}`, ...(taskId === undefined ? [] : [`${LABELS.task}=${taskId}`])],
  });

  const removeContainer = async (name: string): Promise<void> => {
    await api.call(`/containers/${encodeURIComponent(name)}`, {
      method: 'DELETE',
      query: { force: true, v: true },
      also: [404, 409],
    });
  };

  async function placeOf(task: TaskSpec): Promise<TaskPlace> {
    if (needsPause(task)) {
      const body = pauseBody(task, await pauseId(), installation);
      await makeContainer(pauseName(task.id), body);
      await api.call(`/containers/${pauseName(task.id)}/start`, { method: 'POST', also: [304] });
    }
    if (task.networkMode === 'none') return {};
    if (task.networkMode === 'host') return { hostAddress: '127.0.0.1' };
    const bridge = await api.call<{ IPAM?: { Config?: { Gateway?: string }[] | null } }>('/networks/bridge', { also: [404] });
    const gateway = bridge?.IPAM?.Config?.find(({ Gateway: address }) => address?.includes('.'))?.Gateway;
    const reach = gateway === undefined ? {} : { hostAddress: gateway };
    if (task.networkMode === 'bridge') return reach;
    const address = addressOf((await inspect(pauseName(task.id))) ?? missing(pauseName(task.id)));
    if (address === undefined) throw new Error('the engine gave the task no address');
    return { ...reach, networkInterface: { privateIpv4Address: address.ipv4, macAddress: address.mac ?? '' } };
  }

  /** Its id; one of the same name is the one of before. */
  async function makeContainer(name: string, body: Record<string, unknown>): Promise<string> {
    try {
      const made = await api.call<{ Id: string }>('/containers/create', { method: 'POST', query: { name }, body });
      if (made !== undefined) return made.Id;
    } catch (error) {
      // Podman answers 500.
      if (!(error instanceof DockerError) || !(error.status === 409 || error.message.includes('already in use'))) throw error;
    }
    return ((await inspect(name)) ?? missing(name)).Id;
  }

  async function create(task: TaskSpec, { spec, image: wantedImage }: ContainerToCreate): Promise<CreatedContainer> {
    const image = reachable(wantedImage);
    const { NCPU: cpus } = await engineInfo();
    const name = containerName({ taskId: task.id, name: spec.name });
    const wanted = await imageId(api, exactName(image));
    if (wanted === undefined) throw new DockerError(404, `No such image: ${exactName(image)}`);
    const make = (from: string) => makeContainer(name, createBody(task, spec, from, { installation, cpus }));
    const shown = await make(shownName(image));
    if ((await inspect(shown))?.Image === wanted) return { runtimeId: shown };
    // Its name has been given to another image meanwhile: only the digest counts.
    await removeContainer(shown);
    return { runtimeId: await make(exactName(image)) };
  }

  /** Starts it once: after an answer that did not come, whether it ran is asked before it is started again. */
  async function begin(name: string): Promise<Inspected> {
    let isSure = true;
    return patience.wait(async () => {
      if (!isSure) {
        const there = (await inspect(name)) ?? missing(name);
        const startedAt = there.State.Status === 'created' ? undefined : timeOf(there.State.StartedAt);
        if (startedAt !== undefined && startedAt !== lastStarts.get(name)) {
          // Its end, if it has come to it, was told while nobody listened.
          setImmediate(() => void lookAt(there.Id).catch(unheard));
          return there;
        }
      }
      isSure = false;
      await api.call(`/containers/${name}/start`, { method: 'POST', also: [304] });
      return (await inspect(name)) ?? missing(name);
    });
  }

  async function send(key: ContainerKey, signal: 'stop' | 'SIGKILL'): Promise<void> {
    const inspected = await inspect(containerName(key));
    if (inspected?.State.Running !== true) return;
    const name = signal === 'stop' ? inspected.Config.StopSignal || 'SIGTERM' : signal;
    await api.call(`/containers/${inspected.Id}/kill`, { method: 'POST', query: { signal: name }, also: [404, 409] });
  }

  async function remove(taskId: string): Promise<void> {
    const filters = ofInstallation(taskId);
    const rows = await api.call<{ Id: string; Names?: string[] }[]>('/containers/json', { query: { all: true, filters } });
    const pauseRow = await inspect(pauseName(taskId));
    for (const { Id, Names = [] } of rows ?? []) {
      if (Id !== pauseRow?.Id) await removeContainer(Id);
      for (const name of Names) lastStarts.delete(name.slice(1));
    }
    if (pauseRow !== undefined) await removeContainer(pauseRow.Id);
    const volumes = await api.call<{ Volumes?: { Name: string }[] | null }>('/volumes', { query: { filters } });
    for (const { Name } of volumes?.Volumes ?? [])
      await api.call(`/volumes/${encodeURIComponent(Name)}`, { method: 'DELETE', also: [404] });
  }

  return {
    name: 'docker',
    async host() {
      const { ID, NCPU, MemTotal, Architecture, ServerVersion } = await engineInfo();
      return {
        id: digestHex(digestOf(`docker ${ID}`)).slice(0, 32),
        cpu: NCPU * 1024,
        memory: Math.floor(MemTotal / 1024 / 1024),
        attributes: { 'ecs.os-type': 'linux', 'ecs.os-family': 'LINUX', 'ecs.cpu-architecture': ecsArchitecture(Architecture) },
        engineVersion: `DockerVersion: ${ServerVersion}`,
        isReachable: watch?.isAway() !== true,
      };
    },
    observe(next) {
      listener = next;
      watch ??= watchEngine(
        api,
        installation,
        { timers, log },
        { heard: () => void lookAtAll().catch(unheard), died: (id) => void lookForEnd(id).catch(unheard) },
      );
    },

    resolve: (image) => (resolve === undefined ? resolveByEngine(api, reachable(image)) : resolve(image)),
    pull: (image, signal) => patience.wait(() => pullImage(api, reachable(image), signal)),

    async prepare(task) {
      await inWords('CannotCreateVolumeError', async () => {
        for (const { name, hostPath, shared } of task.volumes) {
          if (hostPath !== undefined) continue;
          const body =
            shared === undefined
              ? { Name: volumeName(task.id, name), Labels: ownLabels(installation, task.id) }
              : { Name: shared.name };
          await patience.wait(() => api.call('/volumes/create', { method: 'POST', body }));
        }
      });
      return inWords('ContainerNetworkingError', () => patience.wait(() => placeOf(task)));
    },

    create: (task, container) => inWords('CannotCreateContainerError', () => patience.wait(() => create(task, container))),

    start: (key) =>
      inWords('CannotStartContainerError', async () => {
        const name = containerName(key);
        const inspected = await begin(name);
        const startedAt = timeOf(inspected.State.StartedAt) ?? 0;
        lastStarts.set(name, startedAt);
        const address = addressOf(inspected);
        if (inspected.State.Running) running.set(inspected.Id, { key, startedAt });
        return { startedAt, networkBindings: bindingsOf(inspected), ...(address === undefined ? {} : { address }) };
      }),

    // SIGKILL comes again by itself, so that there is time for the other signal once the engine is back.
    signal: (key, signal) =>
      inWords('CannotStopContainerError', () =>
        signal === 'SIGKILL' ? send(key, signal) : patience.wait(() => send(key, signal)),
      ),

    // Not to be asked is no bad sign of a container's health.
    exec: (key, command) =>
      inWords('CannotStartContainerError', () => patience.wait(() => execute(api, timers, containerName(key), command))),
    list,
    async *logs(key, options) {
      const inspected = await inspect(containerName(key));
      if (inspected !== undefined) yield* readLogs(api, key.name, inspected, options);
    },
    async stats(key) {
      const name = containerName(key);
      const stats = await api.call<ContainerStats>(`/containers/${name}/stats`, { query: { stream: false }, also: [404, 409] });
      // One that does not run is answered with empty numbers.
      const processes = stats?.['pids_stats'] as { current?: number } | undefined;
      return processes?.current === undefined ? undefined : stats;
    },

    async release(taskId) {
      // It is only stopped: Podman removes no container that others point to.
      const path = `/containers/${pauseName(taskId)}/stop`;
      await patience.wait(() => api.call(path, { method: 'POST', query: { t: 0 }, also: [304, 404] }));
    },
    remove: (taskId) => patience.wait(() => remove(taskId)),
    close() {
      patience.close();
      watch?.close();
      api.close();
      return Promise.resolve();
    },
  };
}

/** Docker says it as the kernel does, Podman as Go does, ECS in a way of its own. */
function ecsArchitecture(architecture: string): string {
  return { amd64: 'x86_64', aarch64: 'arm64' }[architecture] ?? architecture;
}

function missing(name: string): Inspected {
  throw new DockerError(404, `the container ${name} was removed by somebody else`);
}

/** The engine's refusals as failures of the container, in its own words; anything else goes on as it is. */
async function inWords<T>(code: ContainerErrorName, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof DockerError)
      throw new ContainerError(code, `Error response from daemon: ${error.message}`, { cause: error });
    throw error;
  }
}
