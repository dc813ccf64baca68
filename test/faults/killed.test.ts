import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { blobOf, freshConfig, imageManifest, type Blob, type Manifest } from '../conformance/content.ts';
import { ServerGone, startNumbered, type NumberedServer } from './numbered-client.ts';

/** Work on a server that may die at any step of it. One for each step: all content is new. */
interface Work {
  /** On a server that stays up. */
  prepare(server: NumberedServer): Promise<void>;
  /** `change` runs one request that changes something: by it the audit log is held to exactly one row for each. */
  act(server: NumberedServer, change: Change): Promise<void>;
  /** What a client does after its server came back, however far it had got. The server stays up. */
  resume(server: NumberedServer): Promise<void>;
  /** Everything is there now as if nothing had happened. */
  verify(server: NumberedServer): Promise<void>;
  /** Actions that the audit log has then, in order. */
  audited: string[];
}

type Change = <T>(action: string, request: () => Promise<T>) => Promise<T>;

const HOUR = 60 * 60 * 1000;
const repository = 'team/app';
/** More steps than any work has: a loop that goes on is a failure, not a wait. */
const MOST = 400;
/**
 * A server that is killed and started again takes most of a second, and the steps of a work repeat themselves: three for
 * each transaction, five for each request. One step of four meets each of these; HOLDFAST_SOAK=1 takes every step.
 */
const [SOME, HALF] = process.env['HOLDFAST_SOAK'] === '1' ? [1, 1] : [4, 2];

/** Kills the server at the steps of the work, one of `stride` after the other, until it does the work without dying. */
async function killAtSteps(t: TestContext, stride: number, begin: () => Work): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-killed-'));
  let server = await startNumbered(folder);
  t.after(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });
  await createRepository(server);
  let killed = 0;
  for (let at = 1; at < MOST; at += stride) {
    const work = begin();
    await work.prepare(server);
    const { audit: audited, ahead } = await server.ask({ kind: 'check', whole: false });
    const before = audited.length;
    await server.ask({ kind: 'arm', at });
    const acknowledged: string[] = [];
    let underWay: string[] = [];
    const change: Change = async (action, request) => {
      underWay = [action];
      const result = await request();
      acknowledged.push(action);
      underWay = [];
      return result;
    };
    let steps: string[] | undefined;
    try {
      await work.act(server, change);
      steps = (await server.ask({ kind: 'arm', at: 0 })).steps;
    } catch (error) {
      if (!(error instanceof ServerGone)) throw error;
      assert.equal(await server.gone, 'SIGKILL', `step ${at}`);
      killed++;
      await server.stop();
      server = await startNumbered(folder, { ahead });
    }
    const where = `killed at step ${at}`;
    const { wrong, audit } = await server.ask({ kind: 'check', whole: false });
    assert.deepEqual(wrong, [], where);
    const actions = audit.slice(before).map((row) => row.action);
    const possible = [acknowledged, [...acknowledged, ...underWay]].map((list) => list.join());
    assert.ok(
      possible.includes(actions.join()),
      `${where}: acknowledged ${acknowledged.join()}, under way ${underWay.join()}, recorded ${actions.join()}`,
    );

    await work.resume(server);
    await work.verify(server);
    const after = await server.ask({ kind: 'check', whole: false });
    assert.deepEqual(after.wrong, [], `${where}, and resumed`);
    assert.deepEqual(
      after.audit.slice(before).map((row) => row.action),
      work.audited,
      `${where}, and resumed`,
    );
    if (steps === undefined) continue;

    assert.ok(at > steps.length, 'the server was to die, and did not');
    await server.ask({ kind: 'advance', milliseconds: 26 * HOUR });
    await server.ask({ kind: 'collect', purge: false });
    const end = await server.ask({ kind: 'check', whole: true });
    assert.deepEqual(end.wrong, [], 'after a collection of all that the killed servers left behind');
    t.diagnostic(`killed at ${killed} of ${steps.length} steps: ${tally(steps)}`);
    return steps;
  }
  throw new Error(`more than ${MOST} steps`);
}

