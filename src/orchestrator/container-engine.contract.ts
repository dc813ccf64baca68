import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { ContainerError, type ContainerErrorName } from '../core/container-error.ts';
import type { Digest } from '../core/digest.ts';
import type { ContainerEngine, ContainerExit, ContainerKey } from './container-engine.ts';
import type { ContainerSpec, ImageToRun, LogLine, TaskSpec } from './ports.ts';
import { containerSpec, taskSpec } from './supervise/testing.ts';

export interface EngineWorld {
  engine: ContainerEngine;
  /** Another engine on the same machine, as after a restart of the server; the first has been closed. */
  reopen(): Promise<ContainerEngine>;
  /** By a tag, of which the engine has nothing yet; in it /bin/busybox, static, under the names of its programs too. */
  image: ImageToRun;
  digest: Digest;
  /** A tag that its registry does not have. */
  missing: ImageToRun;
  /** Parts that this driver or machine cannot do, with the reason. */
  cannot?: Partial<Record<'bridge' | 'awsvpc' | 'memory', string>>;
}

/** The promises of `ContainerEngine`, tried with real containers. `open` gives `undefined` when it has skipped the test. */
export function testContainerEngine(name: string, open: (t: TestContext) => Promise<EngineWorld | undefined>): void {
  test(`${name} keeps the promises of a container engine`, async (t) => {
    const world = await open(t);
    if (world === undefined) return;
    const machine = watchExits(world.engine);
    let count = 0;
    const newTask = (containers: ContainerSpec[], more: Partial<TaskSpec> = {}): TaskSpec => {
      count += 1;
      return taskSpec(containers, { id: count.toString(16).padStart(32, 'e'), networkMode: 'none', ...more });
    };
    const shell = (script: string, more: Partial<ContainerSpec> = {}): ContainerSpec =>
      containerSpec(more.name ?? 'main', { image: world.image, entryPoint: ['/bin/sh', '-c'], command: [script], ...more });
    const run = async (task: TaskSpec): Promise<ContainerKey[]> => {
      await machine.engine.prepare(task);
      const keys: ContainerKey[] = [];
      for (const spec of task.containers) {
        await machine.engine.create(task, { spec, image: { ...spec.image, digest: world.digest } });
        keys.push({ taskId: task.id, name: spec.name });
        await machine.engine.start({ taskId: task.id, name: spec.name });
      }
      return keys;
    };
    const runOne = async (container: ContainerSpec, more: Partial<TaskSpec> = {}): Promise<ContainerKey> => {
      const [key] = await run(newTask([container], more));
      assert.ok(key);
      return key;
    };
    const said = async (key: ContainerKey): Promise<string> => {
      const lines: LogLine[] = [];
      for await (const line of machine.engine.logs(key, {})) lines.push(line);
      return lines.map((line) => line.text).join('\n');
    };

    await t.test('resolves a tag, and says which one is not there', async () => {
      assert.equal(await machine.engine.resolve(world.image), world.digest);
      await assert.rejects(machine.engine.resolve(world.missing), (error) => {
        assert.ok(error instanceof ContainerError);
        assert.equal(error.code, 'CannotPullContainerError');
        assert.equal(error.message, `failed to resolve ref ${world.missing.reference}: ${world.missing.reference}: not found`);
        assert.equal(error.passing, false);
        return true;
      });
    });

    await t.test('pulls, and does not mind being asked again', async () => {
      const image = { ...world.image, digest: world.digest };
      await machine.engine.pull(image);
      await machine.engine.pull(image);
      const wrong = `sha256:${'0'.repeat(64)}` as Digest;
      await rejects(machine.engine.pull({ ...world.image, digest: wrong }), 'CannotPullContainerError', /not found/);
    });

    await t.test('runs to an end that is told, listed and logged', async () => {
      const key = await runOne(shell('echo out; echo err >&2; exit 3'));
      const exit = await machine.exitOf(key);
      assert.equal(exit.exitCode, 3);
      assert.equal(exit.outOfMemory, false);
      const found = (await machine.engine.list()).find(({ taskId }) => taskId === key.taskId);
      assert.equal(found?.state, 'exited');
      assert.equal(found.exitCode, 3);
      assert.equal(found.finishedAt, exit.at);
      const lines: LogLine[] = [];
      for await (const line of machine.engine.logs(key, {})) lines.push(line);
      assert.deepEqual(lines.map((line) => `${line.container} ${line.stream} ${line.text}`).toSorted(), [
        'main stderr err',
        'main stdout out',
      ]);
      assert.equal(await machine.engine.stats(key), undefined);
    });

    await t.test('gives a command its environment, folder and user, and prefers them to those of the image', async () => {
      const script = 'echo "$GREETING $(pwd) $(id -u):$(id -g) $0 $1"';
      const container = shell(script, {
        command: [script, 'zero', 'one'],
        environment: { GREETING: 'good day = yes' },
        workingDirectory: '/tmp/w',
        user: '1234:567',
      });
      const key = await runOne(container);
      assert.equal((await machine.exitOf(key)).exitCode, 0, await said(key));
      assert.equal(await said(key), 'good day = yes /tmp/w 1234:567 zero one');
    });

    await t.test('stops by the stop signal, and kills', async () => {
      const polite = await runOne(shell('trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'));
      await until(async () => (await said(polite)) === 'ready');
      await machine.engine.signal(polite, 'stop');
      assert.equal((await machine.exitOf(polite)).exitCode, 9);
      const deaf = await runOne(shell('trap "" TERM; echo ready; while :; do sleep 0.05; done'));
      await until(async () => (await said(deaf)) === 'ready');
      await machine.engine.signal(deaf, 'stop');
      await machine.engine.signal(deaf, 'SIGKILL');
      assert.equal((await machine.exitOf(deaf)).exitCode, 137);
      await machine.engine.signal(deaf, 'SIGKILL');
    });

    await t.test('runs commands beside, bounded in time and output', async () => {
      const key = await runOne(shell('echo here > /tmp/file; exec sleep 300', { environment: { A: 'b' } }));
      const exec = (command: string[], timeout = 20_000, outputLimit = 100) =>
        machine.engine.exec(key, { command, timeout, outputLimit });
      assert.deepEqual(
        await exec(['/bin/sh', '-c', 'until [ -s /tmp/file ]; do sleep 0.01; done; cat /tmp/file; echo $A; exit 4']),
        {
          kind: 'exited',
          exitCode: 4,
          output: 'here\nb\n',
        },
      );
      const long = await exec(['/bin/sh', '-c', 'yes | head -c 1000000']);
      assert.deepEqual([long.kind, long.output.length], ['exited', 100]);
      const late = await exec(['/bin/sh', '-c', 'echo begun; exec sleep 250'], 500);
      assert.equal(late.kind, 'timed-out');
      assert.ok((await machine.engine.stats(key)) !== undefined);
      await machine.engine.signal(key, 'SIGKILL');
      await machine.exitOf(key);
    });

    await t.test('says that a command is not there', async () => {
      const task = newTask([containerSpec('main', { image: world.image, entryPoint: ['/no/such/program'] })]);
      await rejects(run(task), 'CannotStartContainerError', /no\/such\/program/);
      await machine.engine.remove(task.id);
    });

    await t.test('runs a container again with its files as they are', async () => {
      const key = await runOne(shell('[ -e /tmp/been ] && exit 8; touch /tmp/been; exit 7'));
      assert.equal((await machine.exitOf(key)).exitCode, 7);
      machine.forgetExits();
      await machine.engine.start(key);
      assert.equal((await machine.exitOf(key)).exitCode, 8);
    });

    await t.test('shares volumes within a task, and folders with the host', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-volume-'));
      t.after(() => rm(folder, { recursive: true, force: true }));
      const mounts = (readOnly: boolean) => [
        { sourceVolume: 'own', containerPath: '/own', readOnly: false },
        { sourceVolume: 'host', containerPath: '/host', readOnly },
      ];
      const task = newTask(
        [
          shell('echo word > /own/file; echo more > /host/file', { name: 'one', mountPoints: mounts(false) }),
          shell(
            'until [ -s /own/file ] && [ -s /host/file ]; do sleep 0.01; done; cat /own/file; touch /host/x || echo refused',
            {
              name: 'two',
              mountPoints: mounts(true),
            },
          ),
        ],
        { volumes: [{ name: 'own' }, { name: 'host', hostPath: folder }] },
      );
      const [, two] = await run(task);
      assert.ok(two);
      await machine.exitOf(two);
      // What touch says of it comes by the other stream, before or after.
      assert.match(await said(two), /^word$/m);
      assert.match(await said(two), /^refused$/m);
      assert.equal(await readFile(join(folder, 'file'), 'utf8'), 'more\n');
    });

    await t.test('kills what takes more memory than it may, and says so', { skip: world.cannot?.memory ?? false }, async () => {
      const key = await runOne(shell('exec tail /dev/zero', { memory: 24 }));
      const exit = await machine.exitOf(key);
      assert.equal(exit.outOfMemory, true);
      assert.equal(exit.exitCode, 137);
    });

    await t.test('keeps limits: read-only root, ulimits, no capabilities, tmpfs', async () => {
      const script = 'touch /x 2>&1 || echo read-only; ulimit -n; touch /t/y && echo tmpfs; grep CapEff /proc/self/status';
      const key = await runOne(
        shell(script, {
          readonlyRootFilesystem: true,
          ulimits: [{ name: 'nofile', softLimit: 77, hardLimit: 88 }],
          capabilities: { add: [], drop: ['ALL'] },
          tmpfs: [{ containerPath: '/t', size: 4, mountOptions: [] }],
        }),
      );
      await machine.exitOf(key);
      assert.match(await said(key), /read-only\n77\ntmpfs\nCapEff:\s+0{16}$/);
    });

    await t.test(
      'bridge: publishes ports, on a port of the host that it finds',
      { skip: world.cannot?.bridge ?? false },
      async () => {
        const task = newTask(
          [shell('while :; do echo hello | nc -l -p 80; done', { portMappings: [{ containerPort: 80, protocol: 'tcp' }] })],
          {
            networkMode: 'bridge',
          },
        );
        const place = await machine.engine.prepare(task);
        assert.match(place.hostAddress ?? '', /^\d+\.\d+\.\d+\.\d+$/);
        const [spec] = task.containers;
        assert.ok(spec);
        await machine.engine.create(task, { spec, image: { ...spec.image, digest: world.digest } });
        const started = await machine.engine.start({ taskId: task.id, name: 'main' });
        const [binding] = started.networkBindings;
        assert.equal(binding?.containerPort, 80);
        assert.ok(binding.hostPort > 0);
        await until(async () => (await connect('127.0.0.1', binding.hostPort)) === 'hello\n');
        const found = (await machine.engine.list()).find(({ taskId }) => taskId === task.id);
        assert.deepEqual(found?.networkBindings, started.networkBindings);
        await machine.engine.remove(task.id);
      },
    );

    await t.test(
      'awsvpc: one address for the task, one localhost for its containers',
      { skip: world.cannot?.awsvpc ?? false },
      async () => {
        const task = newTask(
          [
            shell('while :; do echo hello | nc -l -p 8080; done', { name: 'server' }),
            shell('until nc 127.0.0.1 8080; do sleep 0.05; done', { name: 'client' }),
          ],
          { networkMode: 'awsvpc' },
        );
        const { networkInterface } = await machine.engine.prepare(task);
        const address = networkInterface?.privateIpv4Address ?? '';
        assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
        assert.match(networkInterface?.macAddress ?? '', /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/);
        const [server, client] = await run(task);
        assert.ok(server !== undefined && client !== undefined);
        await machine.exitOf(client);
        assert.equal(await said(client), 'hello');
        await until(async () => (await connect(address, 8080)) === 'hello\n');
        await machine.engine.signal(server, 'SIGKILL');
        await machine.exitOf(server);
        await machine.engine.release(task.id);
        await machine.engine.release(task.id);
        assert.equal(await said(client), 'hello');
        await machine.engine.remove(task.id);
      },
    );

    await t.test('none: nothing but loopback', async () => {
      const key = await runOne(shell('ls /sys/class/net'));
      await machine.exitOf(key);
      assert.equal(await said(key), 'lo');
    });

    await t.test('follows what is written until the container stops', async () => {
      const key = await runOne(shell('echo one; while [ ! -e /tmp/go ]; do sleep 0.02; done; echo two'));
      const lines: string[] = [];
      for await (const line of machine.engine.logs(key, { follow: true })) {
        lines.push(line.text);
        if (line.text === 'one')
          await machine.engine.exec(key, { command: ['/bin/touch', '/tmp/go'], timeout: 20_000, outputLimit: 10 });
      }
      assert.deepEqual(lines, ['one', 'two']);
      const last: string[] = [];
      for await (const line of machine.engine.logs(key, { tail: 1 })) last.push(line.text);
      assert.deepEqual(last, ['two']);
      const open = await runOne(shell('echo whole; printf open'));
      await machine.exitOf(open);
      const end: string[] = [];
      for await (const line of machine.engine.logs(open, { tail: 1 })) end.push(line.text);
      assert.deepEqual(end, ['open'], 'a last line without an end is a line');
    });

    await t.test('lets containers run on without it, and finds them again', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-volume-'));
      t.after(() => rm(folder, { recursive: true, force: true }));
      const wait = (file: string, code: number) => `while [ ! -e /host/${file} ]; do sleep 0.02; done; exit ${code}`;
      const mountPoints = [{ sourceVolume: 'host', containerPath: '/host', readOnly: false }];
      const task = newTask(
        [
          shell(`${wait('first', 5).replace('exit 5', 'touch /host/done; exit 5')}`, { name: 'first', mountPoints }),
          shell(wait('second', 6), { name: 'second', mountPoints }),
        ],
        { volumes: [{ name: 'host', hostPath: folder }] },
      );
      const [first, second] = await run(task);
      assert.ok(first !== undefined && second !== undefined);
      await machine.engine.close();
      await touch(join(folder, 'first'));
      await until(() => exists(join(folder, 'done')));
      machine.use(await world.reopen());
      // Its last breath and the note that is taken of it are two moments.
      await until(async () => {
        const found = (await machine.engine.list()).filter(({ taskId }) => taskId === task.id);
        assert.deepEqual(found.map((one) => one.name).toSorted(), ['first', 'second']);
        assert.equal(found.find((one) => one.name === 'second')?.state, 'running');
        const one = found.find((each) => each.name === 'first');
        return one?.state === 'exited' && one.exitCode === 5;
      });
      await touch(join(folder, 'second'));
      assert.equal((await machine.exitOf(second)).exitCode, 6);
      await machine.engine.remove(task.id);
    });

    await t.test('removes all that it made', async () => {
      const endless = await runOne(shell('exec sleep 300'));
      await machine.engine.remove(endless.taskId);
      for (let each = 1; each <= count; each++) await machine.engine.remove(each.toString(16).padStart(32, 'e'));
      assert.deepEqual(await machine.engine.list(), []);
      await machine.engine.remove(endless.taskId);
    });
    await machine.engine.close();
  });
}

