import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import type { Digest } from '../../../core/digest.ts';
import { ContainerError } from '../../../core/container-error.ts';
import type { IdSource } from '../../../core/ids.ts';
import type { Logger } from '../../../core/logger.ts';
import type { ContainerEngine, ContainerExit, ContainerKey, TaskPlace } from '../../../orchestrator/container-engine.ts';
import type { TaskSpec } from '../../../orchestrator/ports.ts';
import { parseBounds } from './capabilities.ts';
import { findCgroups } from './cgroups.ts';
import { readLogs, turnOver } from './container-logs.ts';
import { createContainerRunner } from './container-runner.ts';
import { readBootId } from './container-run.ts';
import { readContainerStats } from './container-stats.ts';
import { createContainer, volumePath } from './create-container.ts';
import { errorCode } from './error-code.ts';
import { execInContainer } from './exec.ts';
import { createHostPorts } from './host-ports.ts';
import type { ImageSource } from './image-source.ts';
import { openImageStore } from './image-store.ts';
import { openLayerStore } from './layer-store.ts';
import { describeMachine, findRuntimes } from './machine.ts';
import { createNetworks } from './networks.ts';
import { chooseRuntime } from './probe.ts';
import { openRecords, sharedKey, type ContainerRecord, type TaskRecord } from './records.ts';
import { closeSharedNamespaces, openSharedNamespaces } from './shared-namespaces.ts';
import * as os from 'node:os';

export interface OciEngineOptions {
  /** Of this engine alone, on a file system that overlayfs can write to; made where it is missing. */
  folder: string;
  images: ImageSource;
  clock: Clock;
  ids: IdSource;
  log: Logger;
  /** Path or name of crun or runc; found when absent. */
  binary?: string;
  /** Port of the server on this machine's loopback, which containers then reach at the address of their bridge. */
  loopbackPort?: () => number | undefined;
  /** Bytes of each stream of a container that are kept before it is turned over; twice as many at most are on disk. */
  logBytes?: number;
}

interface Task {
  record: TaskRecord;
  containers: Map<string, ContainerRecord>;
}

const LOG_BYTES = 10 * 1024 * 1024;
const SIGKILL = 9;

/**
 * Containers by crun or runc, overlayfs and the kernel's own networks; no daemon. Needs root. Raises
 * `ResourceInitializationError` that says what the machine lacks.
 */
