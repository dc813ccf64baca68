import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { SceneName } from './deployment-scenes.ts';
import { quickFolder } from './quick-meta.ts';

/** Killed at each of their steps. */
const MAIN: SceneName[] = [
  'a deployment',
  'its first deployment',
  'a deployment that the circuit breaker rolls back',
  'its end',
  'a deployment that is stopped',
];
/** Killed at one step of five, with HOLDFAST_SOAK=1 at each: they are long. */
const MORE: SceneName[] = [
  'scaling up and down, in the middle of a deployment',
  'ten tasks that are run and stopped',
  'its first deployment, its tags resolved by the registry',
  'a roll-back by hand',
  'task sets that somebody else deploys',
];

/** What the thread says at its end. */
function play(scene: SceneName, stride: number): Promise<string> {
  const worker = new Worker(new URL('deployment-scenes.ts', import.meta.url), {
    workerData: { scene, stride },
    env: { ...process.env, TMPDIR: quickFolder() },
  });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the scene ended without a word')));
  });
}

describe('kill -9 of the server under a service', { concurrency: 2 }, () => {
  const stride = process.env['HOLDFAST_SOAK'] === '1' ? 1 : 5;
  for (const [scenes, by] of [
    [MAIN, 1],
    [MORE, stride],
  ] as const) {
    for (const scene of scenes) {
      test(`at the steps of ${scene}`, async (t) => {
        t.diagnostic(await play(scene, by));
      });
    }
  }
});
