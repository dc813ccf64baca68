import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/image-source.ts';
import { plainEnv, runProgram } from '../support/server.ts';
import { requireRoot, requireTool } from '../support/tools.ts';

const holdfast = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

/** What each claim begins with, in the order of the story. */
const CLAIMS = [
  'one task was started by the tag',
  'the events say the same',
  'asked over HTTP, all three tasks serve version one',
  'asked over HTTP, all six tasks serve version one',
  'refused, and the refusal names the service web',
  'asked over HTTP, all six tasks serve version two',
  'looked at [0-9]+ times on the way, there were never fewer than six',
  'version one runs nowhere now, and still cannot be deleted',
  'asked over HTTP, all six tasks serve version one',
  'looked at [0-9]+ times on the way, there were never fewer than six',
  'all six run the old digest, while the tag still points at version two',
];

/** Bridges of the machine: each installation makes one for its containers. */
function bridges(): string[] {
  return Object.keys(networkInterfaces()).filter((name) => /^hf[0-9a-f]+$/.test(name));
}

/** Processes whose environment or arguments name the folder. */
async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const id of await readdir('/proc')) {
    if (!/^[0-9]+$/.test(id)) continue;
    const [environment, words] = await Promise.all(
      ['environ', 'cmdline'].map((file) => readFile(`/proc/${id}/${file}`, 'latin1').catch(() => '')),
    );
    if (`${environment}${words}`.includes(folder)) found.push(id);
  }
  return found;
}

test('the demonstration holds on real containers, and leaves nothing behind', async (t) => {
  if (requireTool(t, 'busybox') === undefined || requireTool(t, 'nft') === undefined || !requireRoot(t)) return;
  const folder = await temporaryFolder(t);
  const there = bridges();
  const { code, stdout, stderr } = await runProgram(holdfast, ['demo', '--runtime', 'oci'], {
    env: { ...plainEnv(), TMPDIR: folder, AWS_ENDPOINT_URL: 'http://127.0.0.1:1', HOLDFAST_DATA: '/nonexistent' },
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  const claims = stdout.split('\n').filter((line) => line.startsWith('  ✓ '));
  assert.equal(claims.length, CLAIMS.length, claims.join('\n'));
  for (const [index, claim] of CLAIMS.entries()) assert.match(claims[index] ?? '', new RegExp(`✓ ${claim}`));
  assert.match(stdout, /"containerImage": "127\.0\.0\.1:[0-9]+\/team\/web:stable"/);
  assert.match(stdout, /\(service web\) has started 2 tasks: \(task [0-9a-f]{32}\) \(task [0-9a-f]{32}\)\./);
  assert.deepEqual(await readdir(folder), []);
  assert.deepEqual(await processesOf(folder), []);
  assert.deepEqual(
    bridges().filter((name) => !there.includes(name)),
    [],
  );
});

test('without containers the same is shown with tasks that are played', async (t) => {
  if (requireTool(t, 'busybox') === undefined) return;
  const folder = await temporaryFolder(t);
  const { code, stdout, stderr } = await runProgram(holdfast, ['demo', '--runtime', 'simulated'], {
    env: { ...plainEnv(), TMPDIR: folder },
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.equal(stdout.split('\n').filter((line) => line.startsWith('  ✓ ')).length, CLAIMS.length);
  assert.deepEqual(await readdir(folder), []);
});

test('stopped in the middle, it tidies up', async (t) => {
  if (requireTool(t, 'busybox') === undefined) return;
  const folder = await temporaryFolder(t);
  const child = spawn(holdfast, ['demo', '--runtime', 'simulated'], {
    env: { ...plainEnv(), TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const closed = new Promise<number | null>((resolve) => void child.once('close', resolve));
  let isInterrupted = false;
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (isInterrupted || !line.startsWith('$ aws ecs create-service')) return;
    isInterrupted = true;
    child.kill('SIGINT');
  });
  assert.equal(await closed, 1);
  assert.match(said, /Stopped before its end/);
  assert.deepEqual(await readdir(folder), []);
  assert.deepEqual(await processesOf(folder), []);
});

test('a runtime that nobody knows is wrong usage', async () => {
  const { code, stderr } = await runProgram(holdfast, ['demo', '--runtime', 'cloud']);
  assert.equal(code, 2);
  assert.match(stderr, /--runtime takes one of auto, oci, docker, simulated/);
});
