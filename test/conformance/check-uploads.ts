import { ALGORITHMS, blobOf, freshBlob, type Algorithm, type Blob } from './content.ts';
import type { Answer } from './http.ts';
import { finishUpload, get, head, openUpload, withQuery } from './push.ts';
import { need, type Run, type Scenario } from './run.ts';

const CHUNK = 1024;

type Variant = (run: Run, id: string, repository: string, blob: Blob) => Promise<Answer>;

/** Every way in which a blob may come in. Each gives the answer that says it is there. */
const variants: Record<string, Variant> = {
  async 'post-only'(run, id, repository, { bytes, digest }) {
    const answer = await run.send({
      method: 'POST',
      url: `/v2/${repository}/blobs/uploads/?digest=${digest}`,
      headers: { 'Content-Type': 'application/octet-stream' },
      body: bytes,
    });
    if (answer.status !== 202) return answer;
    run.skip(`${id}/single-post`, 'answered 202, which says: not supported, go on with PUT');
    return finishUpload(run, need(answer.headers.location, 'location'), digest, bytes);
  },
  async 'post-only-chunked-encoding'(run, _id, repository, { bytes, digest }) {
    const answer = await run.send({
      method: 'POST',
      url: `/v2/${repository}/blobs/uploads/?digest=${digest}`,
      headers: { 'Content-Type': 'application/octet-stream' },
      body: [bytes],
    });
    return answer.status === 202 ? finishUpload(run, need(answer.headers.location, 'location'), digest, bytes) : answer;
  },
  async 'post-put'(run, id, repository, { bytes, digest }) {
    return finishUpload(run, await checkedSession(run, id, repository), digest, bytes);
  },
  async 'post-put-chunked-encoding'(run, id, repository, { bytes, digest }) {
    const location = await checkedSession(run, id, repository);
    return run.send({
      method: 'PUT',
      url: withQuery(location, `digest=${digest}`),
      headers: { 'Content-Type': 'application/octet-stream' },
      body: [bytes],
    });
  },
  async 'stream'(run, id, repository, { bytes, digest }) {
    const location = await checkedSession(run, id, repository);
    const half = Math.floor(bytes.length / 2);
    const patched = await run.send({
      method: 'PATCH',
      url: location,
      headers: { 'Content-Type': 'application/octet-stream' },
      body: [bytes.subarray(0, half), bytes.subarray(half)],
    });
    run.status(`${id}/patch`, patched, 202);
    if (bytes.length > 0) run.equal(`${id}/patch-range`, patched.headers.range, `0-${bytes.length - 1}`);
    return finishUpload(run, need(patched.headers.location, 'location'), digest);
  },
  async 'stream-then-last-by-put'(run, id, repository, { bytes, digest }) {
    const location = await checkedSession(run, id, repository);
    const half = Math.floor(bytes.length / 2);
    const patched = await run.send({
      method: 'PATCH',
      url: location,
      headers: { 'Content-Type': 'application/octet-stream' },
      body: [bytes.subarray(0, half)],
    });
    run.status(`${id}/patch`, patched, 202);
    return finishUpload(run, need(patched.headers.location, 'location'), digest, bytes.subarray(half));
  },
  'one-chunk': (run, id, repository, blob) => chunked(run, id, repository, blob, [blob.bytes.length], 'patch'),
  'one-chunk-by-put': (run, id, repository, blob) => chunked(run, id, repository, blob, [blob.bytes.length], 'put'),
  'chunks': (run, id, repository, blob) => chunked(run, id, repository, blob, cuts(blob.bytes.length), 'patch'),
  'chunks-last-by-put': (run, id, repository, blob) => chunked(run, id, repository, blob, cuts(blob.bytes.length), 'put'),
};

const sizes: [name: string, make: (algorithm: Algorithm) => Blob, variants: (variant: string) => boolean][] = [
  ['empty', (algorithm) => blobOf(Buffer.alloc(0), algorithm), (variant) => /^(post|stream$)/.test(variant)],
  ['two-bytes', (algorithm) => blobOf(Buffer.from('{}'), algorithm), (variant) => !variant.startsWith('chunks')],
  ['small', (algorithm) => freshBlob(1000, algorithm), (variant) => !variant.startsWith('chunks')],
  ['three-chunks', (algorithm) => freshBlob(CHUNK * 2 + 17, algorithm), () => true],
  ['large', (algorithm) => freshBlob(300_001, algorithm), (variant) => !variant.startsWith('chunks')],
];

export const uploads: Scenario = async (run) => {
  for (const algorithm of ALGORITHMS) {
    for (const [size, make, takes] of sizes) {
      for (const [name, variant] of Object.entries(variants)) {
        if (!takes(name)) continue;
        const id = `${algorithm}/${name}/${size}`;
        const blob = make(algorithm);
        try {
          await checkStored(run, id, run.repositories.main, blob, await variant(run, id, run.repositories.main, blob));
        } catch (error) {
          run.check(`${id}/done`, false, String(error));
        }
      }
    }
  }
};

