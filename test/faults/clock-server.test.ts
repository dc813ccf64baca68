import { ECR } from '@aws-sdk/client-ecr';
import { ECS, ListClustersCommand, waitUntilServicesInactive, waitUntilServicesStable, type Task } from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { temporaryFolder } from '../support/image-source.ts';
import { noRealTasks, openRealTasks, sh } from '../support/real-tasks.ts';
import { requireAbility } from '../support/tools.ts';

const DAY = 24 * 3_600_000;
/** One whose tasks are healthy by their checks, and one whose are by the time that they have run. */
const SERVICES = ['web', 'plain'];
const IDLE = sh(`trap 'exit 0' TERM; while :; do sleep 0.1; done`);

test('the clock of a server is set while its services run', { skip: noRealTasks, timeout: 120_000 }, async (t) => {
  const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');
  if (!requireAbility(t, library !== undefined, 'faketime is not installed (sh scripts/setup.sh test installs it)')) return;
  const clock = join(await temporaryFolder(t), 'clock');
  await writeFile(clock, '+0');
  const world = await openRealTasks(t, {
    LD_PRELOAD: library ?? '',
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    HOLDFAST_SETTLE: '2s',
  });
  const { url, credentials } = world.server;
  const ecs = new ECS({ endpoint: url, region: 'us-east-1', credentials, maxAttempts: 3 });
  const ecr = new ECR({ endpoint: url, region: 'us-east-1', credentials, maxAttempts: 3 });
  t.after(() => {
    ecs.destroy();
    ecr.destroy();
  });
  const waiting = { client: ecs, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };
  const stable = () => waitUntilServicesStable(waiting, { services: SERVICES });
  const tasks = async (): Promise<Task[]> => {
    const { taskArns = [] } = await ecs.listTasks({});
    return taskArns.length === 0 ? [] : ((await ecs.describeTasks({ tasks: taskArns })).tasks ?? []);
  };
  const login = async (): Promise<string> =>
    (await ecr.getAuthorizationToken({})).authorizationData?.[0]?.authorizationToken ?? '';
  const mayRead = async (token: string): Promise<number> =>
    (await fetch(`${url}/v2/team/box/manifests/1`, { headers: { authorization: `Basic ${token}` } })).status;
  /** By so much ahead of the machine's; an answer's date is a second old at most. */
  const set = async (milliseconds: number): Promise<void> => {
    await writeFile(clock, `${milliseconds < 0 ? '' : '+'}${milliseconds / 1000}`);
    for (;;) {
      const date = (await fetch(`${url}/healthz`)).headers.get('date') ?? '';
      if (Math.abs(Date.parse(date) - Date.now() - milliseconds) < 5_000) return;
      await setTimeout(50);
    }
  };

  await world.register('web', [{ ...IDLE, healthCheck: { command: ['CMD', 'true'], interval: 5 } }]);
  await world.register('plain', [IDLE]);
  for (const name of SERVICES) await ecs.createService({ serviceName: name, taskDefinition: name, desiredCount: 2 });
  await stable();
  const token = await login();
  assert.equal(await mayRead(token), 200);

  for (const [ahead, refusal, mayStillRead] of [
    [DAY, /Signature expired: /, 403],
    [-DAY / 12, /Signature not yet current: /, 200],
  ] as const) {
    const old = (await tasks()).map(({ taskArn }) => taskArn);
    for (const service of SERVICES) await ecs.updateService({ service, forceNewDeployment: true });
    // Those of one are healthy only once they have run for a while, by a clock that nobody sets.
    const isOnItsWay = async (): Promise<boolean> =>
      (await tasks()).some(
        ({ group, taskArn, lastStatus }) => group === 'service:plain' && lastStatus === 'RUNNING' && !old.includes(taskArn),
      );
    while (!(await isOnItsWay())) await setTimeout(20);
    await set(ahead);
    // Whoever has another time is told so, and a client that listens sets itself right.
    await assert.rejects(world.client.send(new ListClustersCommand({})), refusal);
    assert.equal(await mayRead(token), mayStillRead, `${ahead} ms ahead`);
    assert.equal(await mayRead(await login()), 200);
    await stable();
    const replaced = (await tasks()).map(({ taskArn }) => taskArn);
    assert.deepEqual([replaced.length, replaced.filter((arn) => old.includes(arn))], [4, []], `${ahead} ms ahead`);
    for (const service of SERVICES) await ecs.updateService({ service, desiredCount: 3 });
    await stable();
    const more = (await tasks()).map(({ taskArn }) => taskArn);
    assert.deepEqual([more.length, replaced.filter((arn) => !more.includes(arn))], [6, []], `${ahead} ms ahead`);
    for (const service of SERVICES) await ecs.updateService({ service, desiredCount: 2 });
    await stable();
  }
  for (const service of SERVICES) await ecs.deleteService({ service, force: true });
  await waitUntilServicesInactive(waiting, { services: SERVICES });
  assert.equal(world.server.log(), '');
});
