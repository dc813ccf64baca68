import { ALGORITHMS, freshBlob } from './content.ts';
import { errorCode, finishUpload, get, head, openUpload, pushBlob } from './push.ts';
import { checkStored } from './check-uploads.ts';
import type { Answer } from './http.ts';
import { need, type Scenario } from './run.ts';

export const blobReads: Scenario = async (run) => {
  const { main, other } = run.repositories;
  for (const algorithm of ALGORITHMS) {
    const blob = freshBlob(2000, algorithm);
    await pushBlob(run, main, blob);
    const url = `/v2/${main}/blobs/${blob.digest}`;
    const got = await get(run, url);
    run.equal(`${algorithm}/type`, got.headers['content-type'], 'application/octet-stream');
    run.equal(`${algorithm}/length`, got.headers['content-length'], '2000');
    run.equal(`${algorithm}/accepts-ranges`, got.headers['accept-ranges'], 'bytes');
    run.check(`${algorithm}/etag`, got.headers.etag !== undefined, 'no ETag');
    if (got.headers.etag !== undefined) {
      run.status(`${algorithm}/not-modified`, await get(run, url, { 'If-None-Match': got.headers.etag }), 304);
      run.status(`${algorithm}/modified`, await get(run, url, { 'If-None-Match': '"other"' }), 200);
      run.status(`${algorithm}/if-range-same`, await get(run, url, { 'If-Range': got.headers.etag, 'Range': 'bytes=0-9' }), 206);
      run.status(`${algorithm}/if-range-other`, await get(run, url, { 'If-Range': '"other"', 'Range': 'bytes=0-9' }), 200);
    }
    run.status(`${algorithm}/escaped-digest`, await get(run, url.replace(':', '%3A')), 200);

    const parts: [range: string, first: number, last: number][] = [
      ['bytes=500-1499', 500, 1499],
      ['bytes=500-', 500, 1999],
      ['bytes=-500', 1500, 1999],
      ['bytes=0-0', 0, 0],
      ['bytes=1999-1999', 1999, 1999],
      ['bytes=1000-5000', 1000, 1999],
      ['bytes=-5000', 0, 1999],
      ['bytes=0-', 0, 1999],
    ];
    for (const [range, first, last] of parts) {
      const part = await get(run, url, { Range: range });
      run.status(`${algorithm}/${range}`, part, 206);
      run.equal(`${algorithm}/${range}/content-range`, part.headers['content-range'], `bytes ${first}-${last}/2000`);
      run.equal(`${algorithm}/${range}/length`, part.headers['content-length'], String(last - first + 1));
      run.check(
        `${algorithm}/${range}/bytes`,
        part.body.equals(blob.bytes.subarray(first, last + 1)),
        `${part.body.length} bytes`,
      );
    }
    for (const range of ['bytes=500-0', 'bytes=5000-10000', 'bytes=2000-', 'bytes=-0'])
      run.status(`${algorithm}/${range}`, await get(run, url, { Range: range }), 416);
    for (const range of ['bytes=a-b', 'lines=0-5', 'bytes=0-1,5-6'])
      run.status(`${algorithm}/${range}`, await get(run, url, { Range: range }), 200, 206, 416);

    for (const [id, where] of [
      ['never-pushed', `/v2/${main}/blobs/${freshBlob(5, algorithm).digest}`],
      ['in-another-repository', `/v2/${other}/blobs/${blob.digest}`],
    ] as const) {
      const missing = await get(run, where);
      run.status(`${algorithm}/${id}`, missing, 404);
      run.equal(`${algorithm}/${id}-code`, errorCode(missing), 'BLOB_UNKNOWN');
      run.status(`${algorithm}/${id}-head`, await head(run, where), 404);
    }
  }
  const large = freshBlob(3 * 1024 * 1024 + 11);
  await pushBlob(run, main, large);
  const url = `/v2/${main}/blobs/${large.digest}`;
  run.check('large', (await get(run, url)).body.equals(large.bytes));
  const middle = await get(run, url, { Range: 'bytes=524287-2097153' });
  run.check(
    'large-part',
    middle.status === 206 && middle.body.equals(large.bytes.subarray(524287, 2097154)),
    `${middle.status}, ${middle.body.length} bytes`,
  );
  const parallel = await Promise.all(Array.from({ length: 12 }, () => get(run, url)));
  run.check(
    'large-in-parallel',
    parallel.every(({ body }) => body.equals(large.bytes)),
  );
};