async function rejects(act: Promise<unknown>, code: ContainerErrorName, message: RegExp): Promise<void> {
  await assert.rejects(act, (error) => {
    assert.ok(error instanceof ContainerError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

/** The ends that an engine tells, to be waited for. */
function watchExits(first: ContainerEngine) {
  let exits = new Map<string, ContainerExit>();
  const waiting = new Map<string, (exit: ContainerExit) => void>();
  const world = {
    engine: first,
    use(engine: ContainerEngine): void {
      world.engine = engine;
      engine.observe((exit) => {
        const key = `${exit.taskId}/${exit.name}`;
        exits.set(key, exit);
        waiting.get(key)?.(exit);
      });
    },
    forgetExits(): void {
      exits = new Map();
    },
    exitOf: ({ taskId, name }: ContainerKey): Promise<ContainerExit> =>
      new Promise((resolve) => {
        const key = `${taskId}/${name}`;
        const known = exits.get(key);
        if (known === undefined) waiting.set(key, resolve);
        else resolve(known);
      }),
  };
  world.use(first);
  return world;
}

/** What a server says before it ends the connection; nothing when there is none yet. */
async function connect(host: string, port: number): Promise<string> {
  const socket = createConnection({ host, port });
  try {
    return await text(socket);
  } catch {
    return '';
  } finally {
    socket.destroy();
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function touch(path: string): Promise<void> {
  await writeFile(path, Buffer.alloc(0));
}

async function exists(path: string): Promise<boolean> {
  try {
    await readFile(path);
    return true;
  } catch {
    return false;
  }
}
