import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool } from '../../test/support/tools.ts';
import { median, ratio, type Report } from '../report.ts';
import {
  load,
  makeBlob,
  pull,
  pullParallel,
  pushChunked,
  pushMonolithic,
  pushStreamed,
  startUpload,
  type Blob,
  type LoadResult,
} from './clients.ts';
import { memoryOf, resetPeak, runningRegistry, startBareServer, startDockerRegistry, startHoldfast, type Peer } from './peers.ts';

const ROUNDS = Number(process.env['HOLDFAST_BENCH_ROUNDS'] ?? 5);
const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const REPOSITORY = 'bench';

/**
 * Beside Debian's docker-registry, in turns on the same machine, with our authentication and flushes on. Each figure is the
 * median of five rounds, as a ratio. `peer` is the address of one more registry, beside which the same is measured.
 */
export async function run(report: Report, { peer }: { peer?: string }): Promise<void> {
  if (findTool('docker-registry') === undefined || findTool('curl') === undefined)
    throw new Error('needs docker-registry and curl: sh scripts/setup.sh test');
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-blobs-'));
  const ours = await startHoldfast([REPOSITORY, 'tags', 'empty']);
  const theirs = [await startDockerRegistry()];
  try {
    if (peer !== undefined) theirs.push(await runningRegistry(peer));
    await starts(report, ours);
    report.row('memory when idle', mib(memoryOf(ours.processId ?? 0).now), 'promised: 110 MiB');
    const large = await pushes(report, ours, theirs, folder);
    await pulls(report, ours, theirs, large, folder);
    await requests(report, ours, theirs);
    await besidePush(report, ours, folder);
    await manyTags(report, ours);
  } finally {
    for (const each of [ours, ...theirs]) await each.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The first start of all compiles the server; what it leaves behind is there for every later one. */
async function starts(report: Report, first: { startMs: number }): Promise<void> {
  const later: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const peer = await startHoldfast([]);
    later.push(peer.startMs);
    await peer.close();
  }
  report.row(
    'start to first answer',
    `${Math.round(median(later))} ms`,
    `promised: 500 ms; the first one here took ${Math.round(first.startMs)} ms`,
  );
}

async function pushes(report: Report, ours: Peer, theirs: Peer[], folder: string): Promise<Blob> {
  const ways = [
    ['monolithic', pushMonolithic],
    ['streamed', pushStreamed],
    ['chunked', pushChunked],
  ] as const;
  const path = join(folder, 'large');
  let blob: Blob | undefined;
  for (const [name, push] of ways) {
    const seconds = await inTurns([...theirs, ours], async (peer, isFirst) => {
      // New bytes each time: nobody may say that the blob is there already.
      if (isFirst || blob === undefined) blob = makeBlob(path, GIB);
      // Who comes second finds the disk busy with the bytes of the first.
      settleDisk();
      return push(peer, REPOSITORY, blob);
    });
    rates(report, `push of 1 GiB, ${name}`, 1024, seconds, ours, theirs, 'promised: x2');
  }
  if (blob === undefined) throw new Error('no rounds');
  return blob;
}

/** What others wrote, the blob's own file first of all, is not for a push or a pull to wait for. */
function settleDisk(): void {
  if (spawnSync('sync').status !== 0) throw new Error('sync failed');
}

async function pulls(report: Report, ours: Peer, theirs: Peer[], large: Blob, folder: string): Promise<void> {
  const all = [...theirs, ours];
  settleDisk();
  const one = await inTurns(all, (peer) => pull(peer, REPOSITORY, large));
  rates(report, 'pull of 1 GiB', 1024, one, ours, theirs, 'promised: x1.6');

  const blobs: Blob[] = [];
  for (let n = 0; n < 100; n++) {
    const blob = makeBlob(join(folder, 'small'), 10 * MIB);
    for (const peer of all) await pushMonolithic(peer, REPOSITORY, blob);
    blobs.push(blob);
  }
  settleDisk();
  for (const { processId } of all) if (processId !== undefined) resetPeak(processId);
  const many = await inTurns(all, (peer) => pullParallel(peer, REPOSITORY, blobs, join(folder, 'curl.config')));
  rates(report, '100 parallel pulls of 10 MiB', 1000, many, ours, theirs, 'promised: x1.5');
  for (const peer of theirs) {
    // Only of a process on this machine can it be said.
    if (peer.processId === undefined) continue;
    const [a, b] = [ours, peer].map(({ processId = 0 }) => memoryOf(processId).peak);
    report.row(
      `peak memory of those pulls${beside(peer)}`,
      ratio(a ?? NaN, b ?? NaN),
      `${mib(a ?? NaN)} and ${mib(b ?? NaN)}; promised: x0.4 at most`,
    );
  }
}

/** A row for each peer: how many MiB a second, when `mebibytes` took these seconds. */
function rates(
  report: Report,
  what: string,
  mebibytes: number,
  seconds: Map<Peer, number>,
  ours: Peer,
  theirs: Peer[],
  promise: string,
): void {
  const a = mebibytes / (seconds.get(ours) ?? NaN);
  for (const peer of theirs) {
    const b = mebibytes / (seconds.get(peer) ?? NaN);
    report.row(`${what}${beside(peer)}`, ratio(a, b), `${a.toFixed(0)} and ${b.toFixed(0)} MiB/s; ${promise}`);
  }
}

/** The promises are about docker-registry, which is not named in every row. */
function beside({ name }: Peer): string {
  return name === 'docker-registry' ? '' : `, beside ${name}`;
}

async function requests(report: Report, ours: Peer, theirs: Peer[]): Promise<void> {
  const all = [...theirs, ours];
  const digests = new Map<Peer, string>();
  for (const peer of all) digests.set(peer, await pushSmallImage(peer, REPOSITORY, 'latest'));
  for (const [name, method, path] of [
    ['manifest GET by tag', 'GET', () => `/v2/${REPOSITORY}/manifests/latest`],
    ['HEAD of a blob', 'HEAD', (peer: Peer) => `/v2/${REPOSITORY}/blobs/${digests.get(peer)}`],
  ] as const) {
    const found = new Map<Peer, LoadResult[]>();
    for (let round = 0; round < ROUNDS; round++)
      for (const peer of all) found.set(peer, [...(found.get(peer) ?? []), await load(peer, method, path(peer), 4)]);
    const middle = (peer: Peer, figure: keyof LoadResult): number => median((found.get(peer) ?? []).map((each) => each[figure]));
    for (const peer of theirs) {
      const [a, b] = [middle(ours, 'perSecond'), middle(peer, 'perSecond')];
      report.row(`${name}${beside(peer)}`, ratio(a, b), `${a.toFixed(0)} and ${b.toFixed(0)} a second; promised: x8`);
      const [slowest, usual] = [middle(ours, 'p99'), middle(peer, 'median')];
      report.row(
        `${name}, our p99 to their median${beside(peer)}`,
        ratio(slowest, usual),
        `${slowest.toFixed(1)} and ${usual.toFixed(1)} ms; promised: below x1`,
      );
    }
  }
}

/**
 * Manifests are asked for, by as many connections as in the rows above and by one, while somebody pushes 1 GiB and the
 * collector runs all the time. Beside the same work a server that does nothing else is asked as well: what it loses is the
 * machine's doing.
 */
async function besidePush(report: Report, ours: Peer, folder: string): Promise<void> {
  const path = `/v2/${REPOSITORY}/manifests/latest`;
  const bare = await startBareServer();
  try {
    for (const connections of [64, 1]) {
      for (const peer of [ours, bare]) {
        const [idle, busy]: [number[], number[]] = [[], []];
        for (let round = 0; round < ROUNDS; round++) {
          const ask = async (): Promise<number> => (await load(peer, 'GET', path, 2, connections)).p99;
          idle.push(await ask());
          busy.push(await pushAndCollect(ours, folder, ask));
        }
        report.row(
          `p99 of a manifest GET beside a push and collections, ${connections === 1 ? 'one connection' : `${connections} connections`}${peer === ours ? '' : ', bare server'}`,
          ratio(median(busy), median(idle)),
          `${median(busy).toFixed(2)} and ${median(idle).toFixed(2)} ms when idle; ${peer === ours ? 'promised: x3 at most' : 'what the machine itself takes'}`,
        );
      }
    }
  } finally {
    await bare.close();
  }
}

async function pushAndCollect(ours: Peer, folder: string, measure: () => Promise<number>): Promise<number> {
  const blob = makeBlob(join(folder, 'beside'), GIB);
  settleDisk();
  let pushing = true;
  const collecting = (async () => {
    while (pushing) {
      const response = await fetch(`${ours.url}/holdfast/v1/collections`, {
        method: 'POST',
        headers: { ...ours.headers, 'Content-Type': 'application/json' },
        body: '{}',
      });
      if (!response.ok) throw new Error(`collections gave ${response.status}: ${await response.text()}`);
      await response.arrayBuffer();
    }
  })();
  const push = pushMonolithic(ours, REPOSITORY, blob).finally(() => (pushing = false));
  const result = await measure();
  await Promise.all([push, collecting]);
  return result;
}

async function manyTags(report: Report, ours: Peer): Promise<void> {
  await fillTags(ours, 0, 10_000);
  const full: number[] = [];
  const empty: number[] = [];
  for (let n = 0; n < 200; n++) {
    for (const [repository, times] of [
      ['tags', full],
      ['empty', empty],
    ] as const) {
      const { body } = await smallImage(ours, repository);
      const manifest = await variant(body, 1_000_000 + n);
      const started = performance.now();
      await putManifest(ours, repository, manifest, mediaType, `tag=fresh${n}`);
      times.push(performance.now() - started);
    }
  }
  report.row(
    'tag push into 10,000 tags',
    ratio(median(full), median(empty)),
    `${median(full).toFixed(2)} and ${median(empty).toFixed(2)} ms into few; promised: within 20 %`,
  );
  await fillTags(ours, 10_000, 100_000);
  const lists: number[] = [];
  for (let n = 0; n < 50; n++) {
    const started = performance.now();
    await (await fetch(`${ours.url}/v2/tags/tags/list?n=100`, { headers: ours.headers })).arrayBuffer();
    lists.push(performance.now() - started);
  }
  report.row('first page of 100,000 tags', `${median(lists).toFixed(2)} ms`, 'promised: 10 ms');
}

/** Tags `from` to `to`, a hundred on each image, some images at a time. */
async function fillTags(peer: Peer, from: number, to: number): Promise<void> {
  const each = 100;
  const { body } = await smallImage(peer, 'tags');
  for (let n = from; n < to; n += each * 8) {
    const firsts = Array.from({ length: 8 }, (_, group) => n + group * each).filter((first) => first < to);
    await Promise.all(
      firsts.map(async (first) => {
        const tags = Array.from({ length: Math.min(each, to - first) }, (_, m) => `tag=t${first + m}`).join('&');
        await putManifest(peer, 'tags', await variant(body, first), mediaType, tags);
      }),
    );
  }
}

/** The median seconds of each peer; every second round begins from the other end. */
async function inTurns(peers: Peer[], measure: (peer: Peer, isFirst: boolean) => Promise<number>): Promise<Map<Peer, number>> {
  const times = new Map<Peer, number[]>(peers.map((peer) => [peer, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const turns = round % 2 === 0 ? peers : peers.toReversed();
    for (const peer of turns) times.get(peer)?.push(await measure(peer, peer === turns[0]));
  }
  return new Map([...times].map(([peer, each]) => [peer, median(each)]));
}

const mediaType = 'application/vnd.oci.image.manifest.v1+json';

async function pushBytes(peer: Peer, repository: string, bytes: Buffer): Promise<string> {
  const { createHash } = await import('node:crypto');
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const location = await startUpload(peer, repository);
  const response = await fetch(`${location}${location.includes('?') ? '&' : '?'}digest=${digest}`, {
    method: 'PUT',
    headers: { ...peer.headers, 'Content-Type': 'application/octet-stream' },
    body: new Uint8Array(bytes),
  });
  if (response.status !== 201) throw new Error(`${peer.name}: PUT of a blob gave ${response.status}`);
  return digest;
}

async function smallImage(peer: Peer, repository: string): Promise<{ body: string; mediaType: string; layer: string }> {
  const layer = await pushBytes(peer, repository, Buffer.from('a layer'));
  const config = await pushBytes(peer, repository, Buffer.from('{}'));
  const body = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 2 },
    layers: Array.from({ length: 8 }, () => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer, size: 7 })),
  });
  return { body, mediaType, layer };
}

async function variant(body: string, number: number): Promise<string> {
  return body.replace('"schemaVersion":2', `"schemaVersion":2,"annotations":{"number":"${number}"}`);
}

async function putManifest(peer: Peer, repository: string, body: string, type: string, tags: string): Promise<void> {
  const { createHash } = await import('node:crypto');
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const response = await fetch(`${peer.url}/v2/${repository}/manifests/${digest}?${tags}`, {
    method: 'PUT',
    headers: { ...peer.headers, 'Content-Type': type },
    body,
  });
  if (response.status !== 201)
    throw new Error(`${peer.name}: PUT of a manifest gave ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
}

async function pushSmallImage(peer: Peer, repository: string, tag: string): Promise<string> {
  const { body, layer } = await smallImage(peer, repository);
  const response = await fetch(`${peer.url}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { ...peer.headers, 'Content-Type': mediaType },
    body,
  });
  if (response.status !== 201) throw new Error(`${peer.name}: PUT of a manifest gave ${response.status}`);
  await response.arrayBuffer();
  return layer;
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(0)} MiB`;
}