export const mounts: Scenario = async (run) => {
  const { main, other, missing } = run.repositories;
  for (const algorithm of ALGORITHMS) {
    const blob = freshBlob(1234, algorithm);
    await pushBlob(run, main, blob);
    const post = (query: string): Promise<Answer> => run.send({ method: 'POST', url: `/v2/${other}/blobs/uploads/?${query}` });
    run.status(`${algorithm}/not-there-before`, await head(run, `/v2/${other}/blobs/${blob.digest}`), 404);
    await checkStored(run, `${algorithm}/from`, other, blob, await post(`mount=${blob.digest}&from=${encodeURIComponent(main)}`));
    await checkStored(run, `${algorithm}/again`, other, blob, await post(`mount=${blob.digest}&from=${main}`));

    const nobodys = freshBlob(1235, algorithm);
    const fallbacks = {
      'missing-blob': `mount=${nobodys.digest}&from=${main}`,
      'missing-repository': `mount=${nobodys.digest}&from=${missing}`,
      'without-from': `mount=${nobodys.digest}`,
    };
    for (const [id, query] of Object.entries(fallbacks)) {
      const answer = await post(query);
      run.status(`${algorithm}/${id}-falls-back`, answer, 202);
      const instead = freshBlob(700, algorithm);
      await checkStored(
        run,
        `${algorithm}/${id}-session-works`,
        other,
        instead,
        await finishUpload(run, need(answer.headers.location, 'location'), instead.digest, instead.bytes),
      );
    }
    const anonymous = freshBlob(1236, algorithm);
    await pushBlob(run, main, anonymous);
    const answer = await post(`mount=${anonymous.digest}`);
    if (answer.status === 202) {
      run.skip(`${algorithm}/anonymous`, 'answered 202, which says: not supported, send the bytes');
      run.status(
        `${algorithm}/anonymous-session-works`,
        await finishUpload(run, need(answer.headers.location, 'location'), anonymous.digest, anonymous.bytes),
        201,
      );
    } else {
      await checkStored(run, `${algorithm}/anonymous`, other, anonymous, answer);
    }
    run.check(
      `${algorithm}/anonymous-content`,
      (await get(run, `/v2/${other}/blobs/${anonymous.digest}`)).body.equals(anonymous.bytes),
    );
    run.status(
      `${algorithm}/within-the-repository`,
      await run.send({ method: 'POST', url: `/v2/${main}/blobs/uploads/?mount=${blob.digest}&from=${main}` }),
      201,
      202,
    );
  }
};

/** What came after 1.1.1: cancelling, and naming the algorithm before the bytes come. */
export const devUploads: Scenario = async (run) => {
  if (run.version !== 'dev') return;
  const { main } = run.repositories;
  const location = await openUpload(run, main);
  await run.send({
    method: 'PATCH',
    url: location,
    headers: { 'Content-Type': 'application/octet-stream' },
    body: [freshBlob(100).bytes],
  });
  run.status('cancel', await run.send({ method: 'DELETE', url: location }), 204);
  run.status('cancelled-is-gone', await get(run, location), 404);
  run.status('cancel-twice', await run.send({ method: 'DELETE', url: location }), 404);
  run.status(
    'cancel-unknown',
    await run.send({ method: 'DELETE', url: `/v2/${main}/blobs/uploads/3d0f0f6e-6c0c-4dd3-9c6b-0a5f4f4f0c11` }),
    404,
  );
  for (const algorithm of ALGORITHMS) {
    const blob = freshBlob(3000, algorithm);
    const opened = await run.send({ method: 'POST', url: `/v2/${main}/blobs/uploads/?digest-algorithm=${algorithm}` });
    run.status(`algorithm-${algorithm}`, opened, 202);
    const patched = await run.send({
      method: 'PATCH',
      url: need(opened.headers.location, 'location'),
      headers: { 'Content-Type': 'application/octet-stream' },
      body: [blob.bytes],
    });
    await checkStored(
      run,
      `algorithm-${algorithm}`,
      main,
      blob,
      await finishUpload(run, need(patched.headers.location, 'location'), blob.digest),
    );
  }
  const other = freshBlob(3000, 'sha256');
  const promised = await run.send({ method: 'POST', url: `/v2/${main}/blobs/uploads/?digest-algorithm=sha512` });
  run.status(
    'algorithm-not-kept',
    await finishUpload(run, need(promised.headers.location, 'location'), other.digest, other.bytes),
    201,
    400,
  );
  run.status(
    'algorithm-unknown',
    await run.send({ method: 'POST', url: `/v2/${main}/blobs/uploads/?digest-algorithm=md5` }),
    400,
  );
};
