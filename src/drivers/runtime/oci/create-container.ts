import { chmodSync, lchownSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { posix } from 'node:path';
import { ContainerError } from '../../../core/container-error.ts';
import type { IdSource } from '../../../core/ids.ts';
import type { ContainerToCreate } from '../../../orchestrator/container-engine.ts';
import type { ContainerSpec, TaskSpec } from '../../../orchestrator/ports.ts';
import type { Cgroups } from './cgroups.ts';
import { errorCode } from './error-code.ts';
import { buildHostFiles, readMachineFiles } from './host-files.ts';
import type { HostPorts } from './host-ports.ts';
import type { StoredImage } from './image-store.ts';
import { findUser } from './image-user.ts';
import type { LayerStore } from './layer-store.ts';
import { createLayerView, type LayerView } from './layer-view.ts';
import { NAMESPACE_FOLDER, type Networks } from './networks.ts';
import { sharedMemoryPath } from './shared-namespaces.ts';
import { layersOf, sharedKey, type ContainerRecord, type Records, type TaskRecord } from './records.ts';
import { run } from './run.ts';
import { buildRuntimeSpec, type Bind, type Device } from './runtime-spec.ts';

export interface CreateDeps {
  /** Path of crun or runc. */
  runtime: string;
  records: Records;
  layers: LayerStore;
  networks: Networks;
  ports: HostPorts;
  cgroups: Cgroups;
  ids: IdSource;
  sharedVolumes: string;
  bounds: ReadonlySet<string>;
}

const INITS = ['/usr/bin/tini-static', '/usr/bin/docker-init', '/usr/bin/catatonit', '/usr/libexec/podman/catatonit'];

/**
 * Makes a container's folder: its layers by links, so that the options of the overlay stay short and hold no path of anybody
 * else's, its network, its config. The record is there before anything that would have to be taken away again.
 *
 * What only makes entries in the page cache is done at once: a start waits for all of it, and each turn through another thread takes
 * longer than the work.
 */
export async function createContainer(
  deps: CreateDeps,
  task: TaskSpec,
  taskRecord: TaskRecord,
  { spec }: ContainerToCreate,
  image: StoredImage,
  siblings: ContainerRecord[],
): Promise<ContainerRecord> {
  const folder = deps.records.containerFolder({ taskId: task.id, name: spec.name });
  await fs.rm(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of ['work', 'rootfs', 'runs', 'empty']) mkdirSync(`${folder}/${name}`, { mode: 0o700 });
  mkdirSync(`${folder}/upper`, { mode: 0o755 });
  const id = Buffer.from(deps.ids.bytes(32)).toString('hex');
  const layers = await stackLayers(deps, image);
  for (const [index, layer] of layers.entries()) symlinkSync(layer.path, `${folder}/${index}`);
  // What a container writes at its root is for all its accounts to reach, as the image has it.
  const top = layers[0];
  if (top !== undefined) copyOwner(top.path, `${folder}/upper`);
  if (spec.interactive || spec.pseudoTerminal) await makeInput(folder);

  const isHostNetwork = task.networkMode === 'host' && !spec.disableNetworking;
  const ownsAddress = task.networkMode === 'bridge' && !spec.disableNetworking;
  const attachment = ownsAddress ? await deps.networks.plan(`${task.id}/${spec.name}`) : undefined;
  const joined = attachment ?? (spec.disableNetworking ? undefined : taskRecord.attachment);
  const bindings = ownsAddress
    ? await deps.ports.claim(spec.portMappings).catch(async (error: unknown) => {
        if (attachment !== undefined) await deps.networks.disconnect(attachment);
        throw error;
      })
    : ownPorts(spec, isHostNetwork);
  const record: ContainerRecord = {
    taskId: task.id,
    name: spec.name,
    id,
    runtime: deps.runtime,
    stopSignal: image.config.stopSignal,
    cgroupsPath: `${taskRecord.cgroupsPath}/${id}`,
    layers,
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, additionalGids: [] },
      args: [],
      env: [],
      cwd: '/',
      capabilities: {},
      rlimits: [],
      noNewPrivileges: false,
    },
    binds: [],
    ...(attachment === undefined ? {} : { attachment }),
    networkBindings: bindings,
    published:
      attachment === undefined
        ? []
        : bindings.map(({ protocol, hostPort, containerPort }) => ({
            protocol,
            hostPort,
            containerPort,
            address: attachment.address,
          })),
    sharesProcesses: task.pidMode !== undefined,
    input: spec.pseudoTerminal ? 'terminal' : spec.interactive ? 'open' : 'closed',
    hasSecrets: spec.secrets !== undefined,
  };
  try {
    const hostname = spec.hostname || (isHostNetwork ? os.hostname() : id.slice(0, 12));
    const view = createLayerView(layersOf(record));
    const user = await findUser(view, spec.user || image.config.user);
    record.binds = [...(await makeImageVolumes(folder, image, spec)), ...(await chooseVolumes(deps, task, spec, siblings))];
    await fillVolumes(folder, view, task, image, spec, record.binds);
    const runtimeSpec = buildRuntimeSpec({
      task,
      spec,
      image: image.config,
      user,
      hostname,
      cgroupsPath: record.cgroupsPath,
      network: isHostNetwork
        ? { kind: 'host' }
        : joined === undefined
          ? { kind: 'own' }
          : { kind: 'join', path: `${NAMESPACE_FOLDER}/${joined.namespace}` },
      binds: [...(await writeHostFiles(folder, spec, hostname, joined?.address, isHostNetwork, siblings)), ...record.binds],
      devices: await findDevices(spec),
      ...(spec.initProcessEnabled ? await findInit() : {}),
      ...(taskRecord.holder === undefined
        ? {}
        : { shared: { holder: taskRecord.holder, memory: sharedMemoryPath(sharedKey(taskRecord)) } }),
      bounds: deps.bounds,
      hasCgroupNamespace: deps.cgroups.version === 2,
      architecture: os.arch(),
      mostOpenFiles: readOpenFilesLimit(),
    });
    record.process = runtimeSpec.process;
    writeFileSync(`${folder}/config.json`, JSON.stringify(runtimeSpec), { mode: 0o600 });
    await deps.records.saveContainer(record);
    if (attachment !== undefined) await deps.networks.connect(attachment);
    await deps.networks.publish(record.published);
  } catch (error) {
    if (attachment !== undefined) await deps.networks.disconnect(attachment);
    if (ownsAddress) deps.ports.release(bindings);
    await fs.rm(folder, { recursive: true, force: true });
    throw error;
  }
  return record;
}

