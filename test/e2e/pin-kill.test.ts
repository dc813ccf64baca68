import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, watch } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createTree, type Tree } from './pin-world.ts';

const FILES = 64;
const DIGEST = `sha256:${'a'.repeat(64)}`;
/** So large that a write in place would be caught half done. */
const PADDING = `# ${'x'.repeat(98)}\n`.repeat(8_000);
const content = (image: string): string => `services:\n  web:\n    image: ${image}\n${PADDING}`;

let tree: Tree;
let host = '';
const server = http.createServer((request, response) => {
  response.writeHead(200, { 'docker-content-digest': DIGEST, 'content-type': 'application/vnd.oci.image.index.v1+json' }).end();
});
before(async () => {
  tree = await createTree();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(async () => {
  server.close();
  server.closeAllConnections();
  await tree.remove();
});

const names = Array.from({ length: FILES }, (_, index) => `compose.${index}.yaml`);

/** Starts a writing run and kills it without warning at the given event in the folder: of staging, or of putting files in place. */
async function killAt(what: 'staged' | 'placed', event: number): Promise<void> {
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, 'pin', '--write'], {
    cwd: tree.folder,
    env: { PATH: process.env['PATH'], HOME: tree.folder },
    stdio: 'ignore',
  });
  let events = 0;
  const watcher = watch(tree.folder, (_, name) => {
    if (name?.startsWith('.holdfast-pin') === (what === 'staged') && ++events === event) child.kill('SIGKILL');
  });
  const signal = await new Promise((resolve) => child.once('exit', (_, by) => resolve(by)));
  watcher.close();
  assert.equal(signal, 'SIGKILL', 'the run was over before it was killed');
}

test('a run killed in the middle of writing leaves every file old or new, and the next run finishes and cleans up', async () => {
  const [old, fresh] = [content(`${host}/team/web:1`), content(`${host}/team/web:1@${DIGEST}`)];
  let halfDone = 0;
  for (const [what, event] of [
    ['staged', 1],
    ['staged', 10],
    ['placed', 1],
    ['placed', 4],
    ['placed', 12],
    ['placed', 24],
  ] as const) {
    await tree.write(Object.fromEntries(names.map((name) => [name, old])));
    await killAt(what, event);
    let renewed = 0;
    for (const name of names) {
      const now = await tree.read(name);
      assert.ok(now === old || now === fresh, `${name} is neither old nor new`);
      if (now === fresh) renewed++;
    }
    if (renewed > 0 && renewed < FILES) halfDone++;
  }
  assert.ok(halfDone > 0, 'no run was killed in the middle');

  const finished = await tree.run(['pin', '--write']);
  assert.equal(finished.code, 0, finished.stderr);
  for (const name of names) assert.equal(await tree.read(name), fresh);
  assert.deepEqual(readdirSync(tree.folder).sort(), names.toSorted(), 'nothing temporary stays');
});
