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
  type Descriptor,
  type Manifest,
} from './content.ts';
import { get, pushBlob, pushManifest, putManifest, remove } from './push.ts';
import type { Run, Scenario } from './run.ts';

const SIGNATURE = 'application/vnd.example.signature';
const SBOM = 'application/vnd.example.sbom+json';

export const referrers: Scenario = async (run) => {
  for (const algorithm of ALGORITHMS) await aroundOneSubject(run, algorithm);
};

async function aroundOneSubject(run: Run, algorithm: Algorithm): Promise<void> {
  const { main, other } = run.repositories;
  const id = algorithm;
  const config = freshConfig(algorithm);
  const empty = blobOf(EMPTY_JSON.bytes, algorithm);
  for (const repository of [main, other]) for (const blob of [config, empty]) await pushBlob(run, repository, blob);
  const subject = imageManifest(config, [], { annotations: { subject: freshBlob(8).digest } }, algorithm);
  const pointer = descriptor(subject, subject.mediaType);
  const artifact = (artifactType: string, note: string): Manifest =>
    manifestOf(
      {
        schemaVersion: 2,
        mediaType: TYPES.manifest,
        artifactType,
        config: descriptor(empty, TYPES.empty),
        layers: [descriptor(empty, TYPES.empty)],
        subject: pointer,
        annotations: { note, 'org.example': 'ä"\\' },
      },
      algorithm,
    );

  // Before the subject is there: it need not be.
  const signature = artifact(SIGNATURE, 'first');
  const early = await putManifest(run, main, signature.digest, signature);
  run.status(`${id}/subject-may-be-missing`, early, 201);
  run.equal(`${id}/subject-header`, early.headers['oci-subject'], subject.digest);
  await pushManifest(run, main, subject.digest, subject);

  const expected: Descriptor[] = [
    descriptor(signature, TYPES.manifest, { artifactType: SIGNATURE, annotations: { 'note': 'first', 'org.example': 'ä"\\' } }),
  ];
  const add = async (name: string, manifest: Manifest, reference: string, more: Record<string, unknown>): Promise<void> => {
    const answer = await putManifest(run, main, reference, manifest);
    run.status(`${id}/${name}`, answer, 201);
    run.equal(`${id}/${name}-subject-header`, answer.headers['oci-subject'], subject.digest);
    expected.push(descriptor(manifest, manifest.mediaType, more));
  };
  const second = artifact(SIGNATURE, 'second');
  await add('second-signature', second, second.digest, {
    artifactType: SIGNATURE,
    annotations: { 'note': 'second', 'org.example': 'ä"\\' },
  });
  const sbom = artifact(SBOM, 'sbom');
  await add('sbom', sbom, sbom.digest, { artifactType: SBOM, annotations: { 'note': 'sbom', 'org.example': 'ä"\\' } });
  const byConfig = manifestOf(
    {
      schemaVersion: 2,
      mediaType: TYPES.manifest,
      config: descriptor(empty, 'application/vnd.example.config'),
      layers: [],
      subject: pointer,
    },
    algorithm,
  );
  await add('type-of-the-config', byConfig, byConfig.digest, { artifactType: 'application/vnd.example.config' });
  const plainImage = imageManifest(config, [], { subject: pointer }, algorithm);
  await add('image', plainImage, plainImage.digest, { artifactType: TYPES.config });
  const typedIndex = indexManifest([], { artifactType: SBOM, subject: pointer, annotations: { note: 'index' } }, algorithm);
  await add('index', typedIndex, typedIndex.digest, { artifactType: SBOM, annotations: { note: 'index' } });
  const plainIndex = indexManifest([], { subject: pointer }, algorithm);
  await add('index-without-type', plainIndex, plainIndex.digest, {});
  if (algorithm === 'sha256') {
    const tagged = artifact(SIGNATURE, 'tagged');
    await add('tagged', tagged, 'a-referrer', {
      artifactType: SIGNATURE,
      annotations: { 'note': 'tagged', 'org.example': 'ä"\\' },
    });
  }

  const plain = await putManifest(run, main, subject.digest, subject);
  run.equal(`${id}/no-subject-no-header`, plain.headers['oci-subject'], undefined);

  const url = `/v2/${main}/referrers/${subject.digest}`;
  const all = await get(run, url);
  run.status(`${id}/list`, all, 200);
  run.equal(`${id}/list-type`, all.headers['content-type'], TYPES.index);
  run.equal(`${id}/list-not-filtered`, all.headers['oci-filters-applied'], undefined);
  const listed = await allPages(run, url);
  run.equal(`${id}/list-is-complete`, listed.length, expected.length);
  for (const one of expected)
    run.equal(
      `${id}/descriptor-of-${one.artifactType ?? 'nothing'}-${expected.indexOf(one)}`,
      listed.find(({ digest }) => digest === one.digest),
      one,
    );

  for (const artifactType of [SIGNATURE, SBOM, TYPES.config, 'application/vnd.example.nobody']) {
    const filtered = await get(run, `${url}?artifactType=${encodeURIComponent(artifactType)}`);
    run.status(`${id}/filter-${artifactType}`, filtered, 200);
    run.equal(`${id}/filter-${artifactType}-applied`, filtered.headers['oci-filters-applied'], 'artifactType');
    run.equal(
      `${id}/filter-${artifactType}-only-those`,
      sorted(manifestsOf(filtered.body)),
      sorted(expected.filter((one) => one.artifactType === artifactType)),
    );
  }
  run.equal(
    `${id}/other-repository-has-none`,
    manifestsOf((await get(run, `/v2/${other}/referrers/${subject.digest}`)).body),
    [],
  );
  run.equal(
    `${id}/other-digest-has-none`,
    manifestsOf((await get(run, `/v2/${main}/referrers/${freshBlob(4, algorithm).digest}`)).body),
    [],
  );

  run.status(`${id}/delete-one`, await remove(run, `/v2/${main}/manifests/${second.digest}`), 202);
  const after = await allPages(run, url);
  run.equal(`${id}/deleted-is-off-the-list`, sorted(after), sorted(expected.filter(({ digest }) => digest !== second.digest)));
  run.status(`${id}/push-it-again`, await putManifest(run, main, second.digest, second), 201);
  run.equal(`${id}/is-on-the-list-again`, sorted(await allPages(run, url)), sorted(expected));
}

