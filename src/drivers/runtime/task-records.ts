import { renameSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskRecords } from '../../orchestrator/container-engine.ts';

const NAME = /^([a-f0-9]{32})\.json$/;

/**
 * Records as one file for each task, readable by the owner only: they may hold credentials until the images are there.
 *
 * A file is replaced whole. It is not forced to the disk each time: what a power cut would take back is the record of containers
 * that the same power cut has ended.
 */
export function createFileTaskRecords(folder: string): TaskRecords {
  let made: Promise<unknown> | undefined;
  const ready = (): Promise<unknown> => {
    made ??= mkdir(folder, { recursive: true, mode: 0o700 });
    return made;
  };
  const pathOf = (taskId: string): string => {
    const name = `${taskId}.json`;
    if (!NAME.test(name)) throw new Error('a task has an id of 32 hexadecimal digits');
    return join(folder, name);
  };
  return {
    async keep(taskId, text) {
      await ready();
      const path = pathOf(taskId);
      // At once: a few kilobytes to the page cache take less time than four turns of the event loop, several times a start.
      writeFileSync(`${path}.new`, text, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    async all() {
      await ready();
      const ids = (await readdir(folder)).flatMap((name) => NAME.exec(name)?.[1] ?? []);
      return Promise.all(ids.map(async (taskId) => ({ taskId, text: await readFile(pathOf(taskId), 'utf8') })));
    },
    async remove(taskId) {
      await rm(pathOf(taskId), { force: true });
      await rm(`${pathOf(taskId)}.new`, { force: true });
    },
  };
}

export function createMemoryTaskRecords(): TaskRecords {
  const texts = new Map<string, string>();
  return {
    keep: (taskId, text) => Promise.resolve(void texts.set(taskId, text)),
    all: () => Promise.resolve([...texts].map(([taskId, text]) => ({ taskId, text }))),
    remove: (taskId) => Promise.resolve(void texts.delete(taskId)),
  };
}
