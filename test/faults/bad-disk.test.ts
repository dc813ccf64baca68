import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { blobOf, freshConfig, imageManifest, type Blob } from '../conformance/content.ts';
import { createHttp, type Answer, type Http } from '../conformance/http.ts';
import { startHoldfast, type HoldfastProcess } from '../support/server.ts';

/** Loaded into the server before anything else: flushes fail once the file is there, as those of a dying disk do. */
const failingFlush = (flag: string) =>
  `data:text/javascript,${encodeURIComponent(`
    import { existsSync } from 'node:fs';
    import { open } from 'node:fs/promises';
    const handle = await open('/dev/null');
    const prototype = Object.getPrototypeOf(handle);
    await handle.close();
    const datasync = prototype.datasync;
    prototype.datasync = function () {
      if (existsSync(${JSON.stringify(flag)})) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
      return datasync.call(this);
    };
  `)}`;

function connect(server: HoldfastProcess): Http {
  const { accessKeyId, secretAccessKey } = server.credentials;
  return createHttp({
    baseUrl: server.url,
    authorization: `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`,
  });
}

async function pushBlob(http: Http, blob: Blob): Promise<Answer> {
  const { headers } = await http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
  return http.send({ method: 'PUT', url: `${headers.location}?digest=${blob.digest}`, body: blob.bytes });
}

const getBlob = (http: Http, blob: Blob, headers: Record<string, string> = {}) =>
  http.send({ method: 'GET', url: `/v2/app/blobs/${blob.digest}`, headers });

async function createRepository(server: HoldfastProcess): Promise<void> {
  const ecr = new ECR({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials });
  await ecr.createRepository({ repositoryName: 'app' });
  ecr.destroy();
}

test('a failed flush: the push is refused, the store takes no more, and the server ends with a clear last line', async (t) => {
  const flag = join(tmpdir(), `holdfast-flush-${process.pid}`);
  const server = await startHoldfast(t, { NODE_OPTIONS: `--import=${failingFlush(flag)}` });
  t.after(() => unlink(flag).catch(() => {}));
  await createRepository(server);
  const http = connect(server);
  t.after(() => http.close());
  const [before, during] = [blobOf(randomBytes(5000)), blobOf(randomBytes(5000))];
  assert.equal((await pushBlob(http, before)).status, 201);

  await writeFile(flag, '');
  const answer = await pushBlob(http, during).catch(() => undefined);
  // The server may be gone before its answer is; "created" is what it must never say.
  if (answer !== undefined) assert.equal(answer.status, 503, answer.body.toString());
  assert.equal(await server.ended(), 1);
  const lines = server.log().trim().split('\n');
  assert.match(lines.at(-1) ?? '', /^holdfast: stopped: flushing a staging file failed \(EIO\)/);

  await unlink(flag);
  await server.restart();
  const again = connect(server);
  t.after(() => again.close());
  assert.ok((await getBlob(again, before)).body.equals(before.bytes));
  assert.equal((await getBlob(again, during)).status, 404);
  assert.equal((await pushBlob(again, during)).status, 201);
});

/** The same for the database: its commits fail as SQLite says that they did when the disk refused. */
const failingCommit = (flag: string) =>
  `data:text/javascript,${encodeURIComponent(`
    import { existsSync } from 'node:fs';
    import { StatementSync } from 'node:sqlite';
    const run = StatementSync.prototype.run;
    StatementSync.prototype.run = function (...all) {
      if (this.sourceSQL === 'commit' && existsSync(${JSON.stringify(flag)})) throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 1034 });
      return run.apply(this, all);
    };
  `)}`;

test('a database that cannot flush: no push is acknowledged, and the server ends with a clear last line', async (t) => {
  const flag = join(tmpdir(), `holdfast-commit-${process.pid}`);
  const server = await startHoldfast(t, { NODE_OPTIONS: `--import=${failingCommit(flag)}` });
  t.after(() => unlink(flag).catch(() => {}));
  await createRepository(server);
  const http = connect(server);
  t.after(() => http.close());
  const { headers } = await http.send({ method: 'POST', url: '/v2/app/blobs/uploads/' });
  const blob = blobOf(randomBytes(5000));
  await writeFile(flag, '');
  const put = { method: 'PUT', url: `${headers.location}?digest=${blob.digest}`, body: blob.bytes };
  const answer = await http.send(put).catch(() => undefined);
  if (answer !== undefined) assert.equal(answer.status, 503, answer.body.toString());
  assert.equal(await server.ended(), 1);
  assert.match(server.log().trim().split('\n').at(-1) ?? '', /^holdfast: stopped: the metadata database: disk I\/O error/);

  await unlink(flag);
  await server.restart();
  const again = connect(server);
  t.after(() => again.close());
  assert.equal((await getBlob(again, blob)).status, 404);
  assert.equal((await again.send(put)).status, 201);
});

