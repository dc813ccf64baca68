import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestOf } from '../core/digest.ts';
import type { Outcome } from '../client/outcome.ts';
import type { Tag } from '../core/tag.ts';
import { disagreement, spliceBytes } from './apply-edits.ts';
import { findReferences } from './find/find-references.ts';
import { planEdits, type PlanOptions } from './plan-edits.ts';
import type { Resolution } from './resolve.ts';

const NEW = digestOf('new');
const OLD = digestOf('old');
const PIN: PlanOptions = { mode: 'pin', style: 'tag', filter: { allow: [], deny: [] } };

const resolved = (entries: Record<string, Partial<Resolution>>): Map<string, Outcome<Resolution>> =>
  new Map(Object.entries(entries).map(([key, value]) => [key, { ok: true, value: { digest: NEW, ...value } }]));

/** The text after the edits, which must also read as what was meant, and stay as it is in a second run. */
function pinned(
  path: string,
  text: string,
  resolutions: Map<string, Outcome<Resolution>>,
  options: Partial<PlanOptions> = {},
): string {
  const apply = (before: Buffer): Buffer => {
    const findings = findReferences(path, before);
    assert.ok(findings, 'the file is read');
    const plan = planEdits(before, findings, resolutions, { ...PIN, ...options });
    const after = Buffer.from(spliceBytes(before, plan.edits));
    assert.equal(disagreement(path, findings, after, plan, {}), undefined);
    return after;
  };
  const once = apply(Buffer.from(text));
  assert.deepEqual(apply(once), once, 'a second run changes nothing');
  return once.toString();
}

const dockerfile = (reference: string): string =>
  `# syntax of ünïcode\r\nFROM --platform=linux/arm64   ${reference}  AS build\r\nRUN true`;

describe('pinning', () => {
  test('adds the digest behind the tag and touches no other byte', () => {
    assert.equal(pinned('Dockerfile', dockerfile('nginx:1.27'), resolved({ 'nginx:1.27': {} })), dockerfile(`nginx:1.27@${NEW}`));
    assert.equal(
      pinned('Dockerfile', dockerfile('docker.io/library/nginx:1'), resolved({ 'nginx:1': {} })),
      dockerfile(`docker.io/library/nginx:1@${NEW}`),
    );
    assert.equal(
      pinned('Dockerfile', dockerfile('localhost:5000/a/b_c:x'), resolved({ 'localhost:5000/a/b_c:x': {} })),
      dockerfile(`localhost:5000/a/b_c:x@${NEW}`),
    );
  });

  test('says the tag that was meant where none is written, so that the pin can follow it', () => {
    assert.equal(pinned('Dockerfile', dockerfile('nginx'), resolved({ 'nginx:latest': {} })), dockerfile(`nginx:latest@${NEW}`));
  });

  test('style digest drops the tag', () => {
    assert.equal(
      pinned('Dockerfile', dockerfile('nginx:1.27'), resolved({ 'nginx:1.27': {} }), { style: 'digest' }),
      dockerfile(`nginx@${NEW}`),
    );
  });

  test('leaves alone what is pinned, denied, unresolved or a variable', () => {
    for (const reference of [`nginx:1@${OLD}`, `nginx@${OLD}`, 'nginx:1-${V}', '${BASE}', 'scratch']) {
      assert.equal(
        pinned('Dockerfile', dockerfile(reference), resolved({ 'nginx:1': {}, 'nginx:latest': {} })),
        dockerfile(reference),
      );
    }
    assert.equal(
      pinned('Dockerfile', dockerfile('nginx:1'), resolved({ 'nginx:1': {} }), { filter: { allow: ['ghcr.io'], deny: [] } }),
      dockerfile('nginx:1'),
    );
    assert.equal(
      pinned('Dockerfile', dockerfile('nginx:1'), resolved({ 'nginx:1': {} }), {
        filter: { allow: [], deny: ['docker.io/library/*'] },
      }),
      dockerfile('nginx:1'),
    );
  });

  test('a failure is told for its place, and the rest of the file goes on', () => {
    const text = Buffer.from('FROM nginx:1\nFROM redis:7\n');
    const resolutions = new Map([
      ...resolved({ 'redis:7': {} }),
      ['nginx:1', { ok: false, failure: { kind: 'denied', host: 'docker.io', reason: 'no' } }] as const,
    ]);
    const plan = planEdits(text, findReferences('Dockerfile', text)!, resolutions, PIN);
    assert.deepEqual(
      plan.failures.map(({ found }) => found.reference),
      ['nginx:1'],
    );
    assert.equal(Buffer.from(spliceBytes(text, plan.edits)).toString(), `FROM nginx:1\nFROM redis:7@${NEW}\n`);
  });
});

