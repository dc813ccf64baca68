import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { CreateRepositoryCommand, ECRClient } from '@aws-sdk/client-ecr';
import { startDockerEngine, type DockerEngine } from '../../../../test/support/docker-engine.ts';
import { runProgram, startHoldfast, type Finished } from '../../../../test/support/server.ts';
import { requireTool } from '../../../../test/support/tools.ts';
import { parseDigest } from '../../../core/digest.ts';
import { silentLogger } from '../../../core/logger.ts';
import { testContainerEngine, type EngineWorld } from '../../../orchestrator/container-engine.contract.ts';
import { containerSpec, taskSpec } from '../../../orchestrator/supervise/testing.ts';
import type { ObservedTask } from '../../../orchestrator/ports.ts';
import { createSupervisor } from '../../../orchestrator/supervise/supervisor.ts';
import { systemClock } from '../../system/clock.ts';
import { systemIds } from '../../system/ids.ts';
import { systemTimers } from '../../system/timers.ts';
import { createMemoryTaskRecords } from '../task-records.ts';
import { createDockerEngine } from './engine.ts';

function output({ code, stdout, stderr }: Finished): string {
  assert.equal(code, 0, stderr || stdout);
  return stdout.trim();
}

/** A bridge with an address, for one engine; it goes away with the test. */
async function makeBridge(t: TestContext, ip: string): Promise<string> {
  const name = `hft${process.pid}`.slice(0, 15);
  output(await runProgram(ip, ['link', 'add', name, 'type', 'bridge']));
  t.after(() => runProgram(ip, ['link', 'del', name]));
  output(await runProgram(ip, ['address', 'add', '10.213.77.1/24', 'dev', name]));
  output(await runProgram(ip, ['link', 'set', name, 'up']));
  return name;
}

/** An engine with no image, and our own registry with one. */
async function open(t: TestContext): Promise<(EngineWorld & { docker: DockerEngine }) | undefined> {
  const busybox = requireTool(t, 'busybox');
  const ip = requireTool(t, 'ip');
  if (busybox === undefined || ip === undefined) return undefined;
  const bridge = process.getuid?.() === 0 ? await makeBridge(t, ip) : undefined;
  const docker = await startDockerEngine(t, bridge);
  if (docker === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-image-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'bin'));
  await copyFile(busybox, join(folder, 'bin', 'busybox'));
  for (const name of ['sh', 'cat', 'echo', 'sleep', 'touch', 'nc', 'tail', 'head', 'yes', 'id', 'ls', 'grep', 'pwd'])
    await symlink('busybox', join(folder, 'bin', name));
  await mkdir(join(folder, 'tmp'), { mode: 0o777 });
  const server = await startHoldfast(t);
  const name = `${server.registryHost}/team/busybox`;
  const tar = requireTool(t, 'tar');
  if (tar === undefined) return undefined;
  output(await runProgram(tar, ['-C', folder, '-cf', join(folder, 'busybox.tar'), 'bin', 'tmp']));
  output(await docker.docker(['import', '--change', 'CMD ["true"]', join(folder, 'busybox.tar'), `${name}:1`]));
  const { accessKeyId: username, secretAccessKey: password } = server.credentials;
  output(await docker.docker(['login', '--username', username, '--password-stdin', server.registryHost], { stdin: password }));
  await new ECRClient({
    endpoint: server.url,
    region: 'us-east-1',
    credentials: server.credentials,
  }).send(new CreateRepositoryCommand({ repositoryName: 'team/busybox' }));
  const pushed = output(await docker.docker(['push', `${name}:1`]));
  const digest = parseDigest(/digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1] ?? '');
  output(await docker.docker(['rmi', `${name}:1`]));
  const settings = {
    socketPath: docker.socket,
    installation: 'test',
    timers: systemTimers,
    log: silentLogger,
  };
  const credentials = { username, password };
  return {
    docker,
    engine: createDockerEngine(settings),
    reopen: () => Promise.resolve(createDockerEngine(settings)),
    image: { written: `${name}:1`, reference: `${name}:1`, credentials },
    digest,
    missing: { written: `${name}:2`, reference: `${name}:2`, credentials },
  };
}

testContainerEngine('docker', open);