export async function openOciEngine(options: OciEngineOptions): Promise<ContainerEngine> {
  const { images: source, clock, ids, log } = options;
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const folder = await fs.realpath(options.folder);
  const runtimes = await findRuntimes(options.binary);
  const bootId = readBootId();
  const stateFolder = `${folder}/runtime`;
  const cgroups = findCgroups();
  const runtime = await chooseRuntime(runtimes, { folder, stateFolder, ids, cgroups, log });
  const bounds = parseBounds(await fs.readFile('/proc/self/status', 'utf8'));
  const records = openRecords(folder);
  const sharedVolumes = `${folder}/volumes`;
  const layers = await openLayerStore({ folder, ids, log, bootId });
  const images = await openImageStore({ folder, layers, source, architecture: os.arch(), clock });
  const networks = createNetworks({ folder, loopbackPort: options.loopbackPort, log });
  const ports = createHostPorts();
  const installation = createHash('sha256').update(folder).digest('hex').slice(0, 12);
  const tasks = new Map<string, Task>();
  let listener: (exit: ContainerExit) => void = () => undefined;
  const runner = createContainerRunner({
    stateFolder,
    cgroups,
    clock,
    log,
    onExit: (exit) => listener(exit),
    onRound: (container) =>
      void turnOver(container, options.logBytes ?? LOG_BYTES).catch((error: unknown) =>
        log.warn('a log could not be turned over', { folder: container, error: String(error) }),
      ),
  });

  const emptyRecord = (taskId: string, networkMode: string): TaskRecord => ({
    taskId,
    networkMode,
    cgroupsPath: `/holdfast/${installation}/${taskId}`,
  });

  for (const { taskId, task, containers } of await records.load(runtime.path)) {
    const record = task ?? emptyRecord(taskId, 'none');
    tasks.set(taskId, { record, containers: new Map(containers.map((container) => [container.name, container])) });
    for (const attachment of [record.attachment, ...containers.map((container) => container.attachment)])
      if (attachment !== undefined) networks.take(attachment);
    for (const container of containers) if (container.attachment !== undefined) ports.take(container.networkBindings);
  }
  let adopted: Promise<void> | undefined;
  /** Not before there is a listener: no end may be lost. */
  function adopt(): Promise<void> {
    adopted ??= (async () => {
      for (const { containers } of tasks.values())
        for (const container of containers.values()) await runner.adopt(container, records.containerFolder(container));
      // The server may have been killed before it came to that.
      for (const task of tasks.values()) if (task.record.isReleased) tidyCgroups(task);
    })();
    return adopted;
  }

  function find({ taskId, name }: ContainerKey): ContainerRecord | undefined {
    return tasks.get(taskId)?.containers.get(name);
  }

  async function prepare(task: TaskSpec): Promise<TaskPlace> {
    await adopt();
    const there = tasks.get(task.id)?.record;
    if (there?.hostAddress !== undefined || (there !== undefined && task.networkMode === 'none')) return placeOf(there);
    await fs.mkdir(`${records.taskFolder(task.id)}/volumes`, { recursive: true, mode: 0o700 });
    const record = there ?? emptyRecord(task.id, task.networkMode);
    tasks.set(task.id, tasks.get(task.id) ?? { record, containers: new Map() });
    await records.saveTask(record);
    await makeVolumes(task);
    if (task.pidMode === 'task' || task.ipcMode === 'task') {
      // Written down first: what a crash leaves is then found, and taken away with the rest.
      record.holder = 0;
      await records.saveTask(record);
      record.holder = await openSharedNamespaces(records.taskFolder(task.id), sharedKey(record));
    }
    await cgroups.limit(record.cgroupsPath, task).catch((error: unknown) => {
      throw new ContainerError('CannotCreateContainerError', `the limits of the task cannot be set: ${String(error)}`, {
        cause: error,
      });
    });
    if (task.networkMode === 'host') record.hostAddress = '127.0.0.1';
    if (task.networkMode === 'bridge') record.hostAddress = await networks.gateway();
    if (task.networkMode === 'awsvpc') {
      record.attachment ??= await networks.plan(task.id);
      await records.saveTask(record);
      await networks.connect(record.attachment);
      record.hostAddress = await networks.gateway();
    }
    await records.saveTask(record);
    return placeOf(record);
  }

  async function makeVolumes(task: TaskSpec): Promise<void> {
    for (const { name } of task.volumes) {
      const path = volumePath(records.taskFolder(task.id), sharedVolumes, task, name);
      try {
        await fs.mkdir(path, { recursive: true });
      } catch (error) {
        if (errorCode(error) === 'EEXIST') continue;
        throw new ContainerError(
          'CannotCreateVolumeError',
          `volume ${name}: ${error instanceof Error ? error.message : String(error)}`,
          {
            cause: error,
          },
        );
      }
    }
  }

  async function release(taskId: string): Promise<void> {
    const task = tasks.get(taskId);
    if (task === undefined) return;
    for (const container of task.containers.values()) {
      if (container.hasSecrets) await records.removeSecrets(container);
      if (container.attachment === undefined) continue;
      await networks.unpublish(container.published);
      ports.release(container.networkBindings);
      await networks.disconnect(container.attachment);
      delete container.attachment;
      container.published = [];
      await records.saveContainer(container);
    }
    if (task.record.attachment !== undefined) {
      await networks.disconnect(task.record.attachment);
      delete task.record.attachment;
    }
    if (task.record.holder !== undefined) {
      await closeSharedNamespaces(records.taskFolder(taskId), sharedKey(task.record));
      delete task.record.holder;
    }
    task.record.isReleased = true;
    await records.saveTask(task.record);
    tidyCgroups(task);
  }

  /** Nobody waits for this: the runtime may still be tidying up. What stays goes with the next start, or when the task is forgotten. */
  function tidyCgroups(task: Task): void {
    void removeCgroups(task).catch((error: unknown) =>
      log.debug('cgroups of a stopped task stay for now', { task: task.record.taskId, error: String(error) }),
    );
  }

  async function removeCgroups({ record, containers }: Task): Promise<void> {
    for (const container of containers.values()) {
      await runner.settled(container.id);
      await cgroups.remove(container.cgroupsPath);
    }
    await cgroups.remove(record.cgroupsPath);
  }

  function* layersOfContainers(): Generator<Digest> {
    const byPath = new Map([...layers.sizes().keys()].map((diffId) => [layers.pathOf(diffId), diffId]));
    for (const { record, containers } of tasks.values())
      for (const { layers: stack } of record.isReleased ? [] : containers.values())
        for (const { path } of stack) {
          const diffId = byPath.get(path);
          if (diffId !== undefined) yield diffId;
        }
  }

  const engine: ContainerEngine = {
    name: 'oci',
    host: () => describeMachine(folder, ids, runtime),
    observe(next) {
      listener = next;
      void adopt().catch((error: unknown) =>
        log.error('containers of before could not be found again', { error: String(error) }),
      );
    },
    resolve: (image) => source.resolve(image),
    async pull(image) {
      await images.pull(image);
    },
    prepare,
    async create(spec, container) {
      await adopt();
      const task = tasks.get(spec.id);
      if (task === undefined) throw new ContainerError('CannotCreateContainerError', 'the task has not been prepared');
      const there = task.containers.get(container.spec.name);
      if (there !== undefined) return { runtimeId: there.id };
      const image = await images.find(container.image.digest);
      if (image === undefined)
        throw new ContainerError('CannotCreateContainerError', `the image ${container.image.digest} has not been pulled`);
      const deps = { runtime: runtime.path, records, layers, networks, ports, cgroups, ids, sharedVolumes, bounds };
      const record = await createContainer(deps, spec, task.record, container, image, [...task.containers.values()]);
      task.containers.set(record.name, record);
      return { runtimeId: record.id };
    },
    async start(key) {
      const record = find(key);
      if (record === undefined) throw new ContainerError('CannotStartContainerError', 'there is no such container');
      const { startedAt } = await runner.start(record, records.containerFolder(key));
      return { startedAt, networkBindings: record.networkBindings, ...addressOf(record) };
    },
    async signal(key, signal) {
      const record = find(key);
      if (record !== undefined) await runner.signal(record, signal === 'stop' ? record.stopSignal : SIGKILL);
    },
    async exec(key, command) {
      const record = find(key);
      if (record === undefined || !runner.isRunning(record.id))
        throw new ContainerError('CannotStartContainerError', 'the container does not run');
      return execInContainer({ stateFolder, ids, record, folder: records.containerFolder(key) }, command);
    },
    async list() {
      await adopt();
      return [...tasks.values()].flatMap(({ containers }) =>
        [...containers.values()].map((record) => {
          const seen = runner.state(record.id);
          return {
            taskId: record.taskId,
            name: record.name,
            runtimeId: record.id,
            state: seen === undefined ? 'created' : seen.end === undefined ? 'running' : 'exited',
            ...(seen?.startedAt === undefined ? {} : { startedAt: seen.startedAt }),
            ...(seen?.end === undefined ? {} : { finishedAt: seen.end.at }),
            ...(seen?.end?.exitCode === undefined ? {} : { exitCode: seen.end.exitCode }),
            outOfMemory: seen?.end?.outOfMemory ?? false,
            networkBindings: record.networkBindings,
            ...addressOf(record),
          };
        }),
      );
    },
    async *logs(key, request) {
      const record = find(key);
      if (record === undefined) return;
      yield* readLogs(records.containerFolder(key), key.name, request, () => runner.isRunning(record.id));
    },
    async stats(key) {
      const record = find(key);
      if (record === undefined || !runner.isRunning(record.id)) return undefined;
      const link = record.attachment?.link ?? tasks.get(key.taskId)?.record.attachment?.link;
      return readContainerStats(cgroups, record, link, clock.now());
    },
    release,
    async remove(taskId) {
      await adopt();
      const task = tasks.get(taskId);
      if (task !== undefined) {
        for (const container of task.containers.values()) {
          await runner.signal(container, SIGKILL);
          await runner.settled(container.id);
          runner.forget(container.id);
        }
        await release(taskId);
        await removeCgroups(task);
      }
      await records.removeTask(taskId);
      tasks.delete(taskId);
    },
    collectImages: (request) => images.collect({ ...request, held: () => layersOfContainers() }),
    async close() {
      runner.close();
      ports.close();
      await networks.close();
      if (tasks.size === 0) await cgroups.remove(`/holdfast/${installation}`);
      await layers.close();
    },
  };
  return engine;
}

function placeOf({ attachment, hostAddress }: TaskRecord): TaskPlace {
  return {
    ...(attachment === undefined
      ? {}
      : { networkInterface: { privateIpv4Address: attachment.address, macAddress: attachment.mac } }),
    ...(hostAddress === undefined ? {} : { hostAddress }),
  };
}

function addressOf({ attachment }: ContainerRecord): { address?: { ipv4: string; mac: string } } {
  return attachment === undefined ? {} : { address: { ipv4: attachment.address, mac: attachment.mac } };
}
