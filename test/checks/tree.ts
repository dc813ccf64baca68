import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';

const root = new URL('../..', import.meta.url);

/** What the checkers read beside the sources. */
const settings = ['package.json', 'tsconfig.json', 'layers.ts', 'oxlint.config.ts', '.oxfmtrc.json', 'knip.json', '.gitignore'];

/** A small house that keeps every rule: a front door, a driver, a room, and words. */
const clean: Record<string, string> = {
  'src/main.ts': `import { createBlobs } from './drivers/blobs/memory.ts';
import { createRegistry } from './registry/registry.ts';

const registry = createRegistry({ blobs: createBlobs(), now: Date.now });
process.exitCode = registry.size();
`,
  'src/core/size.ts': `/** Bytes. */
export type Size = number;
`,
  'src/registry/ports.ts': `import type { Size } from '../core/size.ts';

export interface Blobs {
  size(): Size;
}
`,
  'src/registry/registry.ts': `import type { Size } from '../core/size.ts';
import type { Blobs } from './ports.ts';

export function createRegistry({ blobs, now }: { blobs: Blobs; now: () => number }): { size(): Size } {
  return { size: () => blobs.size() + Math.min(0, now()) };
}
`,
  'src/drivers/blobs/memory.ts': `import type { Blobs } from '../../registry/ports.ts';

export function createBlobs(): Blobs {
  return { size: () => 0 };
}
`,
};

/** A temporary tree with the project's own settings and packages, the clean house, and what is planted in it. */
export async function plantedTree(t: TestContext, planted: Record<string, string>): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-checks-'));
  t.after(() => rm(folder, { recursive: true }));
  await symlink(new URL('node_modules', root), join(folder, 'node_modules'));
  await Promise.all(settings.map((name) => cp(new URL(name, root), join(folder, name))));
  for (const [path, text] of Object.entries({ ...clean, ...planted })) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return pathToFileURL(`${folder}/`);
}