/** A socket between a client and the engine, that can be taken away and given back. */
async function createGate(t: TestContext, path: string, target: string) {
  const sockets = new Set<Socket>();
  let server: Server;
  const gate = {
    open: (): Promise<void> =>
      new Promise((resolve) => {
        server = createServer((near) => {
          const far = createConnection(target);
          for (const [one, other] of [
            [near, far],
            [far, near],
          ] as const) {
            sockets.add(one);
            one.on('error', () => other.destroy()).on('close', () => other.destroy());
            one.pipe(other);
          }
        }).listen(path, resolve);
      }),
    async shut(): Promise<void> {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  await gate.open();
  t.after(() => gate.shut());
  return gate;
}

test('a supervisor on docker: a task runs, goes on without the engine’s answers, and its end is not missed', async (t) => {
  const world = await open(t);
  if (world === undefined) return;
  const { docker, image, digest } = world;
  const socketPath = `${docker.socket}.gate`;
  const gate = await createGate(t, socketPath, docker.socket);
  const changes = new Set<() => void>();
  let last: ObservedTask | undefined;
  const engine = createDockerEngine({ socketPath, installation: 'gate', timers: systemTimers, log: silentLogger });
  const supervisor = await createSupervisor({
    engine,
    records: createMemoryTaskRecords(),
    clock: systemClock,
    timers: systemTimers,
    ids: systemIds,
    log: silentLogger,
    serverAddress: (address) => Promise.resolve(`http://${address}:1`),
  });
  t.after(() => supervisor.close());
  supervisor.observe((task) => {
    last = task;
    for (const change of changes) change();
  });
  const until = (condition: (task: ObservedTask) => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (last === undefined || !condition(last)) return;
        changes.delete(look);
        resolve();
      };
      changes.add(look);
      look();
    });
  const shell = (script: string) => ({ image, entryPoint: ['/bin/sh', '-c'], command: [script] });
  const healthCheck = { command: ['CMD-SHELL', 'cat /tmp/up'], interval: 5_000, timeout: 4_000, retries: 2, startPeriod: 0 };
  const spec = taskSpec(
    [
      containerSpec('app', { ...shell('echo $ECS_CONTAINER_METADATA_URI_V4; echo yes > /tmp/up; sleep 300'), healthCheck }),
      containerSpec('after', {
        ...shell('sleep 300'),
        essential: false,
        stopTimeout: 2_000,
        dependsOn: [{ containerName: 'app', condition: 'HEALTHY' }],
      }),
    ],
    { networkMode: 'awsvpc' },
  );
  await supervisor.start(spec);
  await until(({ status }) => status === 'RUNNING' || status === 'STOPPED');
  assert.equal(last?.status, 'RUNNING', JSON.stringify(last));
  assert.equal(last?.health, 'HEALTHY');
  assert.deepEqual(
    last?.containers.map(({ imageDigest }) => imageDigest),
    [digest, digest],
  );
  // People who look at the engine see the name that was written, and the labels of ECS.
  const shown = JSON.parse(output(await docker.docker(['inspect', `holdfast-${spec.id}-app`]))) as {
    Config: { Image: string };
  }[];
  assert.equal(shown[0]?.Config.Image, image.written);
  const lines: string[] = [];
  for await (const { text } of supervisor.logs(spec.id, { container: 'app' })) lines.push(text);
  assert.match(lines[0] ?? '', /^http:\/\/10\.213\.77\.1:1\/v4\/[0-9a-f]{48}$/);

  await gate.shut();
  while ((await engine.host()).isReachable !== false) await new Promise((resolve) => setImmediate(resolve));
  // What asks for a container's health must not take the engine's silence for an answer.
  const asked = engine.exec({ taskId: spec.id, name: 'after' }, { command: ['echo', 'well'], timeout: 5_000, outputLimit: 100 });
  output(await docker.docker(['kill', '--signal', 'KILL', `holdfast-${spec.id}-app`]));
  await gate.open();
  assert.deepEqual(await asked, { kind: 'exited', exitCode: 0, output: 'well\n' });
  assert.equal((await engine.host()).isReachable, true);
  await until(({ status }) => status === 'STOPPED');
  assert.equal(last?.stopCode, 'EssentialContainerExited');
  assert.deepEqual(
    last?.containers.map(({ exitCode }) => exitCode),
    [137, 137],
  );
  await supervisor.forget(spec.id);
  assert.equal(output(await docker.docker(['ps', '-aq'])), '');
});
