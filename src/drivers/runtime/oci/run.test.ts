import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { tryRun } from './run.ts';

describe('a program of the machine', () => {
  it('that is not there keeps nobody waiting', async () => {
    const module = new URL('./run.ts', import.meta.url).href;
    const script = `await (await import('${module}')).tryRun('/no/such/program', []).catch(() => {}); console.log(process.getActiveResourcesInfo().join())`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 30_000 });
    assert.doesNotMatch(stdout, /Timeout/);
  });

  it('is killed when it takes too long', async () => {
    assert.equal((await tryRun('sleep', ['300'], { timeout: 50 })).code, 137);
  });
});