describe('kill -9', { concurrency: 2 }, () => {
  test('at the steps of the first start', async (t) => {
    let count = 0;
    let killed = 0;
    for (let at = 1; at < MOST; at += HALF) {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-killed-'));
      t.after(() => rm(folder, { recursive: true }));
      try {
        const server = await startNumbered(folder, { armedAt: at });
        count = server.started.steps.length;
        await server.stop();
      } catch (error) {
        if (!(error instanceof ServerGone)) throw error;
        killed++;
      }
      const server = await startNumbered(folder);
      await createRepository(server);
      await pushBlob(server, freshBlob());
      assert.deepEqual((await server.ask({ kind: 'check', whole: false })).wrong, [], `killed at step ${at}`);
      await server.stop();
      if (count > 0) break;
    }
    assert.ok(count > 5, `only ${count} steps`);
    t.diagnostic(`killed at ${killed} of ${count} steps`);
  });

  test('at every step of a blob pushed in one piece', async (t) => {
    // Every step: it is the work whose steps differ most.
    const steps = await killAtSteps(t, 1, () => {
      const blob = freshBlob();
      const push = async (server: NumberedServer, change: Change) => {
        const location = await openUpload(server);
        await change('blob.push', () =>
          server.send({ method: 'PUT', url: `${location}?digest=${blob.digest}`, body: blob.bytes }, 201),
        );
      };
      return {
        prepare: async () => {},
        act: push,
        async resume(server) {
          if ((await server.send({ method: 'HEAD', url: blobUrl(blob) }, 200, 404)).status === 404) await push(server, unwatched);
        },
        verify: (server) => expectBlob(server, blob),
        audited: ['blob.push'],
      };
    });
    for (const name of [
      'create',
      'write',
      'datasync',
      'rename',
      'sync directory',
      'begin',
      'commit',
      'committed',
      'answer',
      'answered',
    ]) {
      assert.ok(steps.includes(name), `no step ${name}`);
    }
  });

  test('at the steps of a blob pushed in chunks, of which no acknowledged one is sent again', async (t) => {
    await killAtSteps(t, SOME, () => {
      const blob = freshBlob();
      const third = Math.floor(blob.bytes.length / 3);
      const ends = [third, 2 * third, blob.bytes.length];
      let location: string | undefined;
      let acknowledged = 0;
      const go = async (server: NumberedServer, change: Change) => {
        location ??= await openUpload(server);
        for (const end of ends) {
          if (acknowledged >= end) continue;
          const body = blob.bytes.subarray(acknowledged, end);
          const headers = { 'Content-Range': `${acknowledged}-${end - 1}` };
          if (end === blob.bytes.length) {
            await change('blob.push', () =>
              server.send({ method: 'PUT', url: `${location}?digest=${blob.digest}`, headers, body }, 201),
            );
          } else {
            await server.send({ method: 'PATCH', url: String(location), headers, body }, 202);
            acknowledged = end;
          }
        }
      };
      return {
        prepare: async () => {},
        act: go,
        async resume(server) {
          if (location === undefined) return go(server, unwatched);
          if ((await server.send({ method: 'HEAD', url: blobUrl(blob) }, 200, 404)).status === 200) return;
          const { headers } = await server.send({ method: 'GET', url: location }, 204);
          const last = Number(/^0-(\d+)$/.exec(String(headers.range))?.[1]);
          const offset = last === 0 ? 0 : last + 1;
          assert.ok(offset >= acknowledged, `the server has ${offset} bytes and had acknowledged ${acknowledged}`);
          acknowledged = offset;
          await go(server, unwatched);
        },
        verify: (server) => expectBlob(server, blob),
        audited: ['blob.push'],
      };
    });
  });

  test('at the steps of manifests, tags moved and removed, images deleted and restored', async (t) => {
    await killAtSteps(t, SOME, () => {
      const [one, other] = [freshImage(), freshImage()];
      const tag = `v-${randomBytes(6).toString('hex')}`;
      const put = (server: NumberedServer, { manifest }: Image) =>
        server.send(
          { method: 'PUT', url: manifestUrl(tag), headers: { 'Content-Type': manifest.mediaType }, body: manifest.bytes },
          201,
        );
      const remove = (server: NumberedServer, what: string, ...expected: number[]) =>
        server.send({ method: 'DELETE', url: manifestUrl(what) }, 202, ...expected);
      const restore = (server: NumberedServer, ...expected: number[]) =>
        server.send(
          {
            method: 'POST',
            url: '/holdfast/v1/image-restores',
            headers: { 'Content-Type': 'application/json' },
            body: Buffer.from(JSON.stringify({ repository, digest: one.manifest.digest })),
          },
          200,
          ...expected,
        );
      let done = 0;
      // Asked again, each of them changes nothing; the third then finds the tag gone, and so on.
      const requests: [string, (server: NumberedServer, again: boolean) => Promise<unknown>][] = [
        ['image.push', (server) => put(server, one)],
        ['image.push', (server) => put(server, other)],
        ['tag.delete', (server, again) => remove(server, tag, ...(again ? [404] : []))],
        ['image.delete', (server, again) => remove(server, one.manifest.digest, ...(again ? [404] : []))],
        ['image.restore', (server, again) => restore(server, ...(again ? [404] : []))],
      ];
      return {
        async prepare(server) {
          for (const blob of [one.config, one.layer, other.config, other.layer]) await pushBlob(server, blob);
        },
        async act(server, change) {
          for (const [action, request] of requests) {
            await change(action, () => request(server, false));
            done++;
          }
        },
        async resume(server) {
          for (const [index, [, request]] of requests.entries()) if (index >= done) await request(server, index === done);
        },
        async verify(server) {
          await server.send({ method: 'GET', url: manifestUrl(tag) }, 404);
          for (const image of [one, other]) {
            const { body } = await server.send({ method: 'GET', url: manifestUrl(image.manifest.digest) }, 200);
            assert.ok(body.equals(image.manifest.bytes));
            await expectBlob(server, image.config);
            await expectBlob(server, image.layer);
          }
        },
        audited: requests.map(([action]) => action),
      };
    });
  });

  test('at the steps of a collection', async (t) => {
    let last: Image | undefined;
    await killAtSteps(t, SOME, () => {
      const [deleted, kept] = [freshImage(), freshImage()];
      const loose = freshBlob();
      return {
        async prepare(server) {
          await pushImage(server, deleted);
          await pushImage(server, kept);
          // A store that grew with each round would have more steps than there are rounds.
          if (last !== undefined) await server.send({ method: 'DELETE', url: manifestUrl(last.manifest.digest) }, 202);
          last = kept;
          await pushBlob(server, loose);
          await openUpload(server);
          await server.send({ method: 'DELETE', url: manifestUrl(deleted.manifest.digest) }, 202);
          await server.ask({ kind: 'advance', milliseconds: 25 * HOUR });
        },
        act: async (server) => void (await server.ask({ kind: 'collect', purge: false })),
        resume: async (server) => void (await server.ask({ kind: 'collect', purge: false })),
        async verify(server) {
          for (const blob of [deleted.config, deleted.layer, loose])
            await server.send({ method: 'GET', url: blobUrl(blob) }, 404);
          await server.send({ method: 'GET', url: manifestUrl(kept.manifest.digest) }, 200);
          await expectBlob(server, kept.config);
          await expectBlob(server, kept.layer);
        },
        audited: [],
      };
    });
  });
});

