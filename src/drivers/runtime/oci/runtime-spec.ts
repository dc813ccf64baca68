import { ContainerError } from '../../../core/container-error.ts';
import type { ContainerSpec, TaskSpec } from '../../../orchestrator/ports.ts';
import { chooseCapabilities } from './capabilities.ts';
import type { ImageConfig } from './image-config.ts';
import type { ProcessUser } from './image-user.ts';
import { seccompFor } from './seccomp.ts';

/** Everything that a runtime config is made from, found out beforehand. */
export interface RuntimeSpecInput {
  task: Pick<TaskSpec, 'pidMode' | 'ipcMode'>;
  spec: ContainerSpec;
  image: ImageConfig;
  user: ProcessUser;
  hostname: string;
  cgroupsPath: string;
  /** What the containers of the task share, when they do: the process that holds it, and the folder for `/dev/shm`. */
  shared?: { holder: number; memory: string };
  /** A namespace to join, one of its own without any way out, or the machine's. */
  network: { kind: 'join'; path: string } | { kind: 'own' } | { kind: 'host' };
  /** Folders and files of this machine. */
  binds: Bind[];
  devices: Device[];
  /** A program of this machine that may be the first process, and passes signals on. */
  init?: string;
  hasCgroupNamespace: boolean;
  /** Capabilities that this machine has to give. */
  bounds: ReadonlySet<string>;
  architecture: string;
  /** What this process may have open itself: root may lack the right to give more. */
  mostOpenFiles: number;
}

export interface Bind {
  source: string;
  destination: string;
  readOnly: boolean;
}

export interface Device {
  path: string;
  type: 'c' | 'b';
  major: number;
  minor: number;
  fileMode: number;
  access: string;
}

interface Mount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

/** What a runtime is asked to start in a container: for `exec` the arguments differ. */
export interface RuntimeProcess {
  terminal: boolean;
  user: { uid: number; gid: number; additionalGids: number[] };
  args: string[];
  env: string[];
  cwd: string;
  capabilities: Record<string, string[]>;
  rlimits: { type: string; soft: number; hard: number }[];
  noNewPrivileges: boolean;
}

export interface RuntimeSpec {
  process: RuntimeProcess;
  [member: string]: unknown;
}

const MIB = 1024 * 1024;
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const INIT = '/sbin/docker-init';
/** What the ECS agent gives to a container that asks for no CPU: the least that Linux has. */
const LEAST_SHARES = 2;
const MOST_PROCESSES = 16_384;
const SHM_MIB = 64;
/** Of Fargate. */
const OPEN_FILES = 65_535;
const OPEN_FILES_TYPE = 'RLIMIT_NOFILE';
/** Parts of /proc and /sys that tell of, or change, the whole machine. */
const MASKED = (
  '/proc/asound /proc/acpi /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats ' +
  '/proc/sched_debug /proc/scsi /sys/firmware /sys/devices/virtual/powercap'
).split(' ');
const READ_ONLY = '/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger'.split(' ');

/**
 * The config of one container (OCI runtime-spec, config.md, 1.0.2). Pure. Raises `CannotCreateContainerError` for what no
 * container can be made from, or this engine does not do.
 */
export function buildRuntimeSpec(input: RuntimeSpecInput): RuntimeSpec {
  const { spec, task, user, network } = input;
  const capabilities = chooseCapabilities(spec.capabilities.add, spec.capabilities.drop, spec.privileged, input.bounds);
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: spec.pseudoTerminal,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: chooseCommand(input),
      env: buildEnvironment(input),
      cwd: absolute(spec.workingDirectory || input.image.workingDirectory || '/', 'working directory'),
      // An account that is not root gets what its programs' files say, as under Docker.
      capabilities: {
        bounding: capabilities,
        ...(user.uid === 0 ? { effective: capabilities, permitted: capabilities } : {}),
      },
      rlimits: buildLimits(spec, input.mostOpenFiles),
      noNewPrivileges: false,
    },
    root: { path: 'rootfs', readonly: spec.readonlyRootFilesystem },
    hostname: input.hostname,
    mounts: buildMounts(input),
    linux: {
      namespaces: [
        { type: 'mount' },
        { type: 'uts' },
        ...chooseNamespace('pid', task.pidMode, input),
        ...chooseNamespace('ipc', task.ipcMode, input),
        ...(network.kind === 'host' ? [] : [{ type: 'network', ...(network.kind === 'join' ? { path: network.path } : {}) }]),
        ...(input.hasCgroupNamespace ? [{ type: 'cgroup' }] : []),
      ],
      cgroupsPath: input.cgroupsPath,
      resources: buildResources(input),
      devices: input.devices.map(({ path, type, major, minor, fileMode }) => ({
        path,
        type,
        major,
        minor,
        fileMode,
        uid: 0,
        gid: 0,
      })),
      ...(Object.keys(spec.systemControls).length > 0 ? { sysctl: spec.systemControls } : {}),
      ...(spec.privileged
        ? {}
        : { maskedPaths: MASKED, readonlyPaths: READ_ONLY, seccomp: seccompFor(capabilities, input.architecture) }),
    },
  };
}

/** One of its own, the task's, or the machine's. */
function chooseNamespace(
  type: 'pid' | 'ipc',
  mode: 'host' | 'task' | 'none' | undefined,
  { shared }: RuntimeSpecInput,
): { type: string; path?: string }[] {
  if (mode === 'host') return [];
  if (mode !== 'task') return [{ type }];
  if (shared === undefined) refuse(`the task has no namespace for ${type}Mode "task"`);
  return [{ type, path: `/proc/${shared.holder}/ns/${type}` }];
}

