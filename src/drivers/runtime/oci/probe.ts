import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { ContainerError } from '../../../core/container-error.ts';
import type { IdSource } from '../../../core/ids.ts';
import type { Logger } from '../../../core/logger.ts';
import type { Cgroups } from './cgroups.ts';
import type { RuntimeBinary } from './machine.ts';
import { PARENT_SCRIPT } from './parent-script.ts';
import { tryRun } from './run.ts';

interface ProbeInput {
  folder: string;
  runtime: RuntimeBinary;
  stateFolder: string;
  ids: IdSource;
  cgroups: Cgroups;
}

/**
 * The first of these runtimes that can run a container on this machine; says in the log why another one could not. Raises
 * `ResourceInitializationError` with what failed.
 */
export async function chooseRuntime(
  [runtime, ...others]: [RuntimeBinary, ...RuntimeBinary[]],
  input: Omit<ProbeInput, 'runtime'> & { log: Logger },
): Promise<RuntimeBinary> {
  try {
    await checkMachine({ ...input, runtime });
    return runtime;
  } catch (error) {
    const [next, ...rest] = others;
    if (next === undefined || !(error instanceof ContainerError)) throw error;
    input.log.warn(`containers are run by ${next.name}`, { reason: error.message });
    return chooseRuntime([next, ...rest], input);
  }
}

/**
 * Runs one tiny container the way all will be run, with this machine's own programs in it: an overlay in this folder, a
 * namespace of mounts, the runtime, cgroups. Raises `ResourceInitializationError` with what failed.
 */
async function checkMachine({ folder, runtime, stateFolder, ids, cgroups }: ProbeInput): Promise<void> {
  if (os.userInfo().uid !== 0) fail('containers are run by root alone; start the server as root, or set HOLDFAST_RUNTIME=docker');
  const id = `probe-${Buffer.from(ids.bytes(16)).toString('hex')}`;
  const at = `${folder}/${id}`;
  const cgroupsPath = `/holdfast/${id}`;
  for (const name of ['empty', 'upper', 'work', 'rootfs', 'run'])
    await fs.mkdir(`${at}/${name}`, { recursive: true, mode: 0o700 });
  try {
    await fs.writeFile(`${at}/config.json`, JSON.stringify(await probeSpec(cgroupsPath)));
    const overlay = 'lowerdir=empty,upperdir=upper,workdir=work';
    const script = ['run', runtime.path, stateFolder, id, overlay, cgroups.killsFile(cgroupsPath), 'closed'];
    const argv = ['--mount', '--propagation', 'slave', '/bin/sh', '-c', PARENT_SCRIPT, 'holdfast-probe', ...script];
    const { code, stderr } = await tryRun('unshare', argv, { cwd: at, timeout: 20_000 });
    const read = (name: string): Promise<string> => fs.readFile(`${at}/${name}`, 'utf8').catch(() => '');
    if ((await read('run/exit')) === '0 0\n') return;
    const problem = (await read('run/problem')).trim();
    if (problem !== '')
      fail(`overlayfs cannot be used in ${folder}: ${problem.slice(0, 300)}. Put the data folder on ext4 or XFS`);
    const said = (await read('stderr')).trim() || (await read('run/runtime.log')).trim() || stderr.trim() || `exit code ${code}`;
    fail(`${runtime.path} ${runtime.version} cannot run a container here: ${said.slice(0, 500)}`);
  } finally {
    await fs.rm(at, { recursive: true, force: true });
    await cgroups.remove(cgroupsPath);
  }
}

async function probeSpec(cgroupsPath: string): Promise<Record<string, unknown>> {
  // Newer crun looks for a folder of devices even where none is asked for.
  const mounts: unknown[] = [
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
  ];
  for (const path of ['/usr', '/bin', '/lib', '/lib64', '/nix']) {
    if ((await fs.stat(path).catch(() => undefined)) === undefined) continue;
    mounts.push({ destination: path, type: 'bind', source: path, options: ['rbind', 'ro'] });
  }
  return {
    ociVersion: '1.0.2',
    process: { terminal: false, user: { uid: 0, gid: 0 }, args: ['/bin/sh', '-c', ':'], env: ['PATH=/bin'], cwd: '/' },
    root: { path: 'rootfs' },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }, ...mounts],
    linux: {
      cgroupsPath,
      namespaces: ['mount', 'uts', 'pid', 'ipc', 'network'].map((type) => ({ type })),
      resources: { cpu: { shares: 2 } },
    },
  };
}

function fail(reason: string): never {
  throw new ContainerError('ResourceInitializationError', reason);
}
