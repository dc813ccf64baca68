import { writeSync } from 'node:fs';
import { isFault } from '../../core/fault.ts';
import { contractMigrations, type ContractTables } from './meta-store.contract.ts';
import { openSqliteMeta } from './sqlite.ts';

/**
 * A process to kill (`sqlite.test.ts`). `count` writes row after row, and the name of each once it is acknowledged;
 * `count-unflushed` without flushes; `fill` does so until the disk refuses, and then says how it fares.
 */
const [task, path] = process.argv.slice(2);
if (task === undefined || path === undefined) throw new Error('usage: sqlite.child.ts count|count-unflushed|fill <database>');

// Synchronous, so that a kill right after leaves the line in the pipe.
const say = (line: string): void => void writeSync(1, `${line}\n`);
const store = await openSqliteMeta<ContractTables>({ path, migrations: contractMigrations, now: () => 1 });
const write = async (name: string): Promise<void> => {
  await store.transact(
    (transaction) => transaction.insertInto('shelf').values({ name }).execute(),
    task === 'count-unflushed' ? { survives: 'kill' } : {},
  );
};

if (task !== 'fill') {
  for (let number = 0; ; number++) {
    const name = `${process.pid}-${number}`;
    await write(name);
    say(name);
  }
} else {
  const refusal = async (name: string): Promise<string | undefined> => {
    try {
      await write(name);
      return undefined;
    } catch (error) {
      return isFault(error) ? error.kind : String(error);
    }
  };
  for (let number = 0; ; number++) {
    const refused = await refusal(`${number}-${'x'.repeat(3000)}`);
    say(refused ?? String(number));
    if (refused !== undefined) break;
  }
  say((await refusal('small')) ?? 'accepted');
  await store.read.selectFrom('shelf').select('id').limit(1).execute();
  say('readable');
}
