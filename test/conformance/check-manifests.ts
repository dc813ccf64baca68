import { randomUUID } from 'node:crypto';
import {
  ALGORITHMS,
  blobOf,
  descriptor,
  EMPTY_JSON,
  freshBlob,
  freshConfig,
  imageManifest,
  indexManifest,
  manifestOf,
  TYPES,
  type Algorithm,
  type Blob,
  type Manifest,
} from './content.ts';
import { errorCode, get, head, pushBlob, pushManifest, putManifest } from './push.ts';
import type { Run, Scenario } from './run.ts';

interface Kind {
  /** In the order in which they are pushed; the last one is the one under test. */
  manifests: Manifest[];
  blobs: Blob[];
}

/** Everything that a registry has to take, each with what must be there first. */
function kinds(algorithm: Algorithm): Record<string, Kind> {
  const config = freshConfig(algorithm);
  const [one, two] = [freshBlob(900, algorithm), freshBlob(901, algorithm)];
  const empty = blobOf(EMPTY_JSON.bytes, algorithm);
  const marked = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
    annotations: { 'test.unique': randomUUID() },
    ...more,
  });
  const image = imageManifest(config, [one, two], marked(), algorithm);
  const inner = indexManifest([image], marked(), algorithm);
  const foreign = {
    mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    digest: freshBlob(44, algorithm).digest,
    size: 44,
    urls: ['https://example.com/layer'],
  };
  const blobs = [config, one, two, empty];
  const single = (manifest: Manifest, more: Blob[] = []): Kind => ({ manifests: [manifest], blobs: [...blobs, ...more] });
  const dockerImage = manifestOf(
    {
      schemaVersion: 2,
      mediaType: TYPES.dockerManifest,
      config: descriptor(config, TYPES.dockerConfig),
      layers: [descriptor(one, TYPES.dockerLayer)],
    },
    algorithm,
  );
  const annotations = Object.fromEntries(Array.from({ length: 390 }, (_, index) => [`big.${index}`, 'x'.repeat(10_000)]));
  return {
    'image': single(image),
    'image-without-layers': single(imageManifest(config, [], marked(), algorithm)),
    'image-with-one-layer-twice': single(imageManifest(config, [one, one], marked(), algorithm)),
    'docker-image': single(dockerImage),
    'docker-list': {
      manifests: [
        dockerImage,
        manifestOf(
          {
            schemaVersion: 2,
            mediaType: TYPES.dockerList,
            manifests: [descriptor(dockerImage, TYPES.dockerManifest, { platform: { os: 'linux', architecture: 'amd64' } })],
          },
          algorithm,
        ),
      ],
      blobs,
    },
    'index': { manifests: [image, indexManifest([image], marked(), algorithm)], blobs },
    'index-of-indexes': { manifests: [image, inner, indexManifest([inner, image], marked(), algorithm)], blobs },
    'empty-index': single(indexManifest([], marked(), algorithm)),
    'artifact': single(
      manifestOf(
        {
          schemaVersion: 2,
          mediaType: TYPES.manifest,
          artifactType: 'application/vnd.example.thing',
          config: descriptor(empty, TYPES.empty),
          layers: [descriptor(one, 'application/vnd.example.data+json')],
          ...marked(),
        },
        algorithm,
      ),
    ),
    'artifact-by-config-type': single(
      manifestOf(
        {
          schemaVersion: 2,
          mediaType: TYPES.manifest,
          config: descriptor(empty, 'application/vnd.example.config.v1+json'),
          layers: [descriptor(empty, TYPES.empty)],
          ...marked(),
        },
        algorithm,
      ),
    ),
    'artifact-index': single(indexManifest([], { artifactType: 'application/vnd.example.list', ...marked() }, algorithm)),
    'data-member': single(
      manifestOf(
        {
          schemaVersion: 2,
          mediaType: TYPES.manifest,
          artifactType: 'application/vnd.example.thing',
          config: descriptor(empty, TYPES.empty, { data: empty.bytes.toString('base64') }),
          layers: [descriptor(one, TYPES.layer)],
          ...marked(),
        },
        algorithm,
      ),
    ),
    'zstd-layer': single(
      manifestOf(
        {
          schemaVersion: 2,
          mediaType: TYPES.manifest,
          config: descriptor(config, TYPES.config),
          layers: [descriptor(one, 'application/vnd.oci.image.layer.v1.tar+zstd')],
          ...marked(),
        },
        algorithm,
      ),
    ),
    'unknown-members': single(
      manifestOf(
        {
          'schemaVersion': 2,
          'mediaType': TYPES.manifest,
          'config': descriptor(config, TYPES.config, { 'org.example': 5 }),
          'layers': [],
          'org.example.extension': { deep: [1, { null: null }] },
          ...marked(),
        },
        algorithm,
      ),
    ),
    'indented-and-reordered': single(
      manifestOf(
        { layers: [], config: descriptor(config, TYPES.config), ...marked(), mediaType: TYPES.manifest, schemaVersion: 2 },
        algorithm,
        3,
      ),
    ),
    'unicode': single(
      imageManifest(config, [], { annotations: { 'ключ': '值 \u0000 😀', 'test.unique': randomUUID() } }, algorithm),
    ),
    'layers-from-elsewhere': single(
      manifestOf(
        {
          schemaVersion: 2,
          mediaType: TYPES.manifest,
          config: descriptor(config, TYPES.config),
          layers: [foreign, descriptor(one, TYPES.layer)],
          ...marked(),
        },
        algorithm,
      ),
    ),
    'four-megabytes': single(
      imageManifest(config, [], { annotations: { ...annotations, 'test.unique': randomUUID() } }, algorithm),
    ),
  };
}

