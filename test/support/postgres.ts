import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { Cleanup } from './cleanup.ts';
import { freePort } from './free-port.ts';
import { findTool } from './tools.ts';

export const POSTGRES_PASSWORD = 'not-for-the-log';

/** Why a test that needs one is skipped. */
export const NO_POSTGRES = 'PostgreSQL is not installed (sh scripts/setup.sh test installs it)';

export interface PostgresServer {
  readonly port: number;
  /** A new, empty database, with the password in its address. */
  createDatabase(options?: { encoding?: string }): Promise<string>;
  /** Runs one statement in a database, as its owner. */
  query(url: string, sql: string): Promise<Record<string, unknown>[]>;
  /** `immediate` ends it as a lost power supply would. */
  stop(how?: 'fast' | 'immediate'): Promise<void>;
  start(): Promise<void>;
}

/** In memory, where there is room: each database is 300 files, and to make and remove them by the hundred is slow on a disk. */
async function quickFolder(): Promise<string> {
  const memory = '/dev/shm';
  const { bavail, bsize } = await statfs(memory).catch(() => ({ bavail: 0, bsize: 0 }));
  return bavail * bsize >= 2 ** 30 ? memory : tmpdir();
}

/**
 * A PostgreSQL server of the test's own, on a free port; undefined where none is installed. It goes away with the
 * test. Without `flush`, nothing waits for the disk.
 */
export async function startPostgres(test: Cleanup, { flush = true } = {}): Promise<PostgresServer | undefined> {
  const postgres = findTool('postgres');
  const initdb = findTool('initdb');
  if (postgres === undefined || initdb === undefined) return undefined;
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? await postgresUser() : {};
  const folder = await mkdtemp(join(flush ? tmpdir() : await quickFolder(), 'holdfast-postgres-'));
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  const run = promisify(execFile);
  await run('sh', ['-c', `umask 077; printf %s '${POSTGRES_PASSWORD}' >"$0"`, passwordFile], { ...user, cwd: folder });
  await run(initdb, ['-D', data, '-U', 'holdfast', '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8', '--no-sync'], {
    ...user,
    cwd: folder,
  });
  const port = await freePort();
  const addressOf = (database: string): string => `postgres://holdfast:${POSTGRES_PASSWORD}@127.0.0.1:${port}/${database}`;
  let child: ChildProcess | undefined;
  let databases = 0;

  async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async function start(): Promise<void> {
    child = spawn(postgres ?? '', ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, ...(flush ? [] : ['-F'])], {
      ...user,
      cwd: folder,
      stdio: 'ignore',
    });
    const deadline = Date.now() + 30_000;
    for (;;) {
      try {
        await query(addressOf('postgres'), 'select 1');
        return;
      } catch (error) {
        if (child.exitCode !== null || Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** SIGINT and SIGQUIT are PostgreSQL's fast and immediate ends. */
  async function stop(how: 'fast' | 'immediate' = 'fast'): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await ended;
  }

  test.after(async () => {
    await stop('immediate');
    await rm(folder, { recursive: true, force: true });
  });
  await start();
  return {
    port,
    async createDatabase({ encoding = 'UTF8' } = {}) {
      const name = `holdfast_${++databases}`;
      await query(
        addressOf('postgres'),
        `create database ${name} encoding '${encoding}' template template0 lc_collate 'C' lc_ctype 'C'`,
      );
      return addressOf(name);
    },
    query,
    start,
    stop,
  };
}

async function postgresUser(): Promise<{ uid?: number; gid?: number }> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((one) => one.startsWith('postgres:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? {} : { uid: Number(uid), gid: Number(gid) };
}
