import { freshBlob, TYPES } from './content.ts';
import { errorCode, get, head } from './push.ts';
import type { Scenario } from './run.ts';

/** What a registry says before anything is there. */
export const empty: Scenario = async (run) => {
  const { missing } = run.repositories;
  const { digest } = freshBlob(10);
  const base = await get(run, '/v2/');
  run.status('base', base, 200);

  const referrers = await get(run, `/v2/${missing}/referrers/${digest}`);
  run.status('referrers-of-nothing-is-never-404', referrers, 200);
  run.equal('referrers-of-nothing-type', referrers.headers['content-type'], TYPES.index);
  run.equal('referrers-of-nothing-body', json(referrers.body), { schemaVersion: 2, mediaType: TYPES.index, manifests: [] });
  run.status('tags-of-nothing', await get(run, `/v2/${missing}/tags/list`), 200, 404);

  for (const [id, url, codes] of [
    ['manifest-by-tag', `/v2/${missing}/manifests/latest`, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']],
    ['manifest-by-digest', `/v2/${missing}/manifests/${digest}`, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']],
    ['blob', `/v2/${missing}/blobs/${digest}`, ['BLOB_UNKNOWN', 'NAME_UNKNOWN']],
    ['upload', `/v2/${missing}/blobs/uploads/3d0f0f6e-6c0c-4dd3-9c6b-0a5f4f4f0c11`, ['BLOB_UPLOAD_UNKNOWN', 'NAME_UNKNOWN']],
  ] as const) {
    const answer = await get(run, url);
    run.status(`${id}-get`, answer, 404);
    run.check(`${id}-code`, codes.includes((errorCode(answer) ?? '') as never), `code ${errorCode(answer)}`);
    if (id !== 'upload') {
      const same = await head(run, url);
      run.status(`${id}-head`, same, 404);
      run.equal(`${id}-head-has-no-body`, same.body.length, 0);
    }
  }
};

export function json(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return body.toString('utf8', 0, 200);
  }
}