/** The answer says where the blob is, and it is there, byte for byte. */
export async function checkStored(
  run: Run,
  id: string,
  repository: string,
  { bytes, digest }: Blob,
  answer: Answer,
): Promise<void> {
  if (!run.status(`${id}/created`, answer, 201)) return;
  const location = answer.headers.location;
  run.check(`${id}/location`, location !== undefined, 'no Location');
  if (run.version === 'dev') run.equal(`${id}/digest-header`, answer.headers['docker-content-digest'], digest);
  if (location !== undefined) {
    const there = await get(run, location);
    run.check(
      `${id}/location-holds-the-blob`,
      there.status === 200 && there.body.equals(bytes),
      `${there.status}, ${there.body.length} bytes`,
    );
  }
  const url = `/v2/${repository}/blobs/${digest}`;
  const headed = await head(run, url);
  run.status(`${id}/head`, headed, 200);
  run.equal(`${id}/head-length`, headed.headers['content-length'], String(bytes.length));
  run.equal(`${id}/head-digest`, headed.headers['docker-content-digest'], digest);
  const got = await get(run, url);
  run.check(`${id}/get`, got.status === 200 && got.body.equals(bytes), `${got.status}, ${got.body.length} bytes`);
  run.equal(`${id}/get-digest`, got.headers['docker-content-digest'], digest);
}

async function checkedSession(run: Run, id: string, repository: string): Promise<string> {
  const answer = await run.send({ method: 'POST', url: `/v2/${repository}/blobs/uploads/` });
  run.status(`${id}/session`, answer, 202);
  run.check(
    `${id}/session-location`,
    /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i.test(answer.headers.location ?? ''),
    `Location ${answer.headers.location} holds no UUID`,
  );
  return need(answer.headers.location, 'location');
}

function cuts(length: number): number[] {
  const lengths: number[] = [];
  for (let rest = length; rest > 0; rest -= CHUNK) lengths.push(Math.min(rest, CHUNK));
  return lengths;
}

/** Chunks in order, and before each of them one that is out of order: it must be refused and change nothing. */
async function chunked(
  run: Run,
  id: string,
  repository: string,
  { bytes, digest }: Blob,
  lengths: number[],
  last: 'patch' | 'put',
): Promise<Answer> {
  let location = await checkedSession(run, id, repository);
  let offset = 0;
  for (const [index, length] of lengths.entries()) {
    const isLast = index === lengths.length - 1;
    const chunk = bytes.subarray(offset, offset + length);
    const byPut = isLast && last === 'put';
    const send = (at: number): Promise<Answer> =>
      run.send({
        method: byPut ? 'PUT' : 'PATCH',
        url: byPut ? withQuery(location, `digest=${digest}`) : location,
        headers: { 'Content-Type': 'application/octet-stream', 'Content-Range': `${at}-${at + length - 1}` },
        body: chunk,
      });
    // Skips ahead, and where something is there already, starts over.
    for (const wrong of offset > 0 ? [offset + length, 0] : [length]) {
      run.status(`${id}/chunk-${index}-at-${wrong === 0 ? 'the-start' : 'a-gap'}`, await send(wrong), 416);
      const state = await get(run, location);
      run.status(`${id}/chunk-${index}-session-lives`, state, 204);
      run.check(
        `${id}/chunk-${index}-session-range`,
        offset === 0 ? state.headers.range?.startsWith('0-') === true : state.headers.range === `0-${offset - 1}`,
        `Range ${state.headers.range} at ${offset}`,
      );
      run.check(`${id}/chunk-${index}-session-location`, state.headers.location !== undefined, 'no Location');
    }
    const answer = await send(offset);
    if (byPut) return answer;
    run.status(`${id}/chunk-${index}`, answer, 202);
    offset += length;
    run.equal(`${id}/chunk-${index}-range`, answer.headers.range, `0-${offset - 1}`);
    location = need(answer.headers.location, 'location');
  }
  return finishUpload(run, location, digest);
}

/** A session belongs to one repository and ends once. */
export const sessions: Scenario = async (run) => {
  const { main, other } = run.repositories;
  const blob = freshBlob(2000);
  const location = await openUpload(run, main);
  const elsewhere = location.replace(`/v2/${main}/`, `/v2/${other}/`);
  run.status('another-repository-sees-none', await get(run, elsewhere), 404);
  run.status('another-repository-patches-none', await run.send({ method: 'PATCH', url: elsewhere, body: blob.bytes }), 404);
  run.status('another-repository-closes-none', await finishUpload(run, elsewhere, blob.digest, blob.bytes), 404);
  const fresh = await get(run, location);
  run.status('untouched-by-that', fresh, 204);
  run.status('closes', await finishUpload(run, location, blob.digest, blob.bytes), 201);
  run.status('is-gone-then', await get(run, location), 404);
  run.status('closes-once', await finishUpload(run, location, blob.digest, blob.bytes), 404);
  run.status('blob-stays-out-of-other-repositories', await head(run, `/v2/${other}/blobs/${blob.digest}`), 404);

  const again = await finishUpload(run, await openUpload(run, main), blob.digest, blob.bytes);
  run.status('the-same-blob-again', again, 201);
  const twice = freshBlob(5000);
  const racing = await Promise.all(
    Array.from({ length: 8 }, async () => finishUpload(run, await openUpload(run, main), twice.digest, twice.bytes)),
  );
  run.check(
    'eight-at-once',
    racing.every(({ status }) => status === 201),
    racing.map(({ status }) => status).join(' '),
  );
  run.check('eight-at-once-content', (await get(run, `/v2/${main}/blobs/${twice.digest}`)).body.equals(twice.bytes));
};
