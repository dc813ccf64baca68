import { renameSync, writeFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { ContainerError } from '../../../core/container-error.ts';
import type { ContainerKey, FoundContainer } from '../../../orchestrator/container-engine.ts';
import type { PublishedPort } from './bridge.ts';
import { errorCode } from './error-code.ts';
import type { LayerOfView } from './layer-view.ts';
import type { Attachment } from './networks.ts';
import type { Bind, RuntimeProcess } from './runtime-spec.ts';

/** What stays of a task on disk: enough to find, stop and remove all of it after any end of the server. */
export interface TaskRecord {
  taskId: string;
  networkMode: string;
  attachment?: Attachment;
  hostAddress?: string;
  cgroupsPath: string;
  /** Its containers share namespaces of their own, which this process holds; absent: they do not. */
  holder?: number;
  /** It has stopped for good: nothing of it starts again, and its layers are not its own any more. */
  isReleased?: boolean;
}

export interface ContainerRecord {
  taskId: string;
  name: string;
  /** 64 hexadecimal digits; also the runtime's name of it. */
  id: string;
  /** Path of the runtime that runs it: no other one knows of it. */
  runtime: string;
  stopSignal: number;
  cgroupsPath: string;
  /** Folders of its layers, from the top down, and what they hide. */
  layers: { path: string; opaque: string[] }[];
  process: RuntimeProcess;
  binds: Bind[];
  attachment?: Attachment;
  networkBindings: FoundContainer['networkBindings'];
  published: PublishedPort[];
  /** Its processes have no namespace of their own, and so do not go with the first. */
  sharesProcesses: boolean;
  /** What is at its standard input: nothing, a pipe that nobody closes, or a terminal. */
  input: 'closed' | 'open' | 'terminal';
  /** Its environment is for nobody to read: it goes from the disk with the task's end. */
  hasSecrets: boolean;
}

/** Names that are safe as names of folders, whoever chose them. */
const NAME = /^[A-Za-z0-9_-]{1,255}$/;

export interface Records {
  taskFolder(taskId: string): string;
  containerFolder(key: ContainerKey): string;
  saveTask(record: TaskRecord): Promise<void>;
  saveContainer(record: ContainerRecord): Promise<void>;
  /** Takes what a container was given away from the disk; it cannot start any more. */
  removeSecrets(record: ContainerRecord): Promise<void>;
  /**
   * Everything that was saved, with `runtime` for containers of which none was written down; halves of what was being made are
   * given as they are, without their record.
   */
  load(runtime: string): Promise<{ taskId: string; task: TaskRecord | undefined; containers: ContainerRecord[] }[]>;
  removeTask(taskId: string): Promise<void>;
}

/** Raises `CannotCreateContainerError` for a name that must not become a path. */
export function openRecords(folder: string): Records {
  const named = (name: string): string => {
    if (!NAME.test(name))
      throw new ContainerError(
        'CannotCreateContainerError',
        `${JSON.stringify(name.slice(0, 100))} is no name of a task or container`,
      );
    return name;
  };
  const taskFolder = (taskId: string): string => `${folder}/tasks/${named(taskId)}`;
  const containerFolder = ({ taskId, name }: ContainerKey): string => `${taskFolder(taskId)}/containers/${named(name)}`;
  return {
    taskFolder,
    containerFolder,
    saveTask: (record) => save(`${taskFolder(record.taskId)}/task.json`, record),
    saveContainer: (record) => save(`${containerFolder(record)}/container.json`, record),
    async removeSecrets(record) {
      await fs.rm(`${containerFolder(record)}/config.json`, { force: true });
      record.process = { ...record.process, env: [] };
      record.hasSecrets = false;
      await save(`${containerFolder(record)}/container.json`, record);
    },
    async load(runtime) {
      const tasks = [];
      for (const taskId of (await names(`${folder}/tasks`)).filter((name) => NAME.test(name))) {
        const containers = [];
        for (const name of (await names(`${taskFolder(taskId)}/containers`)).filter((each) => NAME.test(each))) {
          const record = await read<Omit<ContainerRecord, 'runtime'> & { runtime?: string }>(
            `${containerFolder({ taskId, name })}/container.json`,
          );
          if (record !== undefined) containers.push({ runtime, ...record });
        }
        tasks.push({ taskId, task: await read<TaskRecord>(`${taskFolder(taskId)}/task.json`), containers });
      }
      return tasks;
    },
    removeTask: (taskId) => fs.rm(taskFolder(taskId), { recursive: true, force: true }),
  };
}

/** One task of one installation, on the whole machine. */
export function sharedKey({ cgroupsPath }: Pick<TaskRecord, 'cgroupsPath'>): string {
  return cgroupsPath.replace('/holdfast/', '').replaceAll('/', '-');
}

export function layersOf(record: ContainerRecord): LayerOfView[] {
  return record.layers.map(({ path, opaque }) => ({ path, opaque: new Set(opaque) }));
}

/**
 * Whole or not at all. Not flushed: after a crash of the machine no container runs that it could tell of. And so it goes to the page
 * cache only, in less time than it takes to hand it to another thread.
 */
async function save(path: string, record: unknown): Promise<void> {
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

async function read<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await fs.readFile(path, 'utf8')) as T;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export async function names(path: string): Promise<string[]> {
  try {
    return await fs.readdir(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
