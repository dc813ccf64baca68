/**
 * Writes dist/, the JavaScript of the packed package: Node does not read TypeScript under node_modules. The repository
 * itself never runs it.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';

const root = new URL('..', import.meta.url);
rmSync(new URL('dist', root), { recursive: true, force: true });
const { status } = spawnSync('tsc', ['-p', 'scripts/tsconfig.emit.json'], { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;