interface Image {
  config: Blob;
  layer: Blob;
  manifest: Manifest;
}

const unwatched: Change = (_action, request) => request();
const blobUrl = (blob: Blob) => `/v2/${repository}/blobs/${blob.digest}`;
const manifestUrl = (reference: string) => `/v2/${repository}/manifests/${reference}`;
const freshBlob = () => blobOf(randomBytes(30_000));

function freshImage(): Image {
  const [config, layer] = [freshConfig(), freshBlob()];
  return { config, layer, manifest: imageManifest(config, [layer]) };
}

async function createRepository(server: NumberedServer): Promise<void> {
  await server.ask({ kind: 'create', repository });
}

async function openUpload(server: NumberedServer): Promise<string> {
  return String((await server.send({ method: 'POST', url: `/v2/${repository}/blobs/uploads/` }, 202)).headers.location);
}

async function pushBlob(server: NumberedServer, blob: Blob): Promise<void> {
  await server.send({ method: 'PUT', url: `${await openUpload(server)}?digest=${blob.digest}`, body: blob.bytes }, 201);
}

async function pushImage(server: NumberedServer, image: Image): Promise<void> {
  await pushBlob(server, image.config);
  await pushBlob(server, image.layer);
  await server.send(
    {
      method: 'PUT',
      url: manifestUrl(image.manifest.digest),
      headers: { 'Content-Type': image.manifest.mediaType },
      body: image.manifest.bytes,
    },
    201,
  );
}

async function expectBlob(server: NumberedServer, blob: Blob): Promise<void> {
  const { body } = await server.send({ method: 'GET', url: blobUrl(blob) }, 200);
  assert.ok(body.equals(blob.bytes), `${blob.digest} came back as other bytes`);
}

function tally(steps: string[]): string {
  const counts = new Map<string, number>();
  for (const name of steps) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
}
