import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { ContainerError } from '../../../core/container-error.ts';
import type { IdSource } from '../../../core/ids.ts';
import type { RuntimeHost } from '../../../orchestrator/ports.ts';
import { errorCode } from './error-code.ts';
import { tryRun } from './run.ts';

export interface RuntimeBinary {
  name: 'crun' | 'runc';
  path: string;
  version: string;
}

/** Earlier ones let an image's links lead out of its container (CVE-2026-88264 and others). */
const CRUN_FIRST = [1, 31];
const RUNC_FIRST = [1, 1];

/**
 * The runtimes of this machine that may be used, the best first: crun, which starts a container in half the time, then runc.
 * `wanted` is a path or a name. Raises `ResourceInitializationError` that says for each one why not when there is none.
 */
export async function findRuntimes(wanted: string | undefined): Promise<[RuntimeBinary, ...RuntimeBinary[]]> {
  const reasons: string[] = [];
  const found: RuntimeBinary[] = [];
  for (const program of wanted === undefined ? ['crun', 'runc'] : [wanted]) {
    // Whole, because a container's parent has a path of its own.
    const path = (await tryRun('/bin/sh', ['-c', 'command -v "$1"', 'sh', program])).stdout.trim() || program;
    const name = path.endsWith('crun') ? 'crun' : 'runc';
    try {
      const { stdout } = await tryRun(path, ['--version']);
      const version = /version (\d+\.\d+(?:\.\d+)?)/.exec(stdout)?.[1] ?? '';
      const first = name === 'crun' ? CRUN_FIRST : RUNC_FIRST;
      if (!isAtLeast(version, first)) reasons.push(`${path} ${version} is older than ${first.join('.')}`);
      else if (!(await tryRun(path, ['run', '--help'])).stdout.includes('--keep'))
        reasons.push(`${path} ${version} has no "run --keep"`);
      else found.push({ name, path, version });
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      reasons.push(`${path} is not installed`);
    }
  }
  const [first, ...others] = found;
  if (first !== undefined) return [first, ...others];
  throw new ContainerError(
    'ResourceInitializationError',
    `no OCI runtime can be used: ${reasons.join('; ')}. Install one (apt install runc), or set HOLDFAST_RUNTIME=docker`,
  );
}

function isAtLeast(version: string, [major = 0, minor = 0]: number[]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

/** This machine, under an id that is kept in the folder. */
export async function describeMachine(folder: string, ids: IdSource, runtime: RuntimeBinary): Promise<RuntimeHost> {
  const architectures: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'arm64' };
  return {
    id: await machineId(`${folder}/host-id`, ids),
    cpu: os.cpus().length * 1024,
    memory: Math.floor(os.totalmem() / 1024 ** 2),
    attributes: {
      'ecs.os-type': 'linux',
      'ecs.os-family': 'LINUX',
      'ecs.cpu-architecture': architectures[os.arch()] ?? os.arch(),
    },
    engineVersion: `${runtime.name} ${runtime.version}`,
  };
}

async function machineId(path: string, ids: IdSource): Promise<string> {
  try {
    const saved = (await fs.readFile(path, 'utf8')).trim();
    if (/^[0-9a-f]{32}$/.test(saved)) return saved;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  const id = Buffer.from(ids.bytes(16)).toString('hex');
  await fs.writeFile(path, `${id}\n`, { mode: 0o600, flush: true });
  return id;
}
