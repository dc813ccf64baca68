import {
  CreateServiceCommand,
  DeleteServiceCommand,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { readdir, readlink } from 'node:fs/promises';
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

  test('share processes and memory when the task says so, and keep them to themselves when not', async () => {
    const containers = (name: string) => [
      {
        name: 'first',
        essential: false,
        ...sh(`echo ${name} > /dev/shm/word; sleep 7777 & until [ -e /shared/seen ]; do sleep 0.1; done; exit 3`),
        mountPoints: [{ sourceVolume: 'shared', containerPath: '/shared' }],
      },
      {
        name: 'box',
        ...sh(
          `cat /dev/shm/word 2> /dev/null || echo none; ps | grep -c '[s]leep 7777' ; readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; touch /shared/seen`,
        ),
        dependsOn: [{ containerName: 'first', condition: 'START' as const }],
        mountPoints: [{ sourceVolume: 'shared', containerPath: '/shared' }],
      },
    ];
    const ids: string[] = [];
    const run = async (more: object): Promise<string[]> => {
      const [first, box] = containers('hello');
      const { output, task } = await tasks.run([box ?? {}, first ?? {}], { volumes: [{ name: 'shared' }], ...more });
      assert.equal(task.containers?.find(({ name }) => name === 'box')?.exitCode, 0, JSON.stringify([output, task]));
      ids.push(task.taskArn?.slice(-32) ?? '');
      return output.trim().split('\n');
    };
    const own = await run({});
    assert.deepEqual(own.slice(0, 2), ['none', '0']);
    const task = await run({ pidMode: 'task', ipcMode: 'task' });
    assert.deepEqual(task.slice(0, 2), ['hello', '2']);
    const here = await Promise.all(['pid', 'ipc'].map((kind) => readlink(`/proc/self/ns/${kind}`)));
    assert.equal(task.length, 4);
    for (const [index, name] of here.entries()) assert.notEqual(task[index + 2], name);
    assert.deepEqual((await run({ pidMode: 'host', ipcMode: 'host' })).slice(2), here);
    // What held them is gone with the task.
    assert.deepEqual(
      (await readdir('/dev/shm')).filter((name) => ids.includes(name.slice(-32))),
      [],
    );
  });

  test('have a terminal, or an input that stays open, when they ask for it', async () => {
    const script = 'tty; [ -t 1 ] && echo terminal; read -t 1 line || echo open; exit 5';
    const terminal = await tasks.run([{ ...sh(script), pseudoTerminal: true }]);
    assert.deepEqual(terminal.output.split(/\r?\n/), ['/dev/pts/0', 'terminal', 'open', '']);
    assert.equal(terminal.task.containers?.[0]?.exitCode, 5);
    const closed = await tasks.run([sh('read line || echo closed')]);
    assert.equal(closed.output, 'closed\n');
    const open = await tasks.run([
      { ...sh('[ -p /proc/self/fd/0 ] && echo open; [ -t 0 ] || echo no terminal'), interactive: true },
    ]);
    assert.equal(open.output, 'open\nno terminal\n');
  });

  test('reach those that they link to by their names, wherever these stand in the list', async () => {
    const ask = 'until wget -q -O - http://bee/word; do sleep 0.1; grep -q bee /etc/hosts || exit 1; done';
    const serve = 'mkdir /w; echo linked > /w/word; exec httpd -f -p 80 -h /w';
    const { output } = await tasks.run(
      [
        { name: 'first', ...sh(ask), links: ['second:bee'] },
        { name: 'second', essential: false, ...sh(serve), stopTimeout: 1 },
      ],
      { networkMode: 'bridge' },
    );
    assert.equal(output, 'linked\n');
  });

  test('have every right that this machine has when they are privileged', async () => {
    const { output, task } = await tasks.run([{ ...sh('mount -t tmpfs none /tmp && echo mounted'), privileged: true }]);
    assert.equal(output, 'mounted\n', task.containers?.[0]?.reason);
  });
});
