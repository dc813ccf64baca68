import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runChecks, type CheckName } from '../support/checks.ts';
import { plantedTree } from './tree.ts';

// A checker that was never seen to fail may be checking nothing. Each case is the clean tree with one fault in it.

test('the clean tree has no finding', async (t) => {
  // Its packages are the project's own, most of which so small a house does not use.
  const findings = await runChecks(await plantedTree(t, {}), ['format', 'layers', 'types']);
  assert.deepEqual(
    findings.filter(({ ok }) => !ok),
    [],
  );
});

const registry = (line: string): Record<string, string> => ({
  'src/registry/planted.ts': `${line}\n`,
});

const planted: [what: string, check: CheckName, files: Record<string, string>, finding: RegExp][] = [
  [
    'an import upward',
    'layers',
    { 'src/core/planted.ts': "export { createRegistry } from '../registry/registry.ts';\n" },
    /core may not import registry/,
  ],
  [
    'a type-only import upward',
    'layers',
    { 'src/core/planted.ts': "export type { Blobs } from '../registry/ports.ts';\n" },
    /core may not import registry/,
  ],
  [
    'an import sideways',
    'layers',
    {
      'src/access/key.ts': 'export const key = 1;\n',
      ...registry("export { key } from '../access/key.ts';"),
    },
    /registry may not import access/,
  ],
  [
    'an import sideways, from a subfolder',
    'layers',
    {
      'src/access/key.ts': 'export const key = 1;\n',
      'src/registry/deep/planted.ts': "export { key } from '../../access/key.ts';\n",
    },
    /registry may not import access/,
  ],
  [
    'a wire that imports another wire',
    'layers',
    {
      'src/wire/oci/size.ts': 'export const size = 1;\n',
      'src/wire/ecr/planted.ts': "export { size } from '../oci/size.ts';\n",
    },
    /wire\/ecr may not import wire\/oci/,
  ],
  [
    'a room that imports a driver',
    'layers',
    registry("export { createBlobs } from '../drivers/blobs/memory.ts';"),
    /registry may not import drivers\/blobs/,
  ],
  [
    'a driver that imports more of a room than the types of its ports',
    'layers',
    { 'src/drivers/blobs/planted.ts': "export { createRegistry } from '../../registry/registry.ts';\n" },
    /drivers\/blobs may not import registry/,
  ],
  [
    'a driver that imports a value of a port',
    'layers',
    {
      'src/registry/ports.ts': 'export interface Blobs {\n  size(): number;\n}\nexport const limit = 1;\n',
      'src/drivers/blobs/planted.ts': "export { limit } from '../../registry/ports.ts';\n",
    },
    /drivers\/blobs may not import registry/,
  ],
  [
    'a room that imports the front door',
    'layers',
    { 'src/config.ts': 'export const port = 1;\n', ...registry("export { port } from '../config.ts';") },
    /may not import the front door/,
  ],
  [
    'an import by a detour',
    'layers',
    registry("export { createBlobs } from './x/../../drivers/blobs/memory.ts';"),
    /shortest path/,
  ],
  ['an import from outside of src', 'layers', registry("export { rooms } from '../../layers.ts';"), /nothing outside of src/],
  [
    'a package that is not for the room',
    'layers',
    { 'src/core/planted.ts': "export { defineConfig } from 'oxlint';\n" },
    /core may not import oxlint/,
  ],
  [
    'a file read in a deciding room',
    'layers',
    registry("export { readFile } from 'node:fs/promises';"),
    /takes its world as an argument/,
  ],
  ['a socket in a deciding room', 'layers', registry("export { connect } from 'node:net';"), /takes its world as an argument/],
  ['a cycle', 'layers', cycle("export { b } from './b.ts';", "export { a } from './a.ts';"), /[Dd]ependency cycle/],
  [
    'a cycle of types',
    'layers',
    cycle("import type { B } from './b.ts';\nexport type A = B | 1;", "import type { A } from './a.ts';\nexport type B = A[];"),
    /[Dd]ependency cycle/,
  ],
  ['Date.now in a room', 'layers', registry('export const started = Date.now();'), /take a Clock/],
  ['performance.now in a room', 'layers', registry('export const started = performance.now();'), /take a Clock/],
  ['Math.random in a room', 'layers', registry('export const dice = Math.random();'), /take an IdSource/],
  ['randomUUID in a room', 'layers', registry("export { randomUUID } from 'node:crypto';"), /take an IdSource/],
  ['the environment in a room', 'layers', registry("export const home = process.env['HOME'];"), /settings as an argument/],
  [
    'the environment in a driver',
    'layers',
    { 'src/drivers/blobs/planted.ts': "export const home = process.env['HOME'];\n" },
    /only the front door reads the environment/,
  ],
  [
    'a promise that nobody waits for',
    'layers',
    registry('export function start(work: () => Promise<void>): void {\n  work();\n}'),
    /no-floating-promises/,
  ],
  ['a forgotten console.log', 'layers', registry("console.log('here');\nexport {};"), /no-console/],
  ['a file that is not formatted', 'format', registry('export   const x = "y"'), /planted\.ts/],
  ['a type that does not fit', 'types', registry("export const size: number = 'large';"), /TS2322/],
  ['what Node cannot strip', 'types', registry('export enum Size {\n  small,\n}'), /TS1294/],
  ['an index that may not be there', 'types', registry('export const first = (list: number[]): number => list[0];'), /TS2322/],
  [
    'a file that nothing imports',
    'dead code',
    registry('export const planted = 1;'),
    /Unused files[^]*src\/registry\/planted\.ts/,
  ],
  [
    'an export that nothing imports',
    'dead code',
    { 'src/core/size.ts': '/** Bytes. */\nexport type Size = number;\nexport const planted = 1;\n' },
    /Unused exports[^]*planted/,
  ],
  [
    'a package that is not in package.json',
    'dead code',
    { 'src/core/size.ts': "import 'left-pad';\n/** Bytes. */\nexport type Size = number;\n" },
    /Unlisted dependencies[^]*left-pad/,
  ],
];

function cycle(a: string, b: string): Record<string, string> {
  return { 'src/registry/a.ts': `${a}\nexport const a = 1;\n`, 'src/registry/b.ts': `${b}\nexport const b = 1;\n` };
}

describe('each planted fault is found', { concurrency: 2 }, () => {
  for (const [what, check, files, finding] of planted) {
    test(`${check}: ${what}`, async (t) => {
      const [found] = await runChecks(await plantedTree(t, files), [check]);
      assert.equal(found?.ok, false, 'the checker found nothing');
      assert.match(found.output.replaceAll(/\n\s*[│|]\s*/g, ' '), finding);
    });
  }
});