/** From the top down, and no further than a layer that hides everything below it. */
async function stackLayers({ layers }: CreateDeps, image: StoredImage): Promise<ContainerRecord['layers']> {
  const stack: ContainerRecord['layers'] = [];
  for (const diffId of [...image.config.diffIds].reverse()) {
    const layer = await layers.find(diffId);
    if (layer === undefined) throw new ContainerError('CannotCreateContainerError', `layer ${diffId} of the image has gone`);
    const opaque = layer.opaque.map((path) => Buffer.from(path, 'base64').toString('utf8'));
    // The same layer twice would be refused by overlayfs, and the lower one shows nothing of its own.
    const path = layers.pathOf(diffId);
    if (!stack.some((other) => other.path === path)) stack.push({ path, opaque });
    if (opaque.includes('')) break;
  }
  return stack;
}

/** `awsvpc`, `host`: the container has the port that it says. */
function ownPorts(spec: ContainerSpec, isHostNetwork: boolean): ContainerRecord['networkBindings'] {
  if (!isHostNetwork) return [];
  return spec.portMappings.map(({ containerPort, protocol }) => ({
    bindIp: '0.0.0.0',
    containerPort,
    hostPort: containerPort,
    protocol,
  }));
}

async function writeHostFiles(
  folder: string,
  spec: ContainerSpec,
  hostname: string,
  address: string | undefined,
  isHostNetwork: boolean,
  siblings: ContainerRecord[],
): Promise<Bind[]> {
  const links = spec.links.flatMap((link) => {
    const [name = '', alias = name] = link.split(':');
    const target = siblings.find((sibling) => sibling.name === name)?.attachment?.address;
    return target === undefined ? [] : [{ name: alias, address: target }];
  });
  const files = buildHostFiles({
    spec,
    hostname,
    ...(address === undefined ? {} : { address }),
    isHostNetwork,
    links,
    machine: await readMachineFiles(),
  });
  const binds: Bind[] = [];
  for (const [name, text] of Object.entries({ hosts: files.hosts, 'resolv.conf': files.resolv, hostname: files.hostname })) {
    writeFileSync(`${folder}/${name}`, text, { mode: 0o644 });
    binds.push({ source: `${folder}/${name}`, destination: `/etc/${name}`, readOnly: false });
  }
  return binds;
}

/** A folder for each path that the image wants one for; it goes with the container. */
async function makeImageVolumes(folder: string, image: StoredImage, spec: ContainerSpec): Promise<Bind[]> {
  const taken = new Set([...spec.mountPoints, ...spec.tmpfs].map(({ containerPath }) => posix.normalize(containerPath)));
  const binds: Bind[] = [];
  for (const [index, path] of image.config.volumes.map((each) => posix.normalize(`/${each}`)).entries()) {
    if (path === '/')
      throw new ContainerError('CannotCreateContainerError', 'the image wants a volume in place of its root folder');
    if (taken.has(path)) continue;
    const source = `${folder}/volumes/${index}`;
    await fs.mkdir(source, { recursive: true, mode: 0o755 });
    binds.push({ source, destination: path, readOnly: false });
  }
  return binds;
}

/**
 * Has the volumes that the image names filled with what it has at their paths, if they are empty: as Docker and Fargate do it.
 * What is copied where is left for the container's parent, which sees all layers as one.
 */
