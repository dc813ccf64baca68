import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { test, type TestContext } from 'node:test';
import type { ContainerEngine } from '../../../orchestrator/container-engine.ts';
import { systemClock } from '../../system/clock.ts';
import { systemIds } from '../../system/ids.ts';
import { openOciEngine } from './oci-engine.ts';
import { busyboxLayer, containerSpec, createTestImages, pinned, reasonToSkip, taskSpec } from './testing.ts';

const skip = await reasonToSkip();

interface Bench {
  folder: string;
  images: ReturnType<typeof createTestImages>;
  warnings: string[];
  open(binary?: string): Promise<ContainerEngine>;
  /** A program of this name that is first on the path. */
  program(name: string, script: string): Promise<string>;
}

async function setUp(t: TestContext): Promise<Bench> {
  const folder = await fs.mkdtemp(`${os.tmpdir()}/holdfast-runtimes-`);
  const images = createTestImages();
  const warnings: string[] = [];
  const path = process.env['PATH'];
  await fs.mkdir(`${folder}/bin`);
  process.env['PATH'] = `${folder}/bin:${path}`;
  t.after(async () => {
    process.env['PATH'] = path;
    await fs.rm(folder, { recursive: true, force: true, maxRetries: 20 });
  });
  const nothing = (): void => undefined;
  const warn = (message: string, facts?: Record<string, unknown>): void =>
    void warnings.push(`${message} ${JSON.stringify(facts)}`);
  return {
    folder,
    images,
    warnings,
    open: (binary) =>
      openOciEngine({
        folder: `${folder}/oci`,
        images: images.source,
        clock: systemClock,
        ids: systemIds,
        log: { debug: nothing, info: nothing, warn, error: warn },
        ...(binary === undefined ? {} : { binary }),
      }),
    async program(name, script) {
      await fs.writeFile(`${folder}/bin/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      return `${folder}/bin/${name}`;
    },
  };
}

test('a crun that can run nothing here gives way to runc, and the log says why', { skip }, async (t) => {
  const { open, program, warnings } = await setUp(t);
  await program(
    'crun',
    'case "$*" in --version) echo crun version 1.31 ;; *--help*) echo --keep ;; *) echo no such luck >&2; exit 1 ;; esac',
  );
  const engine = await open();
  t.after(() => engine.close());
  assert.match((await engine.host()).engineVersion ?? '', /^runc /);
  assert.match(warnings.join('\n'), /run by runc .*crun.* 1\.31 cannot run a container here: no such luck/);
});

test('a container stays with the runtime that started it', { skip }, async (t) => {
  const { folder, images, open, program } = await setUp(t);
  const other = await program('other-runc', `echo "$@" >> ${folder}/calls; exec runc "$@"`);
  const image = await images.add([await busyboxLayer()], { Cmd: ['sleep', '600'] });
  const task = taskSpec('0123456789abcdef0123456789abcdef', 'none', [containerSpec('a')]);
  const key = { taskId: task.id, name: 'a' };
  const before = await open(other);
  await before.pull(pinned(image));
  await before.prepare(task);
  for (const spec of task.containers) await before.create(task, { spec, image: pinned(image) });
  await before.start(key);
  await before.close();
  await fs.writeFile(`${folder}/calls`, '');

  const engine = await open();
  const ended = new Promise((resolve) => engine.observe(resolve));
  assert.deepEqual(
    (await engine.list()).map(({ state }) => state),
    ['running'],
  );
  assert.equal((await engine.exec(key, { command: ['echo', 'alive'], timeout: 5000, outputLimit: 10 })).output, 'alive\n');
  await engine.signal(key, 'SIGKILL');
  await ended;
  await engine.remove(task.id);
  await engine.close();
  const calls = await fs.readFile(`${folder}/calls`, 'utf8');
  for (const verb of ['exec', 'kill', 'delete']) assert.match(calls, new RegExp(` ${verb} `), calls);
});
