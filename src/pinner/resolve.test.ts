import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { formatReference, parseReference, type Reference } from '../core/reference.ts';
import type { Outcome } from '../client/outcome.ts';
import type { RegistryClient, ResolvedManifest } from '../client/registry-client.ts';
import { resolveReferences } from './resolve.ts';

/** Registries in memory: what each host answers, and what it was asked. */
function registries(
  answer: (reference: Reference) => Outcome<ResolvedManifest>,
  tags: string[] = [],
): RegistryClient & { asked: string[] } {
  const asked: string[] = [];
  const unused = (): never => assert.fail('not asked for');
  return {
    asked,
    async resolve(reference) {
      asked.push(formatReference(reference));
      return answer(reference);
    },
    async listTags(repository) {
      asked.push(`tags ${repository.path}`);
      return { ok: true, value: tags };
    },
    getManifest: unused,
    openBlob: unused,
    close() {},
  };
}

const found = (reference: Reference): Outcome<ResolvedManifest> => ({
  ok: true,
  value: { digest: digestOf(formatReference(reference)) },
});
const parse = (texts: string[]): Reference[] => texts.map(parseReference);

test('asks once for each distinct reference, however it is spelled', async () => {
  const client = registries(found);
  const resolutions = await resolveReferences(
    client,
    parse(['nginx', 'nginx:latest', 'docker.io/library/nginx:latest', 'index.docker.io/library/nginx', 'redis:7', 'redis:7']),
  );
  assert.deepEqual(client.asked.sort(), ['nginx', 'redis:7']);
  assert.deepEqual([...resolutions.keys()].sort(), ['nginx:latest', 'redis:7']);
});

test('a dead registry costs a few tries and fails only its own references', async () => {
  const dead: Outcome<ResolvedManifest> = {
    ok: false,
    failure: { kind: 'unreachable', host: 'dead.example', reason: 'nobody listens there' },
  };
  const client = registries((reference) => (reference.host === 'dead.example' ? dead : found(reference)));
  const references = parse([
    ...Array.from({ length: 50 }, (_, index) => `dead.example/app:${index}`),
    ...Array.from({ length: 50 }, (_, index) => `ghcr.io/app/app:${index}`),
  ]);
  const resolutions = await resolveReferences(client, references, { perHost: 1, giveUpAfter: 3 });
  assert.equal(resolutions.size, 100);
  assert.equal([...resolutions.values()].filter(({ ok }) => ok).length, 50);
  assert.equal(client.asked.filter((name) => name.startsWith('dead')).length, 3);
  const last = resolutions.get('dead.example/app:49');
  assert.match(last?.ok === false ? last.failure.reason : '', /given up after 3 failures in a row: nobody listens there/);
});

test('a registry that only lacks some images is not given up', async () => {
  const client = registries((reference) =>
    Number(reference.tag) % 2 === 0
      ? found(reference)
      : { ok: false, failure: { kind: 'not-found', host: reference.host, reason: 'no' } },
  );
  const resolutions = await resolveReferences(client, parse(Array.from({ length: 40 }, (_, index) => `ghcr.io/a/b:${index}`)), {
    perHost: 1,
  });
  assert.equal([...resolutions.values()].filter(({ ok }) => ok).length, 20);
});

test('a policy lists tags once a repository, and only for tags that are versions', async () => {
  const client = registries(found, ['1.2.3', '1.2.9', '1.3.0', '2.0.0', 'latest']);
  const resolutions = await resolveReferences(client, parse(['ghcr.io/a/b:1.2.3', 'ghcr.io/a/b:1.2.4', 'ghcr.io/a/b:latest']), {
    policy: 'minor',
  });
  const tags = [...resolutions].map(([key, outcome]) => [key, outcome.ok ? outcome.value.tag : undefined]);
  assert.deepEqual(Object.fromEntries(tags), {
    'ghcr.io/a/b:1.2.3': '1.3.0',
    'ghcr.io/a/b:1.2.4': '1.3.0',
    'ghcr.io/a/b:latest': undefined,
  });
  assert.equal(client.asked.filter((name) => name.startsWith('tags')).length, 1);
});
