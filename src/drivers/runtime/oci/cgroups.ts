import { existsSync, readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { errorCode } from './error-code.ts';

const ROOT = '/sys/fs/cgroup';
const CONTROLLERS = [
  'cpu',
  'cpuacct',
  'memory',
  'pids',
  'devices',
  'freezer',
  'blkio',
  'cpuset',
  'systemd',
  'net_cls',
  'net_prio',
  'perf_event',
  'hugetlb',
  'rdma',
  'misc',
];
const PERIOD_MICROSECONDS = 100_000;
const NANOSECONDS_A_TICK = 10_000_000;

/** The kernel's accounts of containers, in its first (v1) or second (v2) generation. */
export interface Cgroups {
  readonly version: 1 | 2;
  /** The file that counts what was killed for want of memory in a cgroup. */
  killsFile(path: string): string;
  /** Limits of a whole task: CPU units (1024 a core) and MiB. Fails when the kernel refuses them. */
  limit(path: string, limits: { cpu?: number; memory?: number }): Promise<void>;
  /** Removes an empty cgroup; nothing when it is not there. */
  remove(path: string): Promise<void>;
  /** Usage in the shape of Docker's stats; `undefined` when there is no such cgroup. */
  usage(path: string): Promise<Record<string, unknown> | undefined>;
}

/** The file that lists the processes of the cgroup that this one is in: `/dev/null` where that cannot be known. */
export function ownProcessesFile(): string {
  for (const line of readFileSync('/proc/self/cgroup', 'utf8').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    const file = `${ROOT}/${controllers === '' ? '' : `${controllers}/`}${path === '/' ? '' : path}/cgroup.procs`;
    if (path !== undefined && existsSync(file)) return file;
  }
  return '/dev/null';
}

export function findCgroups(): Cgroups {
  return existsSync(`${ROOT}/cgroup.controllers`) ? second : first;
}

const first: Cgroups = {
  version: 1,
  killsFile: (path) => `${ROOT}/memory${path}/memory.oom_control`,
  async limit(path, { cpu, memory }) {
    if (memory !== undefined) {
      await fs.mkdir(`${ROOT}/memory${path}`, { recursive: true });
      await fs.writeFile(`${ROOT}/memory${path}/memory.limit_in_bytes`, String(memory * 1024 * 1024));
    }
    if (cpu !== undefined) {
      await fs.mkdir(`${ROOT}/cpu${path}`, { recursive: true });
      await fs.writeFile(`${ROOT}/cpu${path}/cpu.cfs_period_us`, String(PERIOD_MICROSECONDS));
      await fs.writeFile(`${ROOT}/cpu${path}/cpu.cfs_quota_us`, String(quota(cpu)));
    }
  },
  async remove(path) {
    for (const controller of CONTROLLERS) await removeFolder(`${ROOT}/${controller}${path}`);
    await removeFolder(`${ROOT}/unified${path}`);
  },
  async usage(path) {
    const total = await readNumber(`${ROOT}/cpuacct${path}/cpuacct.usage`);
    if (total === undefined) return undefined;
    const split = await readTable(`${ROOT}/cpuacct${path}/cpuacct.stat`);
    const memory = `${ROOT}/memory${path}`;
    return {
      cpu_stats: {
        cpu_usage: {
          total_usage: total,
          usage_in_kernelmode: (split.system ?? 0) * NANOSECONDS_A_TICK,
          usage_in_usermode: (split.user ?? 0) * NANOSECONDS_A_TICK,
        },
        ...(await machineCpu()),
        throttling_data: throttling(await readTable(`${ROOT}/cpu${path}/cpu.stat`), 'throttled_time', 1),
      },
      memory_stats: {
        usage: (await readNumber(`${memory}/memory.usage_in_bytes`)) ?? 0,
        max_usage: (await readNumber(`${memory}/memory.max_usage_in_bytes`)) ?? 0,
        limit: (await readNumber(`${memory}/memory.limit_in_bytes`)) ?? 0,
        stats: await readTable(`${memory}/memory.stat`),
      },
      pids_stats: { current: (await readNumber(`${ROOT}/pids${path}/pids.current`)) ?? 0 },
    };
  },
};

const second: Cgroups = {
  version: 2,
  killsFile: (path) => `${ROOT}${path}/memory.events`,
  async limit(path, { cpu, memory }) {
    if (cpu === undefined && memory === undefined) return;
    await fs.mkdir(`${ROOT}${path}`, { recursive: true });
    const parts = path.split('/').filter((part) => part !== '');
    for (let depth = 0; depth < parts.length; depth++)
      await fs.writeFile(`${[ROOT, ...parts.slice(0, depth)].join('/')}/cgroup.subtree_control`, '+cpu +memory +pids');
    if (memory !== undefined) await fs.writeFile(`${ROOT}${path}/memory.max`, String(memory * 1024 * 1024));
    if (cpu !== undefined) await fs.writeFile(`${ROOT}${path}/cpu.max`, `${quota(cpu)} ${PERIOD_MICROSECONDS}`);
  },
  remove: (path) => removeFolder(`${ROOT}${path}`),
  async usage(path) {
    const cpu = await readTable(`${ROOT}${path}/cpu.stat`);
    if (cpu.usage_usec === undefined) return undefined;
    return {
      cpu_stats: {
        cpu_usage: {
          total_usage: cpu.usage_usec * 1000,
          usage_in_kernelmode: (cpu.system_usec ?? 0) * 1000,
          usage_in_usermode: (cpu.user_usec ?? 0) * 1000,
        },
        ...(await machineCpu()),
        throttling_data: throttling(cpu, 'throttled_usec', 1000),
      },
      memory_stats: {
        usage: (await readNumber(`${ROOT}${path}/memory.current`)) ?? 0,
        max_usage: (await readNumber(`${ROOT}${path}/memory.peak`)) ?? 0,
        limit: (await readNumber(`${ROOT}${path}/memory.max`)) ?? 0,
        stats: await readTable(`${ROOT}${path}/memory.stat`),
      },
      pids_stats: { current: (await readNumber(`${ROOT}${path}/pids.current`)) ?? 0 },
    };
  },
};

function quota(cpu: number): number {
  return Math.max(1000, Math.round((cpu / 1024) * PERIOD_MICROSECONDS));
}

function throttling(table: Record<string, number>, time: string, factor: number): Record<string, number> {
  return {
    periods: table.nr_periods ?? 0,
    throttled_periods: table.nr_throttled ?? 0,
    throttled_time: (table[time] ?? 0) * factor,
  };
}

/** Of all cores since the machine started, in nanoseconds: what a share of the CPU is reckoned against. */
async function machineCpu(): Promise<{ system_cpu_usage: number; online_cpus: number }> {
  const lines = (await fs.readFile('/proc/stat', 'utf8')).split('\n');
  // user, nice, system, idle, iowait, irq, softirq, steal: guest time is in the first of them already.
  const ticks = (lines[0] ?? '').trim().split(/\s+/).slice(1, 9).map(Number);
  return {
    system_cpu_usage: ticks.reduce((sum, each) => sum + each, 0) * NANOSECONDS_A_TICK,
    online_cpus: lines.filter((line) => /^cpu\d/.test(line)).length,
  };
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await readText(path);
  return text === undefined || !/^\d+\s*$/.test(text) ? undefined : Number(text);
}

async function readTable(path: string): Promise<Record<string, number>> {
  const rows = ((await readText(path)) ?? '').split('\n').map((line) => line.split(' '));
  return Object.fromEntries(rows.flatMap(([key, value]) => (key && value ? [[key, Number(value)]] : [])));
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await fs.readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENODEV') return undefined;
    throw error;
  }
}

async function removeFolder(path: string): Promise<void> {
  try {
    await fs.rmdir(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
