/**
 * Loaded into a real server before all else (`NODE_OPTIONS=--import=…`): counts its commits and the programs that it starts,
 * each before and after, and ends it as by kill -9 at the one whose number is in the file. Writes the names beside it.
 */
import childProcess from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { isMainThread } from 'node:worker_threads';

const file = process.env['DIE_AT_FILE'] ?? '';
let count = 0;
let last = 0;

function armedAt(): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
}

function step(name: string): void {
  const at = armedAt();
  if (at !== last) count = 0;
  last = at;
  if (at === 0) return;
  count += 1;
  appendFileSync(`${file}.steps`, `${name}\n`);
  if (count !== at) return;
  process.kill(process.pid, 'SIGKILL');
  // The signal takes a moment; nothing may go on meanwhile.
  for (;;);
}

function around<This, All extends unknown[], T>(name: (...all: All) => string, inner: (this: This, ...all: All) => T) {
  return function wrapped(this: This, ...all: All): T {
    step(`before ${name(...all)}`);
    const result = inner.apply(this, all);
    step(`after ${name(...all)}`);
    return result;
  };
}

if (isMainThread && file !== '') {
  const { spawn } = childProcess;
  childProcess.spawn = around((program: string) => basename(program), spawn as never) as unknown as typeof spawn;
  syncBuiltinESMExports();
  const prepare = Object.getOwnPropertyDescriptor(DatabaseSync.prototype, 'prepare')?.value as (sql: string) => StatementSync;
  DatabaseSync.prototype.prepare = function prepareCounted(this: DatabaseSync, sql: string): StatementSync {
    const statement = prepare.call(this, sql);
    if (sql === 'commit') statement.run = around(() => 'commit', statement.run.bind(statement) as never) as StatementSync['run'];
    return statement;
  } as DatabaseSync['prepare'];
}
