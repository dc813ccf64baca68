import {
  CreateServiceCommand,
  DeleteServiceCommand,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { createCleanup } from '../support/cleanup.ts';
import { noRealTasks, openRealTasks, sh, type RealTasks } from '../support/real-tasks.ts';

const idle = sh(`trap 'exit 0' TERM; while :; do sleep 0.1; done`);

/** Real containers of one server, as a task definition asks for them. */
describe('real tasks', { skip: noRealTasks, timeout: 300_000 }, () => {
  const cleanup = createCleanup();
  let tasks: RealTasks;
  before(async () => {
    tasks = await openRealTasks(cleanup);
  });
  after(async () => {
    await tasks.server.stop();
    await cleanup.run();
  });

  async function collect(...options: string[]): Promise<Record<string, number>> {
    const { code, stdout, stderr } = await tasks.server.run(['gc', '--json', ...options]);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Record<string, number>;
  }

  test('leave no cgroup when they have ended', async () => {
    const { task } = await tasks.run([sh('true')], { memory: '64', cpu: '128' });
    const id = task.taskArn?.split('/').at(-1) ?? '';
    const left = async (): Promise<string[]> => {
      const all = await readdir('/sys/fs/cgroup', { recursive: true });
      return all.filter((path) => path.includes(id));
    };
    while ((await left()).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  });

  test('keep their unpacked layers while a service needs them; then gc removes these, and they come again', async () => {
    const waiting = { client: tasks.client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
    await tasks.register('kept', [idle]);
    await tasks.client.send(new CreateServiceCommand({ serviceName: 'kept', taskDefinition: 'kept', desiredCount: 1 }));
    await waitUntilServicesStable(waiting, { services: ['kept'] });
    await tasks.client.send(new UpdateServiceCommand({ service: 'kept', desiredCount: 0 }));
    await waitUntilServicesStable(waiting, { services: ['kept'] });
    assert.equal((await collect('--purge'))['unpackedLayersRemoved'], 0);
    await tasks.client.send(new DeleteServiceCommand({ service: 'kept' }));
    await waitUntilServicesInactive(waiting, { services: ['kept'] });
    assert.equal((await collect())['unpackedLayersRemoved'], 0, 'kept for a while');
    const freed = await collect('--purge');
    assert.equal(freed['unpackedLayersRemoved'], 1);
    assert.ok((freed['unpackedBytesFreed'] ?? 0) > 100_000);
    assert.equal((await tasks.run([sh('echo again')])).output, 'again\n');
  });
});
