import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/image-source.ts';
import { plainEnv, runProgram } from '../support/server.ts';

const holdfast = fileURLToPath(new URL('../../bin/holdfast', import.meta.url));

for (const [env, code, message] of [
  [{ HOLDFAST_RUNTIME: 'kubernetes' }, 2, /HOLDFAST_RUNTIME=kubernetes is not supported\. Set it to oci or docker/],
  [{ HOLDFAST_RUNTIME: 'docker', DOCKER_HOST: 'tcp://192.0.2.1:2375' }, 2, /is not of this machine\. .*: unset it/],
  [
    { HOLDFAST_RUNTIME: 'docker', DOCKER_HOST: 'unix:///nonexistent.sock' },
    1,
    /No Docker Engine answers at \/nonexistent\.sock .*Start it/,
  ],
] as const) {
  test(`a runtime that cannot be had is told in a sentence: ${Object.values(env).join(', ')}`, async (t) => {
    const folder = await temporaryFolder(t);
    const finished = await runProgram(holdfast, ['serve'], {
      env: { ...plainEnv(), HOLDFAST_PORT: '0', HOLDFAST_DATA: join(folder, 'data'), ...env },
    });
    assert.match(finished.stderr, message);
    assert.doesNotMatch(finished.stderr, /should not happen|\n    at /);
    assert.deepEqual([finished.code, finished.stdout], [code, '']);
  });
}