/** An entry point of the task definition takes the image's command out of the game, too (as Docker does it). */
function chooseCommand({ spec, image, init }: RuntimeSpecInput): string[] {
  const own = spec.entryPoint?.length ? spec.entryPoint : undefined;
  const command = spec.command?.length ? spec.command : own === undefined ? image.command : [];
  const args = [...(own ?? image.entryPoint), ...command];
  if (args.length === 0) refuse('neither the image nor the task definition says which command to run');
  for (const word of args) if (word.includes('\0')) refuse('the command has a NUL in it');
  if (!spec.initProcessEnabled) return args;
  if (init === undefined)
    refuse('initProcessEnabled needs tini or catatonit on this machine; install one of them (apt install tini), or leave it out');
  return [INIT, '--', ...args];
}

function buildEnvironment({ spec, image, user, hostname }: RuntimeSpecInput): string[] {
  const given = Object.entries(spec.environment).map(([name, value]) => `${name}=${value}`);
  const variables = new Map<string, string>();
  for (const variable of [PATH, `HOSTNAME=${hostname}`, `HOME=${user.home}`, ...image.environment, ...given]) {
    if (variable.includes('\0')) refuse('a variable of the environment has a NUL in it');
    const equals = variable.indexOf('=');
    if (equals > 0) variables.set(variable.slice(0, equals), variable);
  }
  return [...variables.values()];
}

function buildLimits(spec: ContainerSpec, mostOpenFiles: number): RuntimeProcess['rlimits'] {
  const limits = spec.ulimits.map(({ name, softLimit, hardLimit }) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    soft: unlimited(softLimit),
    hard: unlimited(hardLimit),
  }));
  if (limits.some(({ type }) => type === OPEN_FILES_TYPE)) return limits;
  const open = Math.min(OPEN_FILES, mostOpenFiles);
  return [...limits, { type: OPEN_FILES_TYPE, soft: open, hard: open }];
}

/** -1 is "no limit" in a task definition. The largest number that JSON keeps is the same to every resource. */
function unlimited(limit: number): number {
  return limit < 0 ? Number.MAX_SAFE_INTEGER : limit;
}

function buildResources({ spec, devices }: RuntimeSpecInput): Record<string, unknown> {
  return {
    devices: [
      { allow: spec.privileged, access: 'rwm' },
      ...devices.map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access })),
    ],
    cpu: { shares: Math.max(LEAST_SHARES, spec.cpu ?? 0) },
    memory: {
      ...(spec.memory === undefined ? {} : { limit: spec.memory * MIB }),
      ...(spec.memoryReservation === undefined ? {} : { reservation: spec.memoryReservation * MIB }),
    },
    pids: { limit: MOST_PROCESSES },
  };
}

function buildMounts(input: RuntimeSpecInput): Mount[] {
  const { spec, task, binds, init, shared } = input;
  const shm = spec.sharedMemorySize ?? SHM_MIB;
  const bind = (source: string, destination: string, readOnly: boolean): Mount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', readOnly ? 'ro' : 'rw'],
  });
  const mount = (destination: string, type: string, options: string): Mount => ({
    destination,
    type,
    source: type,
    options: options.split(' '),
  });
  const sys = spec.privileged ? 'nosuid noexec nodev rw' : 'nosuid noexec nodev ro';
  return [
    mount('/proc', 'proc', 'nosuid noexec nodev'),
    mount('/dev', 'tmpfs', 'nosuid strictatime mode=755 size=65536k'),
    mount('/dev/pts', 'devpts', 'nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5'),
    mount('/sys', 'sysfs', sys),
    mount('/sys/fs/cgroup', 'cgroup', `${sys} relatime`),
    // Of the namespace that it is mounted in, be it the machine's, which may not have it mounted itself.
    mount('/dev/mqueue', 'mqueue', 'nosuid noexec nodev'),
    ...(task.ipcMode === 'host' ? [bind('/dev/shm', '/dev/shm', false)] : []),
    ...(task.ipcMode === 'task' && shared !== undefined ? [bind(shared.memory, '/dev/shm', false)] : []),
    ...(task.ipcMode === undefined ? [mount('/dev/shm', 'tmpfs', `nosuid noexec nodev mode=1777 size=${shm}m`)] : []),
    ...spec.tmpfs.map(({ containerPath, size, mountOptions }) =>
      mount(absolute(containerPath, 'tmpfs'), 'tmpfs', ['nosuid', 'nodev', `size=${size}m`, ...mountOptions].join(' ')),
    ),
    // A shorter path first: one volume may lie within another.
    ...[...binds]
      .sort((a, b) => a.destination.length - b.destination.length)
      .map(({ source, destination, readOnly }) => bind(source, absolute(destination, 'mount point'), readOnly)),
    ...(spec.initProcessEnabled && init !== undefined ? [bind(init, INIT, true)] : []),
  ];
}

function absolute(path: string, what: string): string {
  if (!path.startsWith('/') || path.includes('\0') || path.split('/').includes('..'))
    refuse(`the ${what} ${JSON.stringify(path.slice(0, 200))} is no absolute path, or has ".." in it`);
  return path;
}

function refuse(reason: string): never {
  throw new ContainerError('CannotCreateContainerError', reason);
}
