import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { Clock } from '../../../core/clock.ts';
import { ContainerError } from '../../../core/container-error.ts';
import type { Logger } from '../../../core/logger.ts';
import type { ContainerExit } from '../../../orchestrator/container-engine.ts';
import { ownProcessesFile, type Cgroups } from './cgroups.ts';
import { hasParent, isParentAlive, readRun, type ObservedRun } from './container-run.ts';
import { errorCode } from './error-code.ts';
import { createLayerView } from './layer-view.ts';
import { PARENT_SCRIPT } from './parent-script.ts';
import { layersOf, names, type ContainerRecord } from './records.ts';
import { tryRun } from './run.ts';

/** Runs the runtime for containers, and sees how their runs end. */
export interface ContainerRunner {
  /** A container that was there before: what is known of its last run, which is watched if it still goes on. */
  adopt(record: ContainerRecord, folder: string): Promise<void>;
  start(record: ContainerRecord, folder: string): Promise<{ startedAt: number }>;
  /** Of the last run; `undefined` when it never ran. */
  state(id: string): ObservedRun | undefined;
  isRunning(id: string): boolean;
  /** Whether anything of its last run is still going on, the tidying up behind it included. */
  settled(id: string): Promise<void>;
  signal(record: ContainerRecord, signal: number): Promise<void>;
  forget(id: string): void;
  close(): void;
}

export interface RunnerOptions {
  /** Where crun and runc keep their own state. */
  stateFolder: string;
  cgroups: Cgroups;
  clock: Clock;
  log: Logger;
  onExit: (exit: ContainerExit) => void;
  /** Called for every container that runs, now and then. */
  onRound: (folder: string) => void;
}

interface Run {
  record: ContainerRecord;
  folder: string;
  number: number;
  observed: ObservedRun;
  /** Somebody waits for its start: then its end is told only after that. */
  isStarting: boolean;
  /** The process that should have waited for it has gone. */
  isLeft: boolean;
  changed: (() => void)[];
  stopWatching(): void;
  /** Its start has been seen: it does not keep this process alive any more. */
  letGo(): void;
}

/** Ends come by watching; this is for those whose parent was killed too, and nobody wrote the end down. */
const ROUND_MILLISECONDS = 2000;
const SETTLE_MILLISECONDS = 20;