export const manifests: Scenario = async (run) => {
  for (const algorithm of ALGORITHMS) {
    for (const [name, kind] of Object.entries(kinds(algorithm))) {
      try {
        await roundTrip(run, `${algorithm}/${name}`, run.repositories.main, kind, algorithm);
      } catch (error) {
        run.check(`${algorithm}/${name}/done`, false, String(error));
      }
    }
  }
};

/** Pushed by digest and by tag, read back by both, byte for byte. */
async function roundTrip(
  run: Run,
  id: string,
  repository: string,
  { manifests: all, blobs }: Kind,
  algorithm: Algorithm,
): Promise<void> {
  for (const blob of blobs)
    if ((await head(run, `/v2/${repository}/blobs/${blob.digest}`)).status !== 200) await pushBlob(run, repository, blob);
  for (const child of all.slice(0, -1)) await pushManifest(run, repository, child.digest, child);
  const manifest = all[all.length - 1] as Manifest;
  const byDigest = `/v2/${repository}/manifests/${manifest.digest}`;

  const put = await putManifest(run, repository, manifest.digest, manifest);
  if (!run.status(`${id}/put-by-digest`, put, 201)) return;
  run.equal(`${id}/put-digest-header`, put.headers['docker-content-digest'], manifest.digest);
  run.check(`${id}/put-location`, put.headers.location !== undefined, 'no Location');
  if (put.headers.location !== undefined)
    run.check(
      `${id}/location-holds-it`,
      (await get(run, put.headers.location, { Accept: manifest.mediaType })).body.equals(manifest.bytes),
    );

  const tag = `t-${id.replaceAll('/', '.')}`;
  // A tag is always known by its sha256: nothing in the request says otherwise.
  const tagged = await putManifest(run, repository, tag, manifest);
  run.status(`${id}/put-by-tag`, tagged, 201);
  run.status(`${id}/put-by-tag-again`, await putManifest(run, repository, tag, manifest), 201);

  for (const [way, url, digest] of [
    ['digest', byDigest, manifest.digest],
    ['tag', `/v2/${repository}/manifests/${tag}`, algorithm === 'sha256' ? manifest.digest : undefined],
  ] as const) {
    const got = await get(run, url, { Accept: manifest.mediaType });
    run.check(
      `${id}/get-by-${way}`,
      got.status === 200 && got.body.equals(manifest.bytes),
      `${got.status}, ${got.body.length} bytes`,
    );
    run.equal(`${id}/get-by-${way}-type`, got.headers['content-type'], manifest.mediaType);
    if (digest !== undefined) run.equal(`${id}/get-by-${way}-digest`, got.headers['docker-content-digest'], digest);
    else run.check(`${id}/get-by-${way}-digest`, got.headers['docker-content-digest'] !== undefined, 'no digest');
    const headed = await head(run, url, { Accept: manifest.mediaType });
    run.status(`${id}/head-by-${way}`, headed, 200);
    run.equal(`${id}/head-by-${way}-length`, headed.headers['content-length'], String(manifest.bytes.length));
    run.equal(`${id}/head-by-${way}-type`, headed.headers['content-type'], manifest.mediaType);
    run.equal(`${id}/head-by-${way}-digest`, headed.headers['docker-content-digest'], got.headers['docker-content-digest']);
  }
}

