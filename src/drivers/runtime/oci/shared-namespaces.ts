import { spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { ContainerError } from '../../../core/container-error.ts';
import { parseStat, readText } from './container-run.ts';

/**
 * The first process of a task's own namespaces of processes and of memory that is shared, in which its containers then are: in the
 * shell that every machine has. It reaps what they leave behind, and all of them end with it.
 *
 * The file `holder` has the boot id and what /proc says of it.
 */
const SCRIPT = `
read -r boot < /proc/sys/kernel/random/boot_id
read -r stat < /proc/self/stat
echo "$boot $stat" > holder
echo there
exec > /dev/null
while :; do sleep 86400 & wait; done
`;

const MODE = { private: 0o700, everybody: 0o1777 };

/** The folder that a task's containers have as `/dev/shm`: memory, as there, and its pages are reckoned to who touches them. */
export function sharedMemoryPath(key: string): string {
  return `/dev/shm/holdfast-${key}/shm`;
}

/** Makes them, or finds them as they were; gives the process that holds them. `key` is of this task alone on the whole machine. */
export async function openSharedNamespaces(folder: string, key: string): Promise<number> {
  const path = sharedMemoryPath(key);
  await fs.mkdir(path, { recursive: true, mode: MODE.private });
  await fs.chmod(path, MODE.everybody);
  const there = await findHolder(folder);
  if (there !== undefined) return there;
  await hold(folder);
  const made = await findHolder(folder);
  if (made === undefined) throw new ContainerError('CannotCreateContainerError', "the task's own namespaces ended at once");
  return made;
}

/** Ends whatever is in them. */
export async function closeSharedNamespaces(folder: string, key: string): Promise<void> {
  const holder = await findHolder(folder);
  if (holder !== undefined) process.kill(holder, 'SIGKILL');
  await fs.rm(`${folder}/holder`, { force: true });
  await fs.rm(`/dev/shm/holdfast-${key}`, { recursive: true, force: true });
}

/** The same process of the same run of the machine, or none. */
async function findHolder(folder: string): Promise<number | undefined> {
  const [boot, ...stat] = (readText(`${folder}/holder`) ?? '').trim().split(' ');
  const written = parseStat(stat.join(' '));
  if (written === undefined || boot !== (await fs.readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()) return undefined;
  const current = parseStat(readText(`/proc/${written.pid}/stat`) ?? '');
  return current?.startTime === written.startTime && current.state !== 'Z' ? written.pid : undefined;
}

function hold(folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('unshare', ['--pid', '--ipc', '--fork', '/bin/sh', '-c', SCRIPT, 'holdfast-task'], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    const fail = (reason: string): void =>
      reject(new ContainerError('CannotCreateContainerError', `the task cannot have namespaces of its own: ${reason}`));
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => fail(`unshare ended with ${code}`));
    child.stdout.once('data', () => {
      child.stdout.destroy();
      child.unref();
      resolve();
    });
  });
}
