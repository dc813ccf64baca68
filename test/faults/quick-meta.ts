import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { MetaStore } from '../../src/core/meta-store.ts';
import { openSqliteMeta } from '../../src/drivers/meta/sqlite.ts';
import { registryMigrations } from '../../src/registry/migrations.ts';
import type { RegistryTables } from '../../src/registry/schema.ts';

/** A real database whose flushes cost nothing, where the machine has a file system in memory; it goes away with the test. */
export async function openQuickMeta(test: Pick<TestContext, 'after'>): Promise<MetaStore<RegistryTables>> {
  const folder = await mkdtemp(join(quickFolder(), 'holdfast-faults-'));
  const meta = await openSqliteMeta<RegistryTables>({
    path: join(folder, 'meta.db'),
    migrations: registryMigrations,
    now: () => 0,
  });
  test.after(async () => {
    await meta.close();
    await rm(folder, { recursive: true });
  });
  return meta;
}

export function quickFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}
