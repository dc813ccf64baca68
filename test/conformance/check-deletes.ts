import { ALGORITHMS, freshBlob, freshConfig, imageManifest } from './content.ts';
import { errorCode, get, head, pushBlob, pushManifest, putManifest, remove } from './push.ts';
import { json } from './check-empty.ts';
import type { Scenario } from './run.ts';

export const deletes: Scenario = async (run) => {
  const { main, other } = run.repositories;
  for (const algorithm of ALGORITHMS) {
    const id = algorithm;
    const config = freshConfig(algorithm);
    for (const repository of [main, other]) await pushBlob(run, repository, config);
    const manifest = imageManifest(config, [], { annotations: { for: `delete ${freshBlob(8).digest}` } }, algorithm);
    const tags = ['one', 'two', 'three'].map((name) => `delete-${algorithm}-${name}`);
    const at = (reference: string, repository = main): string => `/v2/${repository}/manifests/${reference}`;
    for (const repository of [main, other]) {
      await pushManifest(run, repository, manifest.digest, manifest);
      for (const tag of tags) await pushManifest(run, repository, tag, manifest);
    }
    const [one = '', two = '', three = ''] = tags;
    const tagged = String((await head(run, at(one), { Accept: manifest.mediaType })).headers['docker-content-digest']);

    run.status(`${id}/tag`, await remove(run, at(one)), 202);
    run.status(`${id}/tag-gone-at-once`, await head(run, at(one)), 404);
    run.status(`${id}/tag-leaves-the-image`, await head(run, at(tagged)), 200);
    run.status(`${id}/tag-leaves-other-tags`, await head(run, at(two)), 200);
    run.status(`${id}/tag-leaves-other-repositories`, await head(run, at(one, other)), 200);
    const again = await remove(run, at(one));
    run.status(`${id}/tag-twice`, again, 404);
    run.equal(`${id}/tag-twice-code`, errorCode(again), 'MANIFEST_UNKNOWN');

    run.status(`${id}/manifest`, await remove(run, at(tagged)), 202);
    run.status(`${id}/manifest-gone-at-once`, await get(run, at(tagged)), 404);
    for (const tag of [two, three]) run.status(`${id}/manifest-takes-its-tags`, await get(run, at(tag)), 404);
    const listed = (json((await get(run, `/v2/${main}/tags/list`)).body) as { tags?: string[] | null }).tags ?? [];
    run.check(`${id}/tags-off-the-list`, !tags.some((tag) => listed.includes(tag)), listed.join(' ').slice(0, 300));
    run.status(`${id}/manifest-leaves-other-repositories`, await head(run, at(tagged, other)), 200);
    run.status(`${id}/manifest-twice`, await remove(run, at(tagged)), 404);
    run.status(`${id}/manifest-leaves-its-blobs`, await head(run, `/v2/${main}/blobs/${config.digest}`), 200);
    run.status(`${id}/manifest-back`, await putManifest(run, main, one, manifest), 201);
    run.status(`${id}/manifest-is-back`, await get(run, at(one)), 200);

    const loose = freshBlob(555, algorithm);
    for (const repository of [main, other]) await pushBlob(run, repository, loose);
    const blobAt = `/v2/${main}/blobs/${loose.digest}`;
    const removed = await remove(run, blobAt);
    if (removed.status === 405) {
      run.skip(`${id}/blob`, '405: blobs are not deleted by clients here');
    } else {
      run.status(`${id}/blob`, removed, 202);
      run.status(`${id}/blob-gone-at-once`, await head(run, blobAt), 404);
      run.status(`${id}/blob-gone-for-get`, await get(run, blobAt), 404);
      run.status(`${id}/blob-twice`, await remove(run, blobAt), 404);
      run.status(`${id}/blob-leaves-other-repositories`, await head(run, `/v2/${other}/blobs/${loose.digest}`), 200);
      await pushBlob(run, main, loose);
      run.check(`${id}/blob-back`, (await get(run, blobAt)).body.equals(loose.bytes));
    }
    // Either the blob goes and the image with it, or it is refused and the image stays whole.
    const used = await remove(run, `/v2/${main}/blobs/${config.digest}`);
    run.status(`${id}/blob-in-use`, used, 202, 405);
    if (used.status === 405) run.status(`${id}/blob-in-use-stays`, await get(run, `/v2/${main}/blobs/${config.digest}`), 200);
  }
  for (const [id, reference] of Object.entries({ 'unknown-tag': 'never-there', 'unknown-digest': freshBlob(7).digest }))
    run.status(id, await remove(run, `/v2/${main}/manifests/${reference}`), 404);
  run.status('unknown-blob', await remove(run, `/v2/${main}/blobs/${freshBlob(7).digest}`), 404, 405);
  run.status('bad-digest', await remove(run, `/v2/${main}/manifests/sha256:baddigeststring`), 400, 404);
};