export const manifestReads: Scenario = async (run) => {
  const { main, other } = run.repositories;
  const config = freshConfig();
  await pushBlob(run, main, config);
  const manifest = imageManifest(config, []);
  await pushManifest(run, main, 'reads', manifest);
  const url = `/v2/${main}/manifests/reads`;
  for (const [id, accept] of Object.entries({
    'none': undefined,
    'anything': '*/*',
    'exact': manifest.mediaType,
    'list': `${TYPES.index}, ${TYPES.manifest};q=0.9, ${TYPES.dockerManifest}`,
  })) {
    const got = await get(run, url, accept === undefined ? {} : { Accept: accept });
    run.check(`accept-${id}`, got.status === 200 && got.body.equals(manifest.bytes), `${got.status}, ${got.body.length} bytes`);
  }
  const got = await get(run, url);
  if (got.headers.etag !== undefined) run.status('not-modified', await get(run, url, { 'If-None-Match': got.headers.etag }), 304);
  else run.skip('not-modified', 'no ETag');
  for (const [id, where] of Object.entries({
    'unknown-tag': `/v2/${main}/manifests/never-pushed`,
    'unknown-digest': `/v2/${main}/manifests/${freshBlob(9).digest}`,
    'in-another-repository': `/v2/${other}/manifests/${manifest.digest}`,
    'impossible-tag': `/v2/${main}/manifests/.INVALID_MANIFEST_NAME`,
  })) {
    const answer = await get(run, where);
    run.status(`${id}`, answer, 404);
    run.check(`${id}-code`, ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN'].includes(errorCode(answer) ?? ''), `code ${errorCode(answer)}`);
    run.status(`${id}-head`, await head(run, where), 404);
  }
  const moved = imageManifest(config, [], { annotations: { moved: 'yes' } });
  await pushManifest(run, main, 'reads', moved);
  run.check('a-tag-moves', (await get(run, url)).body.equals(moved.bytes));
  run.check('what-it-left-stays', (await get(run, `/v2/${main}/manifests/${manifest.digest}`)).body.equals(manifest.bytes));
};

export const badManifests: Scenario = async (run) => {
  const { main, other } = run.repositories;
  const config = freshConfig();
  const layer = freshBlob(77);
  await pushBlob(run, main, config);
  await pushBlob(run, main, layer);
  const good = imageManifest(config, [layer], { annotations: { 'test.unique': randomUUID() } });
  const spaced = { ...good, bytes: Buffer.concat([good.bytes, Buffer.from('  ')]) };
  run.status('two-spaces-more-than-the-digest', await putManifest(run, main, good.digest, spaced), 400);
  run.status('bad-digest-text', await putManifest(run, main, 'sha256:baddigeststring', good), 400);
  for (const algorithm of ALGORITHMS)
    run.status(`other-digest-${algorithm}`, await putManifest(run, main, freshBlob(3, algorithm).digest, good), 400);
  run.status('nothing-of-that-stayed', await head(run, `/v2/${main}/manifests/${good.digest}`), 404);

  const base = { schemaVersion: 2, mediaType: TYPES.manifest, config: descriptor(config, TYPES.config), layers: [] };
  const nobody = freshBlob(12);
  const documents: Record<string, Buffer> = {
    'empty-body': Buffer.alloc(0),
    'not-json': Buffer.from('not json'),
    'cut-json': good.bytes.subarray(0, 50),
    'a-list': Buffer.from('[]'),
    'a-text': Buffer.from('"x"'),
    'null': Buffer.from('null'),
    'schema-1': Buffer.from(JSON.stringify({ ...base, schemaVersion: 1 })),
    'no-config': Buffer.from(JSON.stringify({ ...base, config: undefined })),
    'image-and-index-at-once': Buffer.from(JSON.stringify({ ...base, manifests: [] })),
    'layers-not-a-list': Buffer.from(JSON.stringify({ ...base, layers: {} })),
    'bad-layer-digest': Buffer.from(
      JSON.stringify({ ...base, layers: [{ mediaType: TYPES.layer, digest: 'sha256:../../x', size: 1 }] }),
    ),
    'negative-size': Buffer.from(
      JSON.stringify({ ...base, layers: [{ mediaType: TYPES.layer, digest: layer.digest, size: -1 }] }),
    ),
    'key-twice': Buffer.from(JSON.stringify(base).replace('{', '{"schemaVersion":2,')),
    'too-deep': Buffer.from(`{"schemaVersion":2,"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
    'type-unlike-the-request': Buffer.from(JSON.stringify({ ...base, mediaType: TYPES.index })),
    'missing-layer': imageManifest(config, [nobody]).bytes,
    'missing-config': imageManifest(nobody, []).bytes,
    'layer-of-another-repository': imageManifest(config, [await inOther(run, other)]).bytes,
    'data-unlike-its-digest': Buffer.from(
      JSON.stringify({ ...base, config: { ...descriptor(config, TYPES.config), data: Buffer.from('other').toString('base64') } }),
    ),
  };
  for (const [id, bytes] of Object.entries(documents)) {
    const tag = `bad-${id}`;
    const answer = await putManifest(run, main, tag, { bytes, mediaType: TYPES.manifest });
    run.status(id, answer, 400, 404);
    run.check(
      `${id}-code`,
      ['MANIFEST_INVALID', 'MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN', 'UNSUPPORTED'].includes(errorCode(answer) ?? ''),
      `code ${errorCode(answer)}`,
    );
    run.status(`${id}-not-stored`, await head(run, `/v2/${main}/manifests/${tag}`), 404);
  }
  const huge = imageManifest(config, [], { annotations: { big: 'x'.repeat(9 * 1024 * 1024) } });
  const tooLarge = await putManifest(run, main, 'bad-huge', huge);
  run.status('nine-megabytes', tooLarge, 413, 400);
  for (const [id, tag] of Object.entries({
    'tag-with-plus': 'a+b',
    'tag-with-dot-first': '.a',
    'tag-of-129': 'a'.repeat(129),
    'tag-with-space': 'a%20b',
    'tag-not-ascii': 'a%C3%A4',
  })) {
    const answer = await putManifest(run, main, tag, good);
    run.check(id, answer.status >= 400 && answer.status < 500, `got ${answer.status}`);
  }
};

async function inOther(run: Run, other: string): Promise<Blob> {
  const blob = freshBlob(78);
  await pushBlob(run, other, blob);
  return blob;
}

/** `PUT …/manifests/<digest>?tag=…` (end-7b): several tags in one request. */
export const manyTags: Scenario = async (run) => {
  if (run.version !== 'dev') return;
  const { main } = run.repositories;
  for (const algorithm of ALGORITHMS) {
    const config = freshConfig(algorithm);
    await pushBlob(run, main, config);
    const manifest = imageManifest(config, [], {}, algorithm);
    const tags = Array.from({ length: 12 }, (_, index) => `many-${algorithm}-${index}-${'x'.repeat(100)}`);
    const answer = await run.send({
      method: 'PUT',
      url: `/v2/${main}/manifests/${manifest.digest}?${tags.map((tag) => `tag=${tag}`).join('&')}`,
      headers: { 'Content-Type': manifest.mediaType },
      body: manifest.bytes,
    });
    run.status(`${algorithm}/put`, answer, 201);
    const accepted = [answer.headers['oci-tag'] ?? []].flat().flatMap((text) => text.split(',').map((tag) => tag.trim()));
    run.equal(`${algorithm}/every-tag-accepted`, accepted.toSorted(), tags.toSorted());
    for (const [index, tag] of tags.entries()) {
      const got = await get(run, `/v2/${main}/manifests/${tag}`);
      run.check(`${algorithm}/tag-${index}`, got.status === 200 && got.body.equals(manifest.bytes), `got ${got.status}`);
      run.equal(`${algorithm}/tag-${index}-digest`, got.headers['docker-content-digest'], manifest.digest);
    }
    const plain = await putManifest(run, main, manifest.digest, manifest);
    run.equal(`${algorithm}/no-tag-no-header`, plain.headers['oci-tag'], undefined);
    run.status(
      `${algorithm}/bad-tag`,
      await run.send({
        method: 'PUT',
        url: `/v2/${main}/manifests/${manifest.digest}?tag=.bad`,
        headers: { 'Content-Type': manifest.mediaType },
        body: manifest.bytes,
      }),
      400,
    );
  }
};
