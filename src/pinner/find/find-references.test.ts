import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { findComposeVariables, findReferences } from './find-references.ts';
import type { FileFindings } from './types.ts';

const ROOT = new URL('../../../test/fixtures/pin/', import.meta.url).pathname;
type Answer = 'not read' | { type: string; problem: string } | { type: string; references: string[] };
const answers = JSON.parse(readFileSync(join(ROOT, 'expected.json'), 'utf8')) as Record<string, Answer>;

/** Reads a file of the corpus as a walk would: a `.env` with the variables of the compose files beside it. */
function find(path: string): FileFindings | undefined {
  const folder = join(ROOT, dirname(path));
  const composeVariables = new Set(
    readdirSync(folder).flatMap((name) =>
      statSync(join(folder, name)).isFile() ? findComposeVariables(name, readFileSync(join(folder, name))) : [],
    ),
  );
  return findReferences(path, readFileSync(join(ROOT, path)), { shell: true, composeVariables });
}

function answer(found: FileFindings | undefined): Answer {
  if (found === undefined) return 'not read';
  const [problem] = found.problems;
  if (problem) return { type: found.fileType, problem: `${problem.line}:${problem.column} ${problem.message}` };
  return {
    type: found.fileType,
    references: found.references.map(
      (each) => `${each.line}:${each.column} ${each.reference}${each.skip ? ` (${each.skip})` : ''}`,
    ),
  };
}

describe('the corpus', () => {
  const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter(
    (path) => statSync(join(ROOT, path)).isFile() && path !== 'expected.json' && path !== '.gitattributes',
  );

  test('has an answer for every file, and a file for every answer', () => {
    assert.deepEqual(files.toSorted(), Object.keys(answers).toSorted());
  });

  for (const path of files) {
    test(path, () => {
      const found = find(path);
      assert.deepEqual(answer(found), answers[path]);
      const bytes = readFileSync(join(ROOT, path));
      for (const each of found?.references ?? []) {
        assert.ok(each.parts.length > 0 && each.position !== '');
        for (const part of each.parts) {
          assert.ok(part.start <= part.end && part.end <= bytes.length);
          if (each.skip !== undefined || each.quoting === 'json') continue;
          assert.equal(bytes.toString('utf8', part.start, part.end), part.text, `${each.line}: the range holds the text`);
        }
      }
    });
  }
});

describe('one file', () => {
  const compose = (text: string, path = 'compose.yaml'): string[] => references(findReferences(path, Buffer.from(text)));
  const references = (found: FileFindings | undefined): string[] =>
    (found?.references ?? []).map((each) => `${each.reference}${each.skip ? ` (${each.skip})` : ''}`);

  test('names every part of a split reference, and an empty digest at its place', () => {
    const bytes = Buffer.from('image:\n  repository: nginx\n  tag: "1.27"\n  digest: ""\n');
    const found = findReferences('chart/values.yaml', bytes);
    assert.deepEqual(found?.references[0]?.parts, [
      { role: 'repository', start: 21, end: 26, text: 'nginx', quoting: 'yaml-plain' },
      { role: 'tag', start: 35, end: 39, text: '1.27', quoting: 'yaml-double' },
      { role: 'digest', start: 52, end: 52, text: '', quoting: 'yaml-double' },
    ]);
  });

  test('gives byte offsets behind characters of several bytes, and columns in characters', () => {
    const bytes = Buffer.from('services: { "ünï": { image: nginx:1 } }');
    const [found] = findReferences('compose.yaml', bytes)?.references ?? [];
    assert.equal(found?.column, 29);
    assert.equal(bytes.toString('utf8', found?.parts[0]?.start, found?.parts[0]?.end), 'nginx:1');
    assert.equal(found?.position, 'services.ünï.image');
  });

  test('says where each is', () => {
    const found = findReferences('Dockerfile', Buffer.from('FROM a:1\nFROM b:1\nCOPY --from=c:1 / /\n'));
    assert.deepEqual(
      found?.references.map((each) => each.position),
      ['FROM #1', 'FROM #2', 'COPY --from'],
    );
  });

  test('reads a variable without its default as one thing, never as a part of it', () => {
    for (const value of [
      '${R}/a/b:1',
      'a/b:${T}',
      '$R/a:1',
      'a/b:$T',
      'a/b:{{ t }}',
      'a/b:<tag>',
      'a/b:%s',
      'a/b:TAG',
      'REGISTRY/a/b:1',
      'a/b:__TAG__',
      'a/b:@tag@',
      'a/b:${T:-1}',
      '${R:-docker.io}/a:1',
    ]) {
      assert.deepEqual(compose(`services:\n  a:\n    image: '${value}'\n`), [`${value} (variable)`]);
    }
  });

  test('leaves shell scripts alone unless asked', () => {
    assert.equal(findReferences('run.sh', Buffer.from('docker pull alpine:3\n')), undefined);
  });

  test('reports what is broken and gives nothing of it', () => {
    for (const [path, text] of [
      ['compose.yaml', 'services:\n\ta:\n\t\timage: x:1\n'],
      ['a.json', '{"image": "x:1",'],
      ['a.tf', 'a "b" { image = "x:1"'],
      ['k.yaml', 'kind: [Pod\nimage: x:1'],
      ['k.yaml', `image: x:1\na: ${'['.repeat(5000)}`],
      ['a.json', `{"image":${'['.repeat(5000)}`],
      ['a.tf', `image = ${'['.repeat(5000)}`],
      ['a.tf', `image = "${'${"'.repeat(5000)}`],
    ] as const) {
      const found = findReferences(path, Buffer.from(text));
      assert.equal(found?.references.length, 0, text.slice(0, 40));
      assert.equal(found?.problems.length, 1, text.slice(0, 40));
    }
  });

  test('reads every kind of file to its end whatever the bytes', () => {
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
    for (const path of Object.keys(answers)) {
      const bytes = readFileSync(join(ROOT, path));
      for (let round = 0; round < 20 && bytes.length > 0; round++) {
        const changed = Buffer.from(bytes);
        for (let count = 0; count < 5; count++) changed[random(changed.length)] = '{}[]"\'\n\\$:#- \t<`|'.charCodeAt(random(17));
        findReferences(path, changed.subarray(random(2) * random(changed.length)), { shell: true });
      }
    }
  });

  test('costs no more than its length for hostile text', () => {
    const openings = [
      '{{ ',
      '${',
      '"',
      "'",
      '`',
      '[',
      '{',
      '- ',
      '? ',
      '<<A ',
      '/*',
      'a: &a ',
      '*a ',
      '<% ',
      '\\\n',
      '#',
      'image: ',
      '  ',
      '$(',
      '{{/*',
      '[[ ',
      'FROM ${A:-',
      '"\\',
      '|\n',
      'x: |\n ',
      'image: a:1\n',
      '"image":"a:1",',
      'image = "a:1"\n',
      'FROM a:1\n',
    ];
    for (const path of [
      'a.yaml',
      'templates/a.yaml',
      'a.json',
      'a.tf',
      'a.nomad',
      'Dockerfile',
      'a.ts',
      'a.py',
      'a.go',
      '.env',
      'run.sh',
    ]) {
      for (const opening of openings)
        findReferences(path, Buffer.from(`image: aws-cdk IMAGE\n${opening.repeat(20_000)}`), { shell: true });
    }
  });
});
