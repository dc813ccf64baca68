/**
 * A server in a process of its own that ends itself, as by kill -9, at a step of which the parent says the number. Talks
 * with its parent by messages; see `Order` and `Report`.
 */
import { OutgoingMessage, ServerResponse } from 'node:http';
import { readConfig } from '../../src/config.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { MetaStore } from '../../src/core/meta-store.ts';
import { parseRepositoryName } from '../../src/core/repository-name.ts';
import { createNodeFileSystem } from '../../src/drivers/blobs/file-system.ts';
import { openFileBlobs } from '../../src/drivers/blobs/fs.ts';
import { systemClock } from '../../src/drivers/system/clock.ts';
import { createLineLogger } from '../../src/drivers/system/logger.ts';
import type { RegistryTables } from '../../src/registry/schema.ts';
import { startServer } from '../../src/serve.ts';
import { checkInvariants } from '../support/check-invariants.ts';
import { READING, stepFiles, stepMeta } from './seams.ts';

/** What the parent asks for. */
export type Order =
  /** Count from 1 on, and end at step `at`; 0: never. Answers with how many there were since the last order. */
  | { kind: 'arm'; at: number }
  /** What is wrong in the store, and what it has acknowledged. With `whole`, a file without a row is wrong, too. */
  | { kind: 'check'; whole: boolean }
  | { kind: 'collect'; purge: boolean }
  | { kind: 'advance'; milliseconds: number }
  | { kind: 'create'; repository: string }
  | { kind: 'close' };

export interface Report {
  url: string;
  steps: string[];
  wrong: string[];
  audit: { action: string; detail: string }[];
  /** Milliseconds by which its clock is ahead of the machine's. */
  ahead: number;
}

const [dataFolder = '', firstArm = '0', firstAhead = '0'] = process.argv.slice(2);
const steps: string[] = [];
let armedAt = Number(firstArm);
let ahead = Number(firstAhead);
let metaStore: MetaStore<RegistryTables> | undefined;

async function step(name: string, tear?: () => Promise<void>): Promise<void> {
  if (READING.has(name)) return;
  steps.push(name);
  if (steps.length !== armedAt) return;
  if (tear !== undefined) await tear();
  process.kill(process.pid, 'SIGKILL');
  // The signal takes a moment; nothing may go on meanwhile.
  await new Promise(() => {});
}

// An answer is two steps more: nothing sent yet, and all sent.
const plainEnd = Object.getOwnPropertyDescriptor(OutgoingMessage.prototype, 'end')?.value as (
  ...all: unknown[]
) => ServerResponse;
ServerResponse.prototype.end = function end(this: ServerResponse, ...all: unknown[]): ServerResponse {
  void step('answer').then(() => {
    this.once('finish', () => void step('answered'));
    plainEnd.apply(this, all);
  });
  return this;
} as ServerResponse['end'];

const clock = { now: () => systemClock.now() + ahead, monotonic: () => systemClock.monotonic() + ahead };
const config = readConfig(
  {
    HOLDFAST_DATA: dataFolder,
    HOLDFAST_PORT: '0',
    HOLDFAST_ACCESS_KEY_ID: 'AKIAFAULTS',
    HOLDFAST_SECRET_ACCESS_KEY: 'not-a-secret',
    HOLDFAST_COLLECT_EVERY: '0',
    HOLDFAST_LEASE: '15m',
  },
  {},
  dataFolder,
);
const server = await startServer(config, {
  clock,
  // Whatever it calls an error is one that nobody provoked.
  log: createLineLogger(process.stderr, 'error', clock),
  fileSystem: stepFiles(createNodeFileSystem(), step),
  meta(inner) {
    metaStore = inner as unknown as MetaStore<RegistryTables>;
    return stepMeta(inner, step);
  },
});
const meta = metaStore as MetaStore<RegistryTables>;

async function report(wrong: string[] = []): Promise<void> {
  const audit = await meta.read.selectFrom('audit').select(['action', 'detail']).orderBy('id').execute();
  const told: Report = { url: server.url, steps: [...steps], wrong, audit, ahead };
  process.send?.(told);
}

async function obey(order: Order): Promise<void> {
  if (order.kind === 'arm') {
    const before = steps.splice(0);
    armedAt = order.at;
    process.send?.({ url: server.url, steps: before, wrong: [], audit: [], ahead } satisfies Report);
  } else if (order.kind === 'check') {
    const blobs = await openFileBlobs({ root: config.blobsFolder, log: silentLogger });
    const wrong = await checkInvariants({ meta, blobs, ...(order.whole ? { orphansBefore: clock.now() } : {}) });
    await blobs.close();
    await report(wrong);
  } else if (order.kind === 'collect') {
    await server.registry.collector.run({ purge: order.purge });
    await step('collected');
    await report();
  } else if (order.kind === 'create') {
    await server.registry.repositories.create(
      { account: config.accountId, region: config.regions[0] ?? '', principal: 'test' },
      parseRepositoryName(order.repository),
    );
    await report();
  } else if (order.kind === 'advance') {
    ahead += order.milliseconds;
    await report();
  } else {
    await server.close();
    process.disconnect();
  }
}

process.on('message', (order: Order) => void obey(order));
await report();