/** What happens to files on bad disks and under careless hands. */
const damages: Record<string, (path: string) => Promise<void>> = {
  'one bit flipped': async (path) => {
    const bytes = await readFile(path);
    const at = Math.floor(bytes.length / 3);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
  },
  'the end missing': (path) => truncate(path, 100),
  'nothing left in it': (path) => truncate(path, 0),
  'the file gone': (path) => unlink(path),
  'another blob in its place': (path) => writeFile(path, randomBytes(5000)),
};

test('a damaged blob is never served: said, put aside, logged, and healed by the next push', async (t) => {
  const server = await startHoldfast(t);
  await createRepository(server);
  const http = connect(server);
  t.after(() => http.close());
  for (const [what, damage] of Object.entries(damages)) {
    const blob = blobOf(randomBytes(5000));
    const config = freshConfig();
    const manifest = imageManifest(config, [blob]);
    assert.equal((await pushBlob(http, blob)).status, 201);
    assert.equal((await pushBlob(http, config)).status, 201);
    const image = {
      method: 'PUT',
      url: '/v2/app/manifests/latest',
      headers: { 'Content-Type': manifest.mediaType },
      body: manifest.bytes,
    };
    assert.equal((await http.send(image)).status, 201);
    assert.ok((await getBlob(http, blob)).body.equals(blob.bytes));

    await damage(blobFile(server, blob));
    for (const headers of [{}, { Range: 'bytes=0-9' }, {}] as Record<string, string>[]) {
      const answer = await getBlob(http, blob, headers);
      assert.equal(answer.status, 503, `${what}: ${answer.body.toString()}`);
      const { errors } = JSON.parse(answer.body.toString()) as { errors: { code: string; message: string }[] };
      assert.equal(errors[0]?.code, 'BLOB_CORRUPT');
    }
    assert.match(server.log(), new RegExp(`a blob is corrupt.*${blob.digest}`), what);
    const aside = await readdir(join(server.dataFolder, 'blobs', 'quarantine'));
    assert.equal(aside.includes(blob.digest.replace(':', '-')), what !== 'the file gone', what);

    // "Not here" is what makes a client push it again.
    assert.equal((await http.send({ method: 'HEAD', url: `/v2/app/blobs/${blob.digest}` })).status, 404, what);
    assert.equal((await pushBlob(http, blob)).status, 201, what);
    assert.ok((await getBlob(http, blob)).body.equals(blob.bytes), what);
  }
});

test('one scrub finds every damaged blob, and no other', async (t) => {
  const server = await startHoldfast(t);
  await createRepository(server);
  const http = connect(server);
  t.after(() => http.close());
  const all = Array.from({ length: 60 }, (_, index) => blobOf(randomBytes(1000 + index)));
  for (const blob of all) assert.equal((await pushBlob(http, blob)).status, 201);
  const bad = all.filter((_, index) => index % 3 === 0);
  const ways = Object.values(damages);
  for (const [index, blob] of bad.entries()) await ways[index % ways.length]?.(blobFile(server, blob));

  const { code, stdout, stderr } = await server.run(['gc', 'scrub', '--json']);
  assert.equal(code, 1, stderr);
  for (const blob of all) assert.equal(stdout.includes(blob.digest), bad.includes(blob), blob.digest);
  for (const blob of all) assert.equal((await getBlob(http, blob)).status, bad.includes(blob) ? 503 : 200);
});

function blobFile(server: HoldfastProcess, blob: Blob): string {
  const hex = blob.digest.slice('sha256:'.length);
  return join(server.dataFolder, 'blobs', 'blobs', 'sha256', hex.slice(0, 2), hex);
}
