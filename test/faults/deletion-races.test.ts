import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as passed } from 'node:timers/promises';
import { ECR } from '@aws-sdk/client-ecr';
import { blobOf, imageManifest, indexManifest, type Blob, type Manifest } from '../conformance/content.ts';
import { createHttp, type Answer, type Http } from '../conformance/http.ts';
import { createCleanup } from '../support/cleanup.ts';
import { startHoldfast, type HoldfastProcess } from '../support/server.ts';
import { hasOrder, textOf, type Act, type Deleted, type Outcome, type Seen } from './image-order.ts';
import { createRandom, pick } from './random.ts';

const ROUNDS = Number(process.env['HOLDFAST_ROUNDS'] ?? 40);
const SEED = Number(process.env['HOLDFAST_SEED'] ?? 20_260_802);
const REPOSITORY = 'team/app';
const TAGS = ['stable', 'next', 'v1'];
/** Everything but the newest. */
const POLICY = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
      action: { type: 'expire' },
    },
  ],
});

const DELETIONS = new Set(['delete done', 'untag done']);

interface Image extends Manifest {
  name: string;
  blobs: Blob[];
  children: Image[];
}

function image(name: string): Image {
  const config = blobOf(Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', author: name, rootfs: {} })));
  const layers = [blobOf(Buffer.from('a base that all have')), blobOf(Buffer.from(`layer of ${name} `.repeat(500)))];
  return { ...imageManifest(config, layers), name, blobs: [config, ...layers], children: [] };
}

const plain = image('plain');
const entry = image('entry');
const index: Image = { ...indexManifest([entry]), name: 'index', blobs: [], children: [entry] };
const other = image('other');
const IMAGES = [plain, entry, index, other];
const CHILDREN = new Map(IMAGES.map(({ digest, children }) => [digest, children.map((child) => child.digest)]));

describe('a deletion beside a push, a pull and a retag of the same image, over HTTP', () => {
  const cleanup = createCleanup();
  let server: HoldfastProcess;
  let http: Http;
  let ecr: ECR;
  before(async () => {
    // Collections without a pause, and leases that end: memberships of deleted images' layers end as well.
    server = await startHoldfast(cleanup, { HOLDFAST_COLLECT_EVERY: '20ms', HOLDFAST_LEASE: '300ms' });
    const { accessKeyId, secretAccessKey } = server.credentials;
    const authorization = `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`;
    http = createHttp({ baseUrl: server.url, authorization });
    cleanup.after(async () => http.close());
    ecr = new ECR({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials, maxAttempts: 1 });
    cleanup.after(async () => ecr.destroy());
    await ecr.createRepository({ repositoryName: REPOSITORY });
    await api('PUT', '/lifecycle-policies', { repository: REPOSITORY, policy: POLICY, run: false });
    await api('PUT', '/lifecycle-switches', { repository: REPOSITORY, off: true });
  });
  after(() => cleanup.run());

  const v2 = (path: string): string => `/v2/${REPOSITORY}${path}`;

  async function api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const sent = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) };
    const answer = await http.send({
      method,
      url: `/holdfast/v1${path}`,
      headers: { 'Content-Type': 'application/json' },
      ...sent,
    });
    assert.equal(answer.status, 200, `${method} ${path}: ${answer.body.toString()}`);
    return JSON.parse(answer.body.toString()) as Record<string, unknown>;
  }

  /** What every wire says of the images; they must all say the same, and what is there must be whole. */
  async function look(): Promise<Seen> {
    const seen: Seen = { live: new Set(), tags: new Map() };
    for (const one of IMAGES) {
      const { status, body } = await http.send({ method: 'GET', url: v2(`/manifests/${one.digest}`) });
      if (status === 404) continue;
      assert.equal(status, 200, one.name);
      assert.ok(body.equals(one.bytes), one.name);
      seen.live.add(one.digest);
      for (const blob of one.blobs) {
        const got = await http.send({ method: 'GET', url: v2(`/blobs/${blob.digest}`) });
        assert.equal(got.status, 200, `${one.name} is there without ${blob.bytes.subarray(0, 40).toString()}`);
        assert.ok(got.body.equals(blob.bytes));
      }
    }
    for (const one of IMAGES) {
      if (!seen.live.has(one.digest)) continue;
      for (const child of one.children) assert.ok(seen.live.has(child.digest), `${one.name} is there without ${child.name}`);
    }
    for (const tag of TAGS) {
      const { status, headers } = await http.send({ method: 'HEAD', url: v2(`/manifests/${tag}`) });
      if (status !== 404) seen.tags.set(tag, String(headers['docker-content-digest']));
    }
    const tagsOf = (digest: string): string[] => TAGS.filter((tag) => seen.tags.get(tag) === digest).sort();
    const rows = [...seen.live].map((digest) => [digest, ...tagsOf(digest)].join()).sort();
    const { imageDetails = [] } = await ecr.describeImages({ repositoryName: REPOSITORY });
    assert.deepEqual(
      imageDetails.map(({ imageDigest, imageTags = [] }) => [imageDigest, ...imageTags.sort()].join()).sort(),
      rows,
    );
    const pairs = [...seen.live].flatMap((digest) =>
      (tagsOf(digest).length === 0 ? [''] : tagsOf(digest)).map((tag) => `${digest} ${tag}`),
    );
    const { imageIds = [] } = await ecr.listImages({ repositoryName: REPOSITORY });
    assert.deepEqual(imageIds.map(({ imageDigest, imageTag = '' }) => `${imageDigest} ${imageTag}`).sort(), pairs.sort());
    const { body } = await http.send({ method: 'GET', url: v2('/tags/list') });
    assert.deepEqual((JSON.parse(body.toString()) as { tags: string[] }).tags, [...seen.tags.keys()].sort());
    return seen;
  }

  it(
    `ends with the image whole or gone, as if one had come after the other: ${ROUNDS} rounds, seed ${SEED}`,
    { timeout: 3_600_000 },
    async (test) => {
      const random = createRandom(SEED);
      const counts = new Map<string, number>();
      const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
      let acts: Act[] = [];
      /** Images of which a part was not there any more when its turn came. */
      const brokenOff = new Set<string>();

      /** One request: what it was meant to do, and what came of it, with the times between which it did that. */
      async function act<T>(work: () => Promise<T>, outcome: (answer: T) => Outcome): Promise<T> {
        const from = performance.now();
        const answer = await work();
        const done = { from, to: performance.now(), outcome: outcome(answer) };
        acts.push(done);
        count(wordsOf(done));
        return answer;
      }

      async function upload(blob: Blob): Promise<void> {
        if ((await http.send({ method: 'HEAD', url: v2(`/blobs/${blob.digest}`) })).status === 200) return;
        const { headers } = await http.send({ method: 'POST', url: v2('/blobs/uploads/') });
        await http.send({ method: 'PUT', url: `${headers.location}?digest=${blob.digest}`, body: blob.bytes });
      }

      async function push(one: Image, tag?: string): Promise<void> {
        for (const child of one.children) await push(child);
        for (const blob of one.blobs) await upload(blob);
        await put(one, tag);
      }

      const put = ({ digest, bytes, mediaType }: Manifest, tag?: string): Promise<Answer> =>
        act(
          () =>
            http.send({
              method: 'PUT',
              url: v2(`/manifests/${tag ?? digest}`),
              headers: { 'Content-Type': mediaType },
              body: bytes,
            }),
          ({ status, body }) => {
            assert.ok(status === 201 || /"MANIFEST_BLOB_UNKNOWN"/.test(body.toString()), body.toString());
            return { kind: 'put', digest, tag, is: status === 201 ? 'done' : 'refused' };
          },
        );

      const read = (reference: string): Promise<Answer> =>
        act(
          () => http.send({ method: 'GET', url: v2(`/manifests/${reference}`) }),
          ({ status, headers }) => {
            assert.ok(status === 200 || status === 404);
            return { kind: 'read', reference, digest: status === 404 ? undefined : String(headers['docker-content-digest']) };
          },
        );

      const deletions: ((one: Image, tag: string) => Promise<unknown>)[] = [
        (_, imageTag) =>
          act(
            () => ecr.batchDeleteImage({ repositoryName: REPOSITORY, imageIds: [{ imageTag }] }),
            ({ failures = [] }) => ({ kind: 'untag', tag: imageTag, takesImage: true, is: wordOf(failures[0]?.failureCode) }),
          ),
        ({ digest }) =>
          act(
            () => ecr.batchDeleteImage({ repositoryName: REPOSITORY, imageIds: [{ imageDigest: digest }] }),
            ({ failures = [] }) => ({ kind: 'delete', digest, is: wordOf(failures[0]?.failureCode) }),
          ),
        ({ digest }) =>
          act(
            () => http.send({ method: 'DELETE', url: v2(`/manifests/${digest}`) }),
            ({ status }) => ({ kind: 'delete', digest, is: wordOf(status) }),
          ),
        (_, tag) =>
          act(
            () => http.send({ method: 'DELETE', url: v2(`/manifests/${tag}`) }),
            ({ status }) => ({ kind: 'untag', tag, takesImage: false, is: wordOf(status) }),
          ),
        () =>
          act(
            () => api('POST', '/lifecycle-runs', { repository: REPOSITORY, confirm: true }),
            ({ expired }) => ({ kind: 'run', expired: Number(expired) }),
          ),
      ];
      const others: ((one: Image, tag: string) => Promise<unknown>)[] = [
        (one, tag) => push(one, tag),
        async (one, tag) => {
          const { status, body } = await read(random() < 0.5 ? one.digest : tag);
          const found = IMAGES.find(({ bytes }) => bytes.equals(body));
          if (status !== 200) return;
          assert.ok(found);
          for (const blob of found.blobs) {
            const got = await http.send({ method: 'GET', url: v2(`/blobs/${blob.digest}`) });
            if (got.status === 200) assert.ok(got.body.equals(blob.bytes));
            else brokenOff.add(found.digest);
          }
        },
        async (one, imageTag) => {
          const imageId = random() < 0.5 ? { imageDigest: one.digest } : { imageTag };
          const { images = [] } = await act(
            () => ecr.batchGetImage({ repositoryName: REPOSITORY, imageIds: [imageId] }),
            (answer) => ({
              kind: 'read',
              reference: imageId.imageDigest ?? imageTag,
              digest: answer.images?.[0]?.imageId?.imageDigest,
            }),
          );
          const [found] = images;
          if (found === undefined) return;
          const digest = found.imageId?.imageDigest ?? '';
          const to = pick(random, TAGS);
          await act(
            () =>
              ecr.putImage({ repositoryName: REPOSITORY, imageManifest: found.imageManifest, imageTag: to }).then(
                () => 'done' as const,
                ({ name }: Error) => {
                  assert.match(name, /^(?:ImageAlreadyExists|LayersNotFound|ReferencedImagesNotFound)Exception$/);
                  return name === 'ImageAlreadyExistsException' ? ('needless' as const) : ('refused' as const);
                },
              ),
            (is) => ({ kind: 'put', digest, tag: to, is }),
          );
        },
      ];

      let seen = await look();
      for (let round = 0; round < ROUNDS; round++) {
        const where = `seed ${SEED}, round ${round}`;
        const [one, tag] = [pick(random, IMAGES), pick(random, TAGS)];
        acts = [];
        if (random() < 0.8) await push(one, tag);
        if (random() < 0.5) await push(other, random() < 0.5 ? 'v1' : undefined);
        const works = [
          pick(random, deletions),
          ...Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(random, random() < 0.3 ? deletions : others)),
        ];
        await Promise.all(
          works.map(async (work) => {
            await passed(random() * 5);
            await work(one, tag);
          }),
        );
        const now = await look();
        assert.ok(hasOrder(seen, acts, now, CHILDREN), `${where}: no order explains it\n${tell(seen, acts, now)}`);

        const isExcused = acts.some(({ outcome }) =>
          outcome.kind === 'run' ? outcome.expired > 0 : DELETIONS.has(wordsOf({ outcome })),
        );
        assert.ok(brokenOff.size === 0 || isExcused, `${where}: a pull broke off, and nothing was deleted`);
        for (const _ of brokenOff) count('pull broken off');
        brokenOff.clear();

        // What has gone comes back whole, in whichever way.
        const [last] = (await api('GET', '/lifecycle-runs?repository=team/app&limit=1'))['runs'] as {
          id: string;
          status: string;
        }[];
        if (last?.status === 'done' && random() < 0.5) {
          const { restored, lost } = await api('POST', '/lifecycle-undos', { repository: REPOSITORY, run: last.id });
          const back = await look();
          for (const digest of restored as string[]) assert.ok(back.live.has(digest), where);
          // An index may have gone with the run, and its entry by itself since.
          for (const one of lost as { digest: string }[])
            assert.ok(one.digest === index.digest && !back.live.has(entry.digest), where);
          count('undone');
        }
        const deleted = (await api('GET', '/deleted-images?repository=team/app'))['images'] as {
          digest: string;
          tags: string[];
        }[];
        const wanted = new Map([...(await look()).tags]);
        for (const { digest } of [entry, plain, index, other]) {
          const found = deleted.find((image) => image.digest === digest);
          if (found === undefined || random() < 0.3) continue;
          if (digest === index.digest && !(await look()).live.has(entry.digest)) continue;
          await api('POST', '/image-restores', { repository: REPOSITORY, digest });
          for (const name of found.tags) if (!wanted.has(name)) wanted.set(name, digest);
          const back = await look();
          assert.ok(back.live.has(digest), where);
          assert.deepEqual(back.tags, wanted, where);
          count('restored');
        }
        seen = await look();
      }
      test.diagnostic(
        [...counts]
          .map(([what, times]) => `${what} ${times}`)
          .sort()
          .join(', '),
      );
      for (const what of [
        'put done',
        'delete done',
        'delete unknown',
        'delete referenced',
        'untag done',
        'run',
        'read',
        'restored',
        'undone',
      ])
        assert.ok((counts.get(what) ?? 0) > 0, `${what} never came about`);
    },
  );
});

function wordsOf({ outcome }: Pick<Act, 'outcome'>): string {
  return 'is' in outcome ? `${outcome.kind} ${outcome.is}` : outcome.kind;
}

/** Of a status of the registry's API, or a failure code of ECR's. */
function wordOf(answer: number | string | undefined): Deleted {
  if (answer === 202 || answer === undefined) return 'done';
  if (answer === 404 || answer === 'ImageNotFound') return 'unknown';
  assert.ok(answer === 405 || answer === 'ImageReferencedByManifestList', String(answer));
  return 'referenced';
}

function tell(seen: Seen, acts: Act[], end: Seen): string {
  const start = Math.min(...acts.map(({ from }) => from));
  const lines = acts.map(
    ({ from, to, outcome }) => `${(from - start).toFixed(1)}-${(to - start).toFixed(1)} ${JSON.stringify(outcome)}`,
  );
  const text = [textOf(seen), ...lines, textOf(end)].join('\n');
  return IMAGES.reduce((told, { digest, name }) => told.replaceAll(digest, name), text);
}