async function fillVolumes(
  folder: string,
  view: LayerView,
  task: TaskSpec,
  image: StoredImage,
  spec: ContainerSpec,
  binds: Bind[],
): Promise<void> {
  const named = new Set(image.config.volumes.map((path) => posix.normalize(`/${path}`)));
  const ofHost = new Set(task.volumes.flatMap(({ name, hostPath }) => (hostPath === undefined ? [] : [name])));
  const foreign = new Set(
    spec.mountPoints
      .filter(({ sourceVolume }) => ofHost.has(sourceVolume))
      .map(({ containerPath }) => posix.normalize(containerPath)),
  );
  const lines: string[] = [];
  for (const { source, destination } of binds) {
    const path = posix.normalize(destination);
    if (!named.has(path) || foreign.has(path) || path.includes('\n') || (await fs.readdir(source)).length > 0) continue;
    const { kind, at } = await view.find(path);
    if (kind === 'folder' && !at.includes('\n')) lines.push(at, source);
  }
  if (lines.length > 0) await fs.writeFile(`${folder}/fill`, `${lines.join('\n')}\n`, { mode: 0o600 });
}

async function chooseVolumes(
  { records, sharedVolumes }: CreateDeps,
  task: TaskSpec,
  spec: ContainerSpec,
  siblings: ContainerRecord[],
): Promise<Bind[]> {
  const binds: Bind[] = [];
  for (const { sourceVolume, containerPath, readOnly } of spec.mountPoints) {
    const volume = task.volumes.find(({ name }) => name === sourceVolume);
    if (volume === undefined)
      throw new ContainerError('CannotCreateContainerError', `the task has no volume ${JSON.stringify(sourceVolume)}`);
    const source = volumePath(records.taskFolder(task.id), sharedVolumes, task, sourceVolume);
    binds.push({ source, destination: containerPath, readOnly });
  }
  for (const { sourceContainer, readOnly } of spec.volumesFrom) {
    const source = siblings.find(({ name }) => name === sourceContainer);
    if (source === undefined)
      throw new ContainerError(
        'CannotCreateContainerError',
        `there is no container ${JSON.stringify(sourceContainer)} to take volumes from`,
      );
    for (const bind of source.binds) binds.push({ ...bind, readOnly: bind.readOnly || readOnly });
  }
  return binds;
}

/** Where a volume of a task lies. Names go into paths in hexadecimal: a volume may be called anything. */
export function volumePath(taskFolder: string, sharedVolumes: string, task: Pick<TaskSpec, 'volumes'>, name: string): string {
  const volume = task.volumes.find((each) => each.name === name);
  if (volume?.hostPath !== undefined) return volume.hostPath;
  const hex = Buffer.from(volume?.shared?.name ?? name)
    .toString('hex')
    .slice(0, 250);
  return volume?.shared === undefined ? `${taskFolder}/volumes/${hex}` : `${sharedVolumes}/${hex}`;
}

const CHARACTER_DEVICE = 0o020000;
const FILE_TYPE = 0o170000;

async function findDevices(spec: ContainerSpec): Promise<Device[]> {
  const devices: Device[] = [];
  for (const { hostPath, containerPath, permissions } of spec.devices) {
    const stat = await fs.stat(hostPath).catch((error: unknown) => {
      throw new ContainerError(
        'CannotCreateContainerError',
        `the device ${hostPath} cannot be used: ${errorCode(error) ?? String(error)}`,
      );
    });
    if (!stat.isCharacterDevice() && !stat.isBlockDevice())
      throw new ContainerError('CannotCreateContainerError', `${hostPath} is no device`);
    const letters: Readonly<Record<string, string>> = { read: 'r', write: 'w', mknod: 'm' };
    const access = permissions.map((word) => letters[word] ?? '').join('') || 'rwm';
    devices.push({
      path: containerPath || hostPath,
      type: (stat.mode & FILE_TYPE) === CHARACTER_DEVICE ? 'c' : 'b',
      // glibc's gnu_dev_major and gnu_dev_minor, for numbers that fit into 32 bits.
      major: (stat.rdev >> 8) & 0xfff,
      minor: (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00),
      fileMode: stat.mode & 0o777,
      access,
    });
  }
  return devices;
}

async function findInit(): Promise<{ init?: string }> {
  for (const path of INITS) {
    try {
      await fs.access(path, fs.constants.X_OK);
      return { init: await fs.realpath(path) };
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
  return {};
}

async function makeInput(folder: string): Promise<void> {
  await run('mkfifo', [`${folder}/stdin`]);
}

function copyOwner(from: string, to: string): void {
  const { uid, gid, mode } = lstatSync(from);
  lchownSync(to, uid, gid);
  chmodSync(to, mode & 0o7777);
}

function readOpenFilesLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1];
  return hard === undefined ? Number.MAX_SAFE_INTEGER : Number(hard);
}
