import assert from 'node:assert/strict';
import { globSync, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { test } from 'node:test';
import { deepest, frontDoor, mayImport, roomOf, rooms } from '../../layers.ts';

const source = new URL('../../src/', import.meta.url);

/** Files that build the whole house for a test are under no fence. */
const isTest = (path: string): boolean => /\.(?:test|contract|child)\.ts$|(?:^|\/)(?:testing|test-[^/]+)\.ts$/.test(path);
const files = globSync('**/*.ts', { cwd: source });

test('every source file is in a room or is the front door', () => {
  assert.deepEqual(
    files.filter((file) => roomOf(file) === undefined && !frontDoor.includes(file) && !(isTest(file) && !file.includes('/'))),
    [],
    'name the room in layers.ts',
  );
});

test('every room of the table has its folder', () => {
  assert.deepEqual(
    rooms.filter(({ folder }) => !existsSync(new URL(folder, source))).map(({ folder }) => folder),
    [],
  );
});

test('no file lies deeper than the fences reach', () => {
  const depth = (file: string): number => file.split('/').length - (roomOf(file)?.folder.split('/').length ?? 0) - 1;
  assert.deepEqual(
    files.filter((file) => depth(file) > deepest),
    [],
  );
});

test('rooms look down only: nobody imports one that imports him', () => {
  const reach = (folder: string, seen = new Set<string>()): Set<string> => {
    for (const next of rooms.find((room) => room.folder === folder)?.imports ?? []) {
      if (!seen.has(next)) reach(next, seen.add(next));
    }
    return seen;
  };
  for (const { folder, imports } of rooms) {
    assert.ok(!reach(folder).has(folder), `${folder} reaches itself`);
    for (const name of imports)
      assert.ok(
        rooms.some((room) => room.folder === name),
        `${folder} imports ${name}, which is no room`,
      );
  }
});

/** Every specifier with whether the whole statement is of types: static, re-exported, and `import()`, which the linter's fences do not see. */
function importsOf(text: string): { specifier: string; types: boolean }[] {
  const statements = [...text.matchAll(/^(?:import|export)\s+(type\s)?[^;'"]*?from\s*'(\.[^']+)'/gm)];
  const bare = [...text.matchAll(/^import\s*()'(\.[^']+)'/gm)];
  const dynamic = [...text.matchAll(/\bimport\(\s*()['"`](\.[^'"`]+)/g)];
  return [...statements, ...bare, ...dynamic].map((match) => ({ specifier: match[2] ?? '', types: (match[1] ?? '') !== '' }));
}

function violations(file: string, text: string): string[] {
  return importsOf(text)
    .map(({ specifier, types }) => ({ target: posix.join(posix.dirname(file), specifier), types }))
    .filter(({ target, types }) => {
      const answer = mayImport(file, target);
      return answer === 'no' || (answer === 'types' && !types);
    })
    .map(({ target }) => `${file} imports ${target}`);
}

test('the sources, read again without the linter, keep to the table, import() too', async () => {
  const found: string[] = [];
  for (const file of files.filter((each) => !isTest(each)))
    found.push(...violations(file, await readFile(new URL(file, source), 'utf8')));
  assert.deepEqual(found, []);
});

test('the second reading bites', () => {
  const planted = `import type { A } from '../registry/a.ts';
import {
  b,
} from './b.ts';
export * from '../drivers/blobs/fs.ts';
const c = await import('../serve.ts');
`;
  assert.deepEqual(violations('core/planted.ts', planted), [
    'core/planted.ts imports registry/a.ts',
    'core/planted.ts imports drivers/blobs/fs.ts',
    'core/planted.ts imports serve.ts',
  ]);
  assert.deepEqual(violations('drivers/blobs/x.ts', "import type { A } from '../../registry/ports.ts';"), []);
  assert.equal(violations('drivers/blobs/x.ts', "import { A } from '../../registry/ports.ts';").length, 1);
});

test('the picture in docs/ARCHITECTURE.md has every room', async () => {
  const text = await readFile(new URL('../../docs/ARCHITECTURE.md', import.meta.url), 'utf8');
  const picture = /```\n([^]*?)```/.exec(text)?.[1] ?? '';
  for (const { folder } of rooms) {
    const [first = '', second] = folder.split('/');
    const line = picture.split('\n').findIndex((each) => each.includes(`${first}/`) || new RegExp(`\\b${first}\\b`).test(each));
    assert.notEqual(line, -1, `the picture has no ${first}`);
    if (second !== undefined) assert.match(picture, new RegExp(`\\b${second}\\b`), `the picture has no ${folder}`);
  }
});
