import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readConfig } from '../../src/config.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { RepositoryName } from '../../src/core/repository-name.ts';
import { startServer } from '../../src/serve.ts';
import { createCleanup, type Cleanup } from '../support/cleanup.ts';
import { NO_POSTGRES, startPostgres } from '../support/postgres.ts';
import { requireAbility } from '../support/tools.ts';
import { runConformance } from './conformance.ts';
import type { Check } from './run.ts';

const repositories = {
  main: 'conformance/main',
  other: 'conformance/other',
  nested: 'conformance/blobs/uploads/manifests/tags/list',
  missing: 'conformance/missing',
};

test('everything that the distribution spec asks for, the newest included', (t) => assertConforms(t));

test('the same with the metadata on PostgreSQL', async (t) => {
  const cleanup = createCleanup();
  t.after(() => cleanup.run());
  const postgres = await startPostgres(cleanup);
  if (!requireAbility(t, postgres !== undefined, NO_POSTGRES)) return;
  await assertConforms(cleanup, { HOLDFAST_DATABASE_URL: await postgres?.createDatabase() });
});

async function assertConforms(t: Cleanup, env: Record<string, string | undefined> = {}): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-conformance-'));
  const config = readConfig({ HOLDFAST_DATA: folder, HOLDFAST_PORT: '0', HOLDFAST_RUNTIME: 'none', ...env }, {}, folder);
  const server = await startServer(config, { log: silentLogger });
  t.after(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });
  const caller = {
    account: config.accountId,
    region: config.regions[0] ?? '',
    principal: 'arn:aws:iam::123456789012:user/conformance',
  };
  for (const name of [repositories.main, repositories.other, repositories.nested])
    await server.registry.repositories.create(caller, name as RepositoryName);
  const { accessKeyId = '', secretAccessKey = '' } = server.firstKey ?? {};
  const checks: Check[] = [];
  await runConformance({
    baseUrl: server.url,
    authorization: `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`,
    version: 'dev',
    repositories,
    report: (check) => checks.push(check),
  });
  const wrong = checks.filter(({ status }) => status !== 'pass');
  assert.deepEqual(wrong.slice(0, 20), []);
  // A suite that stops early would pass, too.
  assert.ok(checks.length > 1500, `only ${checks.length} checks ran`);
}
