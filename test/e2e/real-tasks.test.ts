import {
  CreateServiceCommand,
  DeleteServiceCommand,
  StopTaskCommand,
  UpdateServiceCommand,
  waitUntilServicesInactive,
  waitUntilServicesStable,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createCleanup } from '../support/cleanup.ts';
import { WAIT } from '../support/ecs.ts';
import { noRealTasks, openRealTasks, sh, type RealTasks } from '../support/real-tasks.ts';
import { until } from '../support/until.ts';

const SECRET = 'sesame-open-1234567890';
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

  /** Files below the server's data folder that have the secret in clear. */
  async function leaks(): Promise<string[]> {
    const found: string[] = [];
    for (const entry of await readdir(tasks.server.dataFolder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      if ((await readFile(path)).includes(SECRET)) found.push(path.slice(tasks.server.dataFolder.length));
    }
    return found;
  }

  test('leave no cgroup when they have ended', async () => {
    const { task } = await tasks.run([sh('true')], { memory: '64', cpu: '128' });
    const id = task.taskArn?.split('/').at(-1) ?? '';
    await until('the end of the cgroup', async () => {
      const all = await readdir('/sys/fs/cgroup', { recursive: true });
      return all.some((path) => path.includes(id)) ? undefined : true;
    });
  });

  test('keep their unpacked layers while a service needs them; then gc removes these, and they come again', async () => {
    const waiting = { client: tasks.client, ...WAIT };
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

  test('tell their containers of themselves, asked from inside', async () => {
    const script = `
      until wget -q -O - $ECS_CONTAINER_METADATA_URI_V4 | grep -q '"KnownStatus":"RUNNING"'; do sleep 0.1; done
      for path in '' /task /taskWithTags /stats /stats /task/stats; do wget -q -O - $ECS_CONTAINER_METADATA_URI_V4$path; echo; done
      wget -q -O - $ECS_AGENT_URI/task-protection/v1/state; echo`;
    const { output, task } = await tasks.run([{ ...sh(script), portMappings: [{ containerPort: 80 }], cpu: 128 }], {
      networkMode: 'bridge',
    });
    const answers = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, never>);
    const [container, whole, tagged, , stats, all, protection] = answers as [never, never, never, never, never, never, never];
    const { DockerId, Limits, Ports, Networks, ImageID } = container as Record<string, unknown>;
    const [own] = task.containers ?? [];
    assert.equal(DockerId, own?.runtimeId);
    assert.equal(ImageID, own?.imageDigest);
    assert.deepEqual(Limits, { CPU: 128, Memory: 64 });
    const [port] = own?.networkBindings ?? [];
    assert.deepEqual(Ports, [{ ContainerPort: 80, Protocol: 'tcp', HostPort: port?.hostPort, HostIp: '0.0.0.0' }]);
    assert.match(JSON.stringify(Networks), /"NetworkMode":"bridge","IPv4Addresses":\["10\./);
    for (const one of [whole, tagged] as { TaskARN: string; Containers: unknown[] }[]) {
      assert.equal(one.TaskARN, task.taskArn);
      assert.deepEqual(one.Containers, [container]);
    }
    const { precpu_stats, cpu_stats, memory_stats } = stats as Record<
      string,
      { cpu_usage: { total_usage: number }; limit: number }
    >;
    const [before = 0, now = 0] = [precpu_stats?.cpu_usage.total_usage, cpu_stats?.cpu_usage.total_usage];
    assert.ok(before > 0 && now > before, `${before} ${now}`);
    assert.equal(memory_stats?.limit, 64 * 1024 * 1024);
    assert.deepEqual(Object.keys(all), [DockerId]);
    assert.deepEqual(protection, { failure: { Arn: task.taskArn, Reason: 'TASK_NOT_VALID' } });
  });

  test('share their loopback and address under awsvpc, and are refused a port that a program has', async () => {
    const containers = [
      { name: 'box', ...sh('until wget -q -O - http://127.0.0.1:8080/word; do sleep 0.1; done') },
      { name: 'web', essential: false, ...sh('mkdir /w; echo local > /w/word; exec httpd -f -p 8080 -h /w'), stopTimeout: 1 },
    ];
    await tasks.register('together', containers, { networkMode: 'awsvpc' });
    const network = { networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'] } } };
    // Two at once, with the same port each.
    const both = await Promise.all([tasks.start('together', network), tasks.start('together', network)]);
    const ended = await Promise.all(both.map((task) => tasks.ended(task)));
    for (const task of both) assert.equal(await tasks.logs(task, '--container', 'box'), 'local\n');
    const addresses = ended.map(({ containers: all }) => all?.map((one) => one.networkInterfaces?.[0]?.privateIpv4Address));
    assert.equal(addresses[0]?.[0], addresses[0]?.[1]);
    assert.notEqual(addresses[0]?.[0], addresses[1]?.[0]);

    const program = createServer().listen(0, '0.0.0.0');
    await once(program, 'listening');
    const { port } = program.address() as AddressInfo;
    const { task } = await tasks.run([{ ...sh('true'), portMappings: [{ containerPort: 80, hostPort: port }] }], {
      networkMode: 'bridge',
    });
    program.close();
    assert.match(
      task.stoppedReason ?? '',
      new RegExp(`^CannotStartContainerError: Bind for 0.0.0.0:${port} failed: port is already`),
    );
  });

  test('have their secrets in their environment, which are nowhere else once they have ended', async () => {
    const valueFrom = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:team/db-a1B2c3';
    const secrets = [
      { name: 'WHOLE', valueFrom },
      { name: 'MEMBER', valueFrom: `${valueFrom}:password::` },
      { name: 'PARAMETER', valueFrom: 'arn:aws:ssm:us-east-1:123456789012:parameter/team/plain' },
    ];
    const script = `[ "$WHOLE" = '{"password":"${SECRET.slice(0, 6)}'"$REST"'"}' ] && echo whole; echo $MEMBER | wc -c; echo $PARAMETER | wc -c; exec sleep 300`;
    await tasks.register('secretive', [
      {
        ...sh(script),
        secrets,
        environment: [{ name: 'REST', value: SECRET.slice(6) }],
        stopTimeout: 1,
      },
    ]);
    const failed = await tasks.ended(await tasks.start('secretive'));
    assert.match(
      failed.stoppedReason ?? '',
      /^ResourceInitializationError: unable to pull secrets or registry auth: container 'box': secret WHOLE: there is no secret 'team\/db' in us-east-1\. Set it with: holdfast secret set team\/db$/,
    );
    await tasks.server.run(['secret', 'set', 'team/db'], { stdin: JSON.stringify({ password: SECRET }) });
    await tasks.server.run(['secret', 'set', '/team/plain'], { stdin: SECRET });

    const task = await tasks.start('secretive');
    await tasks.running(task);
    const words = await until('three lines', async () => {
      const found = (await tasks.logs(task)).match(/\w+$/gm);
      return found?.length === 3 ? found : undefined;
    });
    assert.deepEqual(words, ['whole', '23', '23']);
    // What runs has it, and who it belongs to: the runtime's own files, which root alone can read.
    const running = await leaks();
    assert.ok(
      running.every((path) => /^\/oci\/tasks\/\w+\/containers\/box\/(?:config|container)\.json$/.test(path)),
      running.join(),
    );
    assert.ok(running.length > 0, 'the search finds nothing where there is something');
    assert.ok(!JSON.stringify(await tasks.look(task)).includes(SECRET));

    await tasks.client.send(new StopTaskCommand({ task }));
    assert.equal((await tasks.ended(task)).containers?.[0]?.exitCode, 137);
    assert.deepEqual(await leaks(), []);
    assert.ok(!tasks.server.log().includes(SECRET));
  });
});