/** More than one page of referrers, followed by `Link`. */
export const manyReferrers: Scenario = async (run) => {
  const { main } = run.repositories;
  await pushBlob(run, main, EMPTY_JSON);
  const subject = indexManifest([], { annotations: { unique: freshBlob(8).digest } });
  await pushManifest(run, main, subject.digest, subject);
  const long = 'x'.repeat(60_000);
  const pushed: string[] = [];
  for (let index = 0; index < 70; index++) {
    const manifest = indexManifest([], {
      artifactType: SBOM,
      subject: descriptor(subject, subject.mediaType),
      annotations: { index: String(index), long },
    });
    await pushManifest(run, main, manifest.digest, manifest);
    pushed.push(manifest.digest);
  }
  const url = `/v2/${main}/referrers/${subject.digest}`;
  run.check('one-page-stays-small', (await get(run, url)).body.length < 4.5 * 1024 * 1024, 'more than 4 MiB in one answer');
  run.equal('every-one-once', (await allPages(run, url)).map(({ digest }) => digest).toSorted(), pushed.toSorted());
  run.equal(
    'every-one-once-filtered',
    (await allPages(run, `${url}?artifactType=${encodeURIComponent(SBOM)}`)).map(({ digest }) => digest).toSorted(),
    pushed.toSorted(),
  );
};

async function allPages(run: Run, first: string): Promise<Descriptor[]> {
  const found: Descriptor[] = [];
  let url: string | undefined = first;
  for (let page = 0; url !== undefined && page < 100; page++) {
    const answer = await get(run, url);
    found.push(...manifestsOf(answer.body));
    url = nextOf(answer.headers.link);
  }
  return found;
}

/** Where `Link` leads. */
export function nextOf(link: string | string[] | undefined): string | undefined {
  const [, target] = /<([^>]+)>\s*;\s*rel="?next"?/.exec([link ?? []].flat().join(',')) ?? [];
  return target;
}

function manifestsOf(body: Buffer): Descriptor[] {
  try {
    return (JSON.parse(body.toString()) as { manifests?: Descriptor[] }).manifests ?? [];
  } catch {
    return [];
  }
}

function sorted(list: Descriptor[]): Descriptor[] {
  return list.toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}