describe('updating and removing', () => {
  test('update refreshes a digest by its tag; a digest alone follows nothing', () => {
    const resolutions = resolved({ 'nginx:1': {}, 'nginx:latest': {} });
    assert.equal(
      pinned('Dockerfile', dockerfile(`nginx:1@${OLD}`), resolutions, { mode: 'update' }),
      dockerfile(`nginx:1@${NEW}`),
    );
    assert.equal(pinned('Dockerfile', dockerfile(`nginx@${OLD}`), resolutions, { mode: 'update' }), dockerfile(`nginx@${OLD}`));
    assert.equal(
      pinned('Dockerfile', dockerfile(`nginx:1@${OLD}`), resolutions, { mode: 'update', style: 'digest' }),
      dockerfile(`nginx@${NEW}`),
    );
  });

  test('a policy moves the tag with the digest', () => {
    const text = dockerfile(`nginx:1.26-alpine@${OLD}`);
    const findings = findReferences('Dockerfile', Buffer.from(text))!;
    const plan = planEdits(Buffer.from(text), findings, resolved({ 'nginx:1.26-alpine': { tag: '1.27-alpine' as Tag } }), {
      ...PIN,
      mode: 'update',
    });
    assert.equal(Buffer.from(spliceBytes(Buffer.from(text), plan.edits)).toString(), dockerfile(`nginx:1.27-alpine@${NEW}`));
    assert.deepEqual(
      plan.changes.map(({ before, after }) => [before, after]),
      [[`nginx:1.26-alpine@${OLD}`, `nginx:1.27-alpine@${NEW}`]],
    );
  });

  test('remove keeps the tag, and a digest alone', () => {
    assert.equal(pinned('Dockerfile', dockerfile(`nginx:1@${OLD}`), new Map(), { mode: 'remove' }), dockerfile('nginx:1'));
    assert.equal(pinned('Dockerfile', dockerfile(`nginx@${OLD}`), new Map(), { mode: 'remove' }), dockerfile(`nginx@${OLD}`));
  });
});

describe('values split over keys', () => {
  const values = (tag: string, digest: string): string =>
    `web:\n  image:\n    repository: acme/web   # ours\n    tag: ${tag}\n${digest}    pullPolicy: Always\n`;
  const resolutions = resolved({ 'acme/web:1.0': {} });

  test('the digest goes to its key where there is one', () => {
    assert.equal(
      pinned('chart/values.yaml', values('"1.0"', '    digest: ""\n'), resolutions),
      values('"1.0"', `    digest: "${NEW}"\n`),
    );
    const hex = NEW.slice('sha256:'.length);
    assert.equal(
      pinned('chart/values.yaml', values('"1.0"', '    sha: ""\n'), resolutions),
      values('"1.0"', `    sha: "${hex}"\n`),
    );
    assert.equal(
      pinned('chart/values.yaml', values('"1.0"', `    sha: ${hex}\n`), new Map(), { mode: 'remove' }),
      values('"1.0"', '    sha: \n'),
    );
    assert.equal(
      pinned('chart/values.yaml', values('"1.0"', `    digest: ${OLD}\n`), resolutions, { mode: 'update' }),
      values('"1.0"', `    digest: ${NEW}\n`),
    );
  });

  test('and behind the tag where there is none', () => {
    assert.equal(pinned('chart/values.yaml', values("'1.0'", ''), resolutions), values(`'1.0@${NEW}'`, ''));
    assert.equal(
      pinned('chart/values.yaml', values(`'1.0@${OLD}'`, ''), resolutions, { mode: 'update' }),
      values(`'1.0@${NEW}'`, ''),
    );
    assert.equal(pinned('chart/values.yaml', values(`'1.0@${OLD}'`, ''), new Map(), { mode: 'remove' }), values("'1.0'", ''));
  });
});

test('one place that two names lead to is spliced once', () => {
  const text = 'x-image: &web\n  image: nginx:1\nservices:\n  a:\n    <<: *web\n  b:\n    <<: *web\n';
  assert.equal(pinned('compose.yaml', text, resolved({ 'nginx:1': {} })), text.replace('nginx:1', `nginx:1@${NEW}`));
});

test('an edit that would make the file say something else is found out', () => {
  const before = Buffer.from('FROM nginx:1\n');
  const findings = findReferences('Dockerfile', before)!;
  const plan = planEdits(before, findings, resolved({ 'nginx:1': {} }), PIN);
  assert.match(disagreement('Dockerfile', findings, Buffer.from('FROM nginx:2\n'), plan, {}) ?? '', /would say nginx:2/);
  assert.match(disagreement('Dockerfile', findings, Buffer.from('FROM a\nFROM b\n'), plan, {}) ?? '', /2 references/);
  assert.throws(
    () =>
      spliceBytes(before, [
        { start: 5, end: 8, text: '' },
        { start: 7, end: 9, text: '' },
      ]),
    /overlap/,
  );
});