export function createContainerRunner(options: RunnerOptions): ContainerRunner {
  const { stateFolder, cgroups, clock, log } = options;
  const runs = new Map<string, Run>();
  const own = ownProcessesFile();
  const round = setInterval(() => {
    for (const run of runs.values()) {
      if (run.observed.end !== undefined) continue;
      look(run);
      options.onRound(run.folder);
    }
  }, ROUND_MILLISECONDS);
  round.unref();

  function follow(run: Run): void {
    const watcher = watch(runFolder(run), { persistent: false }, () => look(run));
    watcher.on('error', (error) =>
      log.warn('a container cannot be watched, and is looked at now and then', { error: String(error) }),
    );
    run.stopWatching = () => watcher.close();
    runs.set(run.record.id, run);
  }

  function look(run: Run): void {
    if (run.observed.end !== undefined || runs.get(run.record.id) !== run) return;
    try {
      // Who waits may not have come to write its name yet; asked beforehand, so that it cannot come between.
      const mayCome = run.isStarting && !run.isLeft && !hasParent(runFolder(run));
      const seen = readRun(runFolder(run), run.record.id, clock.now());
      if (mayCome && seen.end?.exitCode === undefined) delete seen.end;
      run.observed = seen;
      for (const wake of run.changed.splice(0)) wake();
      if (run.observed.end !== undefined) ended(run);
    } catch (error) {
      log.error('the state of a container cannot be read', { container: run.record.id, error: String(error) });
    }
  }

  function ended(run: Run): void {
    run.stopWatching();
    if (run.observed.end?.exitCode === undefined) void tidy(run.record);
    if (!run.isStarting) tell(run);
  }

  function tell({ record: { taskId, name }, observed: { end } }: Run): void {
    if (end !== undefined) options.onExit({ taskId, name, ...end });
  }

  /** For a run whose parent was killed, and could not do it. */
  async function tidy(record: ContainerRecord): Promise<void> {
    const { code, stderr } = await tryRun(record.runtime, ['--root', stateFolder, 'delete', '--force', record.id]);
    if (code !== 0 && !/does not exist/.test(stderr))
      log.warn('the runtime could not remove a container', { container: record.id, error: stderr.trim().slice(0, 500) });
  }

  async function settled(id: string): Promise<void> {
    const run = runs.get(id);
    while (run !== undefined && isParentAlive(runFolder(run)))
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MILLISECONDS));
  }

  async function start(record: ContainerRecord, folder: string): Promise<{ startedAt: number }> {
    const before = runs.get(record.id);
    if (before !== undefined && before.observed.end === undefined) {
      if (before.observed.startedAt !== undefined) return { startedAt: before.observed.startedAt };
      cannotStart('it is being started already');
    }
    await settled(record.id);
    if (before !== undefined) await tidy(record);
    await checkRoot(record, folder);
    const number = (before?.number ?? 0) + 1;
    const run: Run = {
      record,
      folder,
      number,
      observed: {},
      isStarting: true,
      isLeft: false,
      changed: [],
      stopWatching: () => undefined,
      letGo: () => undefined,
    };
    await fs.mkdir(runFolder(run), { recursive: true, mode: 0o700 });
    follow(run);
    try {
      await spawnParent(run);
      while (run.observed.startedAt === undefined && run.observed.end === undefined)
        await new Promise<void>((resolve) => run.changed.push(resolve));
    } finally {
      run.isStarting = false;
      run.letGo();
    }
    if (run.observed.startedAt === undefined) cannotStart(await readProblem(runFolder(run)));
    // A container that has ended by now tells so after who started it has heard that it did.
    if (run.observed.end !== undefined) setImmediate(() => tell(run));
    return { startedAt: run.observed.startedAt };
  }

  async function spawnParent(run: Run): Promise<void> {
    const { record, folder } = run;
    const lower = record.layers.length === 0 ? 'empty' : record.layers.map((_, index) => index).join(':');
    const script = [
      `runs/${run.number}`,
      record.runtime,
      stateFolder,
      record.id,
      `lowerdir=${lower},upperdir=upper,workdir=work`,
      cgroups.killsFile(record.cgroupsPath),
      record.input,
      own,
    ];
    // A slave: what the machine unmounts later goes here too, and nothing of this shows on the machine.
    const argv = ['--mount', '--propagation', 'slave', '/bin/sh', '-c', PARENT_SCRIPT, 'holdfast-container', ...script];
    const child = spawn('unshare', argv, {
      cwd: folder,
      detached: true,
      stdio: 'ignore',
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    child.once('exit', () => {
      run.isLeft = true;
      look(run);
    });
    run.letGo = () => child.unref();
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => {
        run.observed = { end: { outOfMemory: false, at: clock.now() } };
        run.stopWatching();
        reject(new ContainerError('CannotStartContainerError', `cannot run unshare: ${error.message}`, { cause: error }));
      });
    });
  }

  return {
    async adopt(record, folder) {
      const numbers = (await names(`${folder}/runs`)).map(Number).filter((number) => Number.isSafeInteger(number));
      if (numbers.length === 0) return;
      const number = Math.max(...numbers);
      const run: Run = {
        record,
        folder,
        number,
        observed: {},
        isStarting: false,
        isLeft: false,
        changed: [],
        stopWatching: () => undefined,
        letGo: () => undefined,
      };
      run.observed = readRun(runFolder(run), record.id, clock.now());
      runs.set(record.id, run);
      if (run.observed.end === undefined) {
        follow(run);
        look(run);
      } else if (run.observed.end.exitCode === undefined) {
        await tidy(record);
      }
    },
    start,
    state: (id) => runs.get(id)?.observed,
    isRunning: (id) => {
      const run = runs.get(id);
      return run?.observed.startedAt !== undefined && run.observed.end === undefined;
    },
    settled,
    async signal(record, signal) {
      const run = runs.get(record.id);
      if (run === undefined || run.observed.end !== undefined) return;
      const all = record.sharesProcesses ? ['--all'] : [];
      const { code, stderr } = await tryRun(record.runtime, ['--root', stateFolder, 'kill', ...all, record.id, String(signal)]);
      if (code === 0) return;
      look(run);
      if (run.observed.end === undefined && !/not running|no such process|does not exist|already finished/i.test(stderr))
        throw new ContainerError('CannotStopContainerError', stderr.trim().slice(0, 500));
    },
    forget(id) {
      runs.get(id)?.stopWatching();
      runs.delete(id);
    },
    close() {
      clearInterval(round);
      for (const run of runs.values()) run.stopWatching();
      runs.clear();
    },
  };
}

/**
 * Runtimes have followed links of images at these places out of containers (CVE-2026-88264, CVE-2026-41579, CVE-2024-45310). A
 * container may have put one there itself in an earlier run, so every start looks.
 */
async function checkRoot(record: ContainerRecord, folder: string): Promise<void> {
  const view = createLayerView([{ path: `${folder}/upper`, opaque: new Set() }, ...layersOf(record)]);
  for (const path of ['/dev', '/proc', '/sys']) {
    const kind = await view.kindOf(path);
    if (kind !== 'folder' && kind !== 'missing') cannotStart(`${path} is no folder in the container's files`);
  }
}

async function readProblem(folder: string): Promise<string> {
  const words = async (name: string): Promise<string> => {
    try {
      return (await fs.readFile(`${folder}/${name}`, 'utf8')).trim();
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return '';
      throw error;
    }
  };
  const problem = await words('problem');
  if (problem !== '') return `its files cannot be made: ${problem.slice(0, 500)}`;
  const lines = (await words('runtime.log')).split('\n').reverse();
  for (const line of lines) {
    const message = /"msg":("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
    if (/"level":"(?:error|fatal)"/.test(line) && message !== undefined)
      return `failed to create task for container: ${(JSON.parse(message) as string).slice(0, 1000)}`;
  }
  return 'the runtime ended without a word';
}

function cannotStart(reason: string): never {
  throw new ContainerError('CannotStartContainerError', reason);
}

function runFolder({ folder, number }: Pick<Run, 'folder' | 'number'>): string {
  return `${folder}/runs/${number}`;
}
