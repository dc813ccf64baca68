import { ALGORITHMS, digestOf, freshBlob } from './content.ts';
import type { Answer } from './http.ts';
import { errorCode, finishUpload, get, head, openUpload, withQuery } from './push.ts';
import { need, type Scenario } from './run.ts';

const octets = { 'Content-Type': 'application/octet-stream' };

/** Content that is not what it says never becomes a blob. */
export const wrongDigests: Scenario = async (run) => {
  const { main } = run.repositories;
  for (const algorithm of ALGORITHMS) {
    const blob = freshBlob(1500, algorithm);
    const said = freshBlob(10, algorithm).digest;
    const refused = async (id: string, answer: Promise<Answer>): Promise<void> => {
      const result = await answer;
      run.status(`${algorithm}/${id}`, result, 400);
      run.equal(`${algorithm}/${id}-code`, errorCode(result), 'DIGEST_INVALID');
      run.status(`${algorithm}/${id}-not-stored-as-said`, await head(run, `/v2/${main}/blobs/${said}`), 404);
      run.status(`${algorithm}/${id}-not-stored-as-is`, await head(run, `/v2/${main}/blobs/${blob.digest}`), 404);
    };
    await refused('by-put', finishUpload(run, await openUpload(run, main), said, blob.bytes));
    await refused(
      'by-post',
      run
        .send({ method: 'POST', url: `/v2/${main}/blobs/uploads/?digest=${said}`, headers: octets, body: blob.bytes })
        .then((answer) =>
          answer.status === 202 ? finishUpload(run, need(answer.headers.location, 'location'), said, blob.bytes) : answer,
        ),
    );
    const patched = await run.send({ method: 'PATCH', url: await openUpload(run, main), headers: octets, body: [blob.bytes] });
    await refused('by-patch', finishUpload(run, need(patched.headers.location, 'location'), said));
  }
};

export const badDigestTexts: Scenario = async (run) => {
  const { main } = run.repositories;
  const hex = 'a'.repeat(64);
  const texts = {
    'none': undefined,
    'empty': '',
    'word': 'sha256:baddigeststring',
    'upper-case': `sha256:${hex.toUpperCase()}`,
    'short': `sha256:${hex.slice(1)}`,
    'long': `sha256:${hex}a`,
    'traversal': 'sha256:../../etc/passwd',
    'unknown-algorithm': `md5:${'a'.repeat(32)}`,
    'sha512-too-short': `sha512:${hex}`,
    'no-algorithm': hex,
  };
  for (const [id, text] of Object.entries(texts)) {
    const location = await openUpload(run, main);
    const url = text === undefined ? location : withQuery(location, `digest=${encodeURIComponent(text)}`);
    run.status(`close-${id}`, await run.send({ method: 'PUT', url, headers: octets, body: Buffer.from('content') }), 400);
    if (text === undefined || text === '') continue;
    run.status(
      `post-${id}`,
      await run.send({
        method: 'POST',
        url: `/v2/${main}/blobs/uploads/?digest=${encodeURIComponent(text)}`,
        headers: octets,
        body: Buffer.from('content'),
      }),
      400,
    );
    run.status(
      `mount-${id}`,
      await run.send({
        method: 'POST',
        url: `/v2/${main}/blobs/uploads/?mount=${encodeURIComponent(text)}&from=${run.repositories.other}`,
      }),
      400,
      202,
    );
    run.status(`get-blob-${id}`, await get(run, `/v2/${main}/blobs/${encodeURIComponent(text)}`), 400, 404);
    run.status(`head-blob-${id}`, await head(run, `/v2/${main}/blobs/${encodeURIComponent(text)}`), 400, 404);
    run.status(`get-manifest-${id}`, await get(run, `/v2/${main}/manifests/${encodeURIComponent(text)}`), 400, 404);
    run.status(`referrers-${id}`, await get(run, `/v2/${main}/referrers/${encodeURIComponent(text)}`), 400);
  }
};

