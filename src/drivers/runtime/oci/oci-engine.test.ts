import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { after, before, describe, it } from 'node:test';
import type { Digest } from '../../../core/digest.ts';
import { silentLogger } from '../../../core/logger.ts';
import type { ContainerEngine, ContainerExit } from '../../../orchestrator/container-engine.ts';
import type { ContainerSpec, TaskSpec } from '../../../orchestrator/ports.ts';
import { systemClock } from '../../system/clock.ts';
import { systemIds } from '../../system/ids.ts';
import { openOciEngine } from './oci-engine.ts';
import {
  busyboxLayer,
  capable,
  containerSpec,
  createTestImages,
  file,
  folder as folder_,
  link,
  pinned,
  reasonToSkip,
  taskSpec,
} from './testing.ts';

const skip = await reasonToSkip();

describe('containers by crun or runc', { skip, timeout: 120_000 }, () => {
  let folder: string;
  let engine: ContainerEngine;
  let image: Digest;
  const images = createTestImages();
  const exits: ContainerExit[] = [];
  const told: (() => void)[] = [];
  const used: string[] = [];

  const open = async (): Promise<ContainerEngine> => {
    const opened = await openOciEngine({
      folder,
      images: images.source,
      clock: systemClock,
      ids: systemIds,
      log: silentLogger,
    });
    opened.observe((exit) => {
      exits.push(exit);
      for (const wake of told.splice(0)) wake();
    });
    return opened;
  };

  before(async () => {
    folder = await fs.mkdtemp(`${os.tmpdir()}/holdfast-oci-`);
    engine = await open();
    image = await images.add([await busyboxLayer(), [file('hello', 'from the layer above')]], {
      Cmd: ['/bin/sh', '-c', 'echo out; echo err >&2; exit 7'],
      Env: ['FROM_IMAGE=yes', 'BOTH=image'],
      WorkingDir: '/made/by/nobody',
    });
    await engine.pull(pinned(image));
  });
  after(async () => {
    for (const id of used) await engine.remove(id);
    await engine.close();
    await fs.rm(folder, { recursive: true, force: true, maxRetries: 20 });
  });

  async function exitOf(task: TaskSpec, name = 'a'): Promise<ContainerExit> {
    for (;;) {
      const exit = exits.find((one) => one.taskId === task.id && one.name === name);
      if (exit !== undefined) return exit;
      await new Promise<void>((resolve) => told.push(resolve));
    }
  }
  function newTask(
    more: Partial<ContainerSpec> = {},
    networkMode: TaskSpec['networkMode'] = 'none',
    task: Partial<TaskSpec> = {},
  ): TaskSpec {
    const id = randomUUID().replaceAll('-', '');
    used.push(id);
    return taskSpec(id, networkMode, [containerSpec('a', more)], task);
  }
  async function launch(task: TaskSpec, digest = image): Promise<void> {
    await engine.prepare(task);
    for (const spec of task.containers) await engine.create(task, { spec, image: pinned(digest) });
    for (const spec of task.containers) await engine.start({ taskId: task.id, name: spec.name });
  }
  async function outputOf(task: TaskSpec, name = 'a'): Promise<string> {
    const lines: string[] = [];
    for await (const line of engine.logs({ taskId: task.id, name }, {})) lines.push(`${line.stream}: ${line.text}`);
    return lines.join('\n');
  }
  /** Runs a script to its end and gives what it wrote. */
  async function runScript(
    script: string,
    more: Partial<ContainerSpec> = {},
    mode: TaskSpec['networkMode'] = 'none',
  ): Promise<string> {
    const task = newTask({ ...more, command: ['/bin/sh', '-c', script] }, mode);
    await launch(task);
    await exitOf(task);
    return outputOf(task);
  }

  it("runs the image's command and tells its exit code once", async () => {
    const task = newTask();
    await launch(task);
    const exit = await exitOf(task);
    assert.equal(exit.exitCode, 7);
    assert.equal(exit.outOfMemory, false);
    assert.equal(await outputOf(task), 'stdout: out\nstderr: err');
    const [found] = (await engine.list()).filter(({ taskId }) => taskId === task.id);
    assert.equal(found?.state, 'exited');
    assert.equal(found?.exitCode, 7);
    assert.equal(exits.filter(({ taskId }) => taskId === task.id).length, 1);
  });

  it("begins the volumes that an image names with the image's own files, once", async () => {
    const withVolumes = await images.add(
      [
        await busyboxLayer(),
        [folder_('data', { mode: 0o1770, uid: 1000 }), file('data/of-image', 'hello'), link('away', '../../../../etc')],
      ],
      { Volumes: { '/data': {}, '/away': {}, '/new': {}, '/given': {} } },
    );
    await engine.pull(pinned(withVolumes));
    const script =
      'ls -A /data; stat -c "%a %u" /data; cat /away/passwd | head -n 1; ls -A /new; echo more > /data/more; ls /given';
    const task = newTask(
      {
        command: ['/bin/sh', '-c', script],
        readonlyRootFilesystem: true,
        mountPoints: [{ sourceVolume: 'given', containerPath: '/given', readOnly: false }],
      },
      'none',
      { volumes: [{ name: 'given', hostPath: '/usr/share/common-licenses' }] },
    );
    await launch(task, withVolumes);
    await exitOf(task);
    const first = ['of-image', '1770 1000', 'root:x:0:0:root:/root:/bin/sh'];
    const given = await fs.readdir('/usr/share/common-licenses');
    const lines = (await outputOf(task)).split('\n').map((line) => line.replace('stdout: ', ''));
    assert.deepEqual(lines, [...first, ...given.sort()]);
    exits.length = 0;
    await engine.start({ taskId: task.id, name: 'a' });
    await exitOf(task);
    const again = (await outputOf(task)).split('\n').map((line) => line.replace('stdout: ', ''));
    assert.deepEqual(again.slice(lines.length, lines.length + 3), ['more', 'of-image', '1770 1000']);
  });

  it('gives environment, user, working folder and host name', async () => {
    const text = await runScript('echo $FROM_IMAGE $BOTH $OWN; id; pwd; hostname; cat /hello', {
      environment: { BOTH: 'task', OWN: 'a b' },
      user: 'app',
      hostname: 'known',
    });
    assert.deepEqual(text.split('\n'), [
      'stdout: yes task a b',
      'stdout: uid=1000(app) gid=1001(app) groups=2000(extra)',
      'stdout: /made/by/nobody',
      'stdout: known',
      'stdout: from the layer above',
    ]);
  });

  it("says in the runtime's words why a command cannot be started", async () => {
    const task = newTask({ command: ['/no/such/program'] });
    await assert.rejects(launch(task), /CannotStart|no such file/i);
    assert.equal(
      exits.some(({ taskId }) => taskId === task.id),
      false,
    );
  });

  it("stops by the image's signal, and kills", async () => {
    const trap = newTask({ command: ['/bin/sh', '-c', 'trap "exit 3" TERM; echo ready; while :; do sleep 0.05; done'] });
    await launch(trap);
    for await (const { text } of engine.logs({ taskId: trap.id, name: 'a' }, { follow: true })) if (text === 'ready') break;
    await engine.signal({ taskId: trap.id, name: 'a' }, 'stop');
    assert.equal((await exitOf(trap)).exitCode, 3);
    const deaf = newTask({ command: ['sleep', '600'] });
    await launch(deaf);
    await engine.signal({ taskId: deaf.id, name: 'a' }, 'SIGKILL');
    assert.equal((await exitOf(deaf)).exitCode, 137);
    await engine.signal({ taskId: deaf.id, name: 'a' }, 'stop');
  });

  it('runs commands beside, bounds what they write, and kills those that take too long', async () => {
    const task = newTask({ command: ['sleep', '600'], environment: { X: '5' } });
    await launch(task);
    const key = { taskId: task.id, name: 'a' };
    const shell = (script: string): string[] => ['/bin/sh', '-c', script];
    assert.deepEqual(await engine.exec(key, { command: shell('echo $X; exit 4'), timeout: 10_000, outputLimit: 100 }), {
      kind: 'exited',
      exitCode: 4,
      output: '5\n',
    });
    const long = await engine.exec(key, {
      command: shell('while :; do echo yyyyyyyyyyyyyyy; done'),
      timeout: 300,
      outputLimit: 50,
    });
    assert.equal(long.kind, 'timed-out');
    assert.equal(long.output.length, 50);
    const missing = await engine.exec(key, { command: ['/nothing'], timeout: 10_000, outputLimit: 1000 });
    assert.notEqual(missing.kind === 'exited' && missing.exitCode, 0);
    const stats = await engine.stats(key);
    assert.ok(stats !== undefined && 'cpu_stats' in stats);
    await engine.remove(task.id);
    await assert.rejects(engine.exec(key, { command: ['x'], timeout: 1, outputLimit: 1 }), /does not run/);
  });

  it('gives an account that is not root what its programs may, as far as the container may itself', async () => {
    const busybox = await fs.readFile('/bin/busybox');
    const program = (name: string, bit?: number) =>
      file(name, busybox, { mode: 0o755, ...(bit === undefined ? {} : capable(bit)) });
    const own = await images.add([
      await busyboxLayer(),
      [folder_('free'), program('free/httpd', 10), program('free/chown', 0), folder_('bare'), program('bare/httpd')],
    ]);
    await engine.pull(pinned(own));
    const serve = (folder: string): string => `/${folder}/httpd -p 80 && wget -q -O - http://127.0.0.1/hello || echo refused`;
    const runAs = async (script: string, more: Partial<ContainerSpec> = {}): Promise<string> => {
      const systemControls = { 'net.ipv4.ip_unprivileged_port_start': '1024' };
      const task = newTask({ user: '1000', systemControls, ...more, command: ['/bin/sh', '-c', `cd /tmp; ${script}`] });
      await launch(task, own);
      await exitOf(task);
      return outputOf(task);
    };
    const page = 'echo hi > hello; ';
    const inOrder = async (output: Promise<string>): Promise<string> => (await output).split('\n').sort().join('\n');
    assert.match(await inOrder(runAs(page + serve('bare'))), /^stderr: httpd: bind: Permission denied\nstdout: refused$/);
    assert.equal(await runAs(page + serve('free')), 'stdout: hi');
    assert.equal(await runAs('touch x; /free/chown 0 x; stat -c %u x'), 'stdout: 0');
    const less = { capabilities: { add: [], drop: ['NET_BIND_SERVICE'] } };
    assert.match(await inOrder(runAs(page + serve('free'), less)), /^stderr: .*not permitted\nstdout: refused$/);
  });

  it('finds containers again that ran on without it, and those that ended meanwhile', async () => {
    const gate = await fs.mkdtemp(`${folder}/gate-`);
    const waiting = (name: string, code: number): TaskSpec =>
      newTask(
        {
          mountPoints: [{ sourceVolume: 'gate', containerPath: '/gate', readOnly: true }],
          command: ['/bin/sh', '-c', `while [ ! -e /gate/${name} ]; do sleep 0.02; done; exit ${code}`],
        },
        'none',
        { volumes: [{ name: 'gate', hostPath: gate }] },
      );
    const [runs, ends] = [waiting('first', 9), waiting('second', 8)];
    await launch(runs);
    await launch(ends);
    await engine.close();
    await fs.writeFile(`${gate}/second`, '');
    while (!(await fs.stat(`${folder}/tasks/${ends.id}/containers/a/runs/1/exit`).catch(() => undefined)))
      await new Promise((resolve) => setTimeout(resolve, 10));
    engine = await open();
    const found = new Map((await engine.list()).map((one) => [one.taskId, one]));
    assert.equal(found.get(runs.id)?.state, 'running');
    assert.equal(found.get(ends.id)?.state, 'exited');
    assert.equal(found.get(ends.id)?.exitCode, 8);
    await fs.writeFile(`${gate}/first`, '');
    assert.equal((await exitOf(runs)).exitCode, 9);
    assert.equal(
      exits.some(({ taskId }) => taskId === ends.id),
      false,
    );
  });

  it('tells the end of a container whose waiting parent was killed', async () => {
    const task = newTask({ command: ['sleep', '600'] });
    await launch(task);
    const run = `${folder}/tasks/${task.id}/containers/a/runs/1`;
    const parent = Number((await fs.readFile(`${run}/parent`, 'utf8')).split(' ')[1]);
    process.kill(parent, 'SIGKILL');
    const key = { taskId: task.id, name: 'a' };
    assert.equal((await engine.exec(key, { command: ['echo', 'alive'], timeout: 5000, outputLimit: 10 })).output, 'alive\n');
    process.kill(Number(await fs.readFile(`${run}/pid`, 'utf8')), 'SIGKILL');
    const exit = await exitOf(task);
    assert.equal(exit.exitCode, undefined);
  });

  it('says when the kernel killed a container for want of memory', async () => {
    const task = newTask({ memory: 16, command: ['dd', 'if=/dev/zero', 'of=/dev/null', 'bs=64M', 'count=1'] });
    await launch(task);
    const exit = await exitOf(task);
    assert.equal(exit.outOfMemory, true);
    assert.equal(exit.exitCode, 137);
  });

  it('runs a container again with its files as they are', async () => {
    const task = newTask({ command: ['/bin/sh', '-c', 'echo x >> /count; cat /count'] });
    await launch(task);
    await exitOf(task);
    exits.length = 0;
    await engine.start({ taskId: task.id, name: 'a' });
    await exitOf(task);
    assert.equal(await outputOf(task), 'stdout: x\nstdout: x\nstdout: x');
  });

  it('refuses a container that has put a link at /dev in an earlier run', async () => {
    const own = await images.add([await busyboxLayer()]);
    await engine.pull(pinned(own));
    const task = newTask({ command: ['/bin/sh', '-c', 'exit 0'] });
    await launch(task, own);
    await exitOf(task);
    const upper = `${folder}/tasks/${task.id}/containers/a/upper`;
    await fs.rm(`${upper}/dev`, { recursive: true, force: true });
    await fs.symlink('/etc', `${upper}/dev`);
    await assert.rejects(engine.start({ taskId: task.id, name: 'a' }), /\/dev is no folder/);
    const linked = await images.add([await busyboxLayer(), [link('proc', '/etc')]]);
    await engine.pull(pinned(linked));
    await assert.rejects(launch(newTask({ command: ['ls'] }), linked), /\/proc is no folder/);
  });

  it('shares volumes, reads only where it is told so, and leaves nothing behind', async () => {
    const task = newTask({}, 'none', { volumes: [{ name: 'data' }] });
    const mountPoints = [{ sourceVolume: 'data', containerPath: '/data', readOnly: false }];
    task.containers = [
      containerSpec('a', { mountPoints, command: ['/bin/sh', '-c', 'echo shared > /data/x'] }),
      containerSpec('b', {
        volumesFrom: [{ sourceContainer: 'a', readOnly: true }],
        command: ['/bin/sh', '-c', 'while [ ! -s /data/x ]; do sleep 0.02; done; cat /data/x; touch /data/y || echo refused'],
        readonlyRootFilesystem: true,
      }),
    ];
    await launch(task);
    await exitOf(task, 'b');
    assert.match(await outputOf(task, 'b'), /stdout: shared\nstdout: refused/);
    await engine.remove(task.id);
    await assert.rejects(fs.stat(`${folder}/tasks/${task.id}`), { code: 'ENOENT' });
    const mounts = await fs.readFile('/proc/self/mounts', 'utf8');
    assert.equal(mounts.includes(task.id), false);
    assert.deepEqual(await engine.list().then((all) => all.filter(({ taskId }) => taskId === task.id)), []);
  });
});
