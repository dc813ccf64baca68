import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { runConformance } from './conformance.ts';
import type { Check } from './run.ts';

const REGISTRY = 'docker-registry';
const installed = spawnSync(REGISTRY, ['--version']).status === 0;

/** Debian's registry, version 2.8: what it is known not to do, the suite must find. */
test('the suite finds what another registry lacks', { skip: installed ? false : `${REGISTRY} is not installed` }, async (t) => {
  const baseUrl = await startRegistry(t);
  const checks: Check[] = [];
  await runConformance({
    baseUrl,
    version: 'dev',
    repositories: {
      main: 'conformance/main',
      other: 'conformance/other',
      nested: 'conformance/blobs/uploads',
      missing: 'conformance/missing',
    },
    report: (check) => checks.push(check),
  });
  const failed = checks.filter(({ status }) => status === 'fail').map(({ id }) => id);
  const passed = new Set(checks.filter(({ status }) => status === 'pass').map(({ id }) => id));
  t.diagnostic(`${checks.length} checks: ${passed.size} passed, ${failed.length} failed`);
  const gaps: Record<string, RegExp> = {
    'no referrers API': /^empty\/referrers-of-nothing-is-never-404$/,
    'no OCI-Subject': /^referrers\/sha256\/subject-header$/,
    'no sha512': /^uploads\/sha512\/post-put\/small\//,
    'no tag delete': /^deletes\/sha256\/tag$/,
    'chunks out of order are taken': /^uploads\/sha256\/chunks\/three-chunks\/chunk-0-at-a-gap$/,
    'a closing PUT out of order is taken': /^broken-chunks\/closing-put-out-of-order$/,
    'ranges outside of the blob': /^blob-reads\/sha256\/bytes=5000-10000$/,
    'no OCI-Tag': /^many-tags\/sha256\/every-tag-accepted$/,
    'no digest-algorithm': /^dev-uploads\/algorithm-unknown$/,
  };
  for (const [gap, id] of Object.entries(gaps))
    assert.ok(
      failed.some((each) => id.test(each)),
      `${gap}: no failed check ${id}`,
    );
  // And it does not fail what that registry does right.
  for (const id of [
    'empty/base',
    'uploads/sha256/post-put/small/get',
    'uploads/sha256/stream/large/get',
    'manifests/sha256/image/get-by-tag',
    'manifests/sha256/index/get-by-digest',
    'mounts/sha256/from/created',
    'wrong-digests/sha256/by-put',
    'tag-lists/list',
    'nested-names/blob',
    'deletes/sha256/manifest',
  ]) {
    assert.ok(passed.has(id), `${id}: ${checks.find((check) => check.id === id)?.detail ?? 'not run'}`);
  }
});

async function startRegistry(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-conformance-'));
  const port = await freePort();
  const config = join(folder, 'config.yml');
  await writeFile(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${folder}/data}, delete: {enabled: true}}\nhttp: {addr: '127.0.0.1:${port}'}\n`,
  );
  const child = spawn(REGISTRY, ['serve', config], { stdio: 'ignore' });
  t.after(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true });
  });
  const baseUrl = `http://127.0.0.1:${port}`;
  for (;;) {
    assert.equal(child.exitCode, null, `${REGISTRY} ended`);
    try {
      await fetch(`${baseUrl}/v2/`);
      return baseUrl;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