export const unknownSessions: Scenario = async (run) => {
  const { main } = run.repositories;
  const { digest, bytes } = freshBlob(100);
  for (const [id, session] of Object.entries({
    'uuid': '3d0f0f6e-6c0c-4dd3-9c6b-0a5f4f4f0c11',
    'word': 'nothing',
    'traversal': '..%2f..%2fetc',
    'long': 'x'.repeat(2000),
  })) {
    const url = `/v2/${main}/blobs/uploads/${session}`;
    const answers = {
      get: await get(run, url),
      patch: await run.send({ method: 'PATCH', url, headers: octets, body: bytes }),
      put: await finishUpload(run, url, digest, bytes),
    };
    for (const [method, answer] of Object.entries(answers)) {
      run.status(`${id}-${method}`, answer, 404);
      run.equal(`${id}-${method}-code`, errorCode(answer), 'BLOB_UPLOAD_UNKNOWN');
    }
  }
};

/** A chunk that lies changes nothing; the session goes on where it was. */
export const brokenChunks: Scenario = async (run) => {
  const { main } = run.repositories;
  const bytes = freshBlob(3000).bytes;
  const digest = digestOf(bytes);
  const first = await run.send({
    method: 'PATCH',
    url: await openUpload(run, main),
    headers: { ...octets, 'Content-Range': '0-999' },
    body: bytes.subarray(0, 1000),
  });
  const location = need(first.headers.location, 'location');
  const unchanged = async (id: string): Promise<void> => {
    const state = await get(run, location);
    run.equal(`${id}-changes-nothing`, [state.status, state.headers.range], [204, '0-999']);
  };
  const headers: Record<string, string> = {
    'with-unit': 'bytes 1000-1999/3000',
    'open-ended': '1000-',
    'backwards': '1999-1000',
    'words': 'a-b',
    'negative': '-5--1',
    'huge': '1000-99999999999999999999',
  };
  for (const [id, range] of Object.entries(headers)) {
    const answer = await run.send({
      method: 'PATCH',
      url: location,
      headers: { ...octets, 'Content-Range': range },
      body: bytes.subarray(1000, 2000),
    });
    run.status(`range-${id}`, answer, 400, 416);
    await unchanged(`range-${id}`);
  }
  for (const [id, range] of Object.entries({ 'shorter-than-the-body': '1000-1499', 'longer-than-the-body': '1000-2999' })) {
    run.status(
      `range-${id}`,
      await run.send({
        method: 'PATCH',
        url: location,
        headers: { ...octets, 'Content-Range': range },
        body: bytes.subarray(1000, 2000),
      }),
      400,
      416,
    );
    await unchanged(`range-${id}`);
  }
  for (const [id, range] of Object.entries({ 'overlapping': '500-1499', 'repeated': '0-999', 'gap': '1001-2000' })) {
    run.status(
      `order-${id}`,
      await run.send({
        method: 'PATCH',
        url: location,
        headers: { ...octets, 'Content-Range': range },
        body: bytes.subarray(1000, 2000),
      }),
      416,
    );
    await unchanged(`order-${id}`);
  }
  run.status(
    'closing-put-out-of-order',
    await run.send({
      method: 'PUT',
      url: withQuery(location, `digest=${digest}`),
      headers: { ...octets, 'Content-Range': '2000-2999' },
      body: bytes.subarray(2000),
    }),
    416,
  );
  await unchanged('closing-put-out-of-order');
  await run.http.breakOff({
    method: 'PATCH',
    url: location,
    headers: { ...octets, 'Content-Range': '1000-2999' },
    body: bytes.subarray(1000),
  });
  await unchanged('broken-connection');
  // The registry may not have noticed yet that the broken connection is gone; it may say so, and not more.
  let rest: Answer;
  let tries = 0;
  do
    rest = await run.send({
      method: 'PUT',
      url: withQuery(location, `digest=${digest}`),
      headers: { ...octets, 'Content-Range': '1000-2999' },
      body: bytes.subarray(1000),
    });
  while (rest.status === 409 && ++tries < 200);
  run.status('goes-on-after-all-that', rest, 201);
  run.check('whole-after-all-that', (await get(run, `/v2/${main}/blobs/${digest}`)).body.equals(bytes));
};
