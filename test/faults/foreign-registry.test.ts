import {
  CreateServiceCommand,
  DescribeServicesCommand,
  ListTasksCommand,
  StopTaskCommand,
  UpdateServiceCommand,
  waitUntilTasksStopped,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createCleanup } from '../support/cleanup.ts';
import { temporaryFolder } from '../support/image-source.ts';
import { noRealTasks, openRealTasks, sh, type RealTasks } from '../support/real-tasks.ts';
import { startHoldfast, type HoldfastProcess } from '../support/server.ts';
import { findTool } from '../support/tools.ts';

type Trouble = 'none' | 'down' | 'reset' | 'wrong';

const IDLE = sh(`trap 'exit 0' TERM; while :; do sleep 0.2; done`);

interface Proxy {
  host: string;
  trouble: Trouble;
  /** How often a part of a blob was asked for. */
  resumed: number;
  server: Server;
}

/**
 * Stands before a registry, and may fail it: gone, cut in the middle of a blob that is asked for as a whole, other bytes. Blobs of
 * `team/slow` come at 1 KB a second, whatever else is.
 */
async function openProxy(target: string): Promise<Proxy> {
  const proxy: Proxy = { host: '', trouble: 'none', resumed: 0, server: createServer() };
  proxy.server.on('request', (incoming: IncomingMessage, answer: ServerResponse) => {
    if (proxy.trouble === 'down') return void incoming.socket.destroy();
    const { method, headers, url = '' } = incoming;
    const outgoing = request(target + url, { method, headers }, (response) => {
      const isBlob = url.includes('/blobs/sha256:') && method === 'GET';
      const isWhole = response.statusCode === 200;
      if (response.statusCode === 206) proxy.resumed += 1;
      answer.writeHead(response.statusCode ?? 502, response.headers);
      if (isBlob && url.includes('/team/slow/')) return void drip(response, answer);
      if (!isBlob || !isWhole || proxy.trouble === 'none') return void response.pipe(answer);
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        const middle = Math.floor(body.length / 2);
        if (proxy.trouble === 'wrong') {
          body.writeUInt8(body.readUInt8(middle) ^ 1, middle);
          answer.end(body);
        } else {
          answer.write(body.subarray(0, middle), () => incoming.socket.resetAndDestroy());
        }
      });
    });
    outgoing.on('error', () => incoming.socket.destroy());
    incoming.pipe(outgoing);
  });
  proxy.server.listen(0, '127.0.0.1');
  await once(proxy.server, 'listening');
  proxy.host = `127.0.0.1:${(proxy.server.address() as AddressInfo).port}`;
  return proxy;
}

async function drip(from: IncomingMessage, to: ServerResponse): Promise<void> {
  for await (const chunk of from as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += 1000) {
      if (to.destroyed) return;
      to.write(chunk.subarray(at, at + 1000));
      await setTimeout(1000);
    }
  }
  to.end();
}

describe('a service of images of another registry', { skip: noRealTasks, timeout: 200_000 }, () => {
  const cleanup = createCleanup();
  let world: RealTasks;
  let foreign: HoldfastProcess;
  let proxy: Proxy;

  before(async () => {
    foreign = await startHoldfast(cleanup);
    proxy = await openProxy(foreign.url);
    cleanup.after(async () => {
      proxy.server.closeAllConnections();
      proxy.server.close();
    });
    const logins = await temporaryFolder(cleanup);
    const { accessKeyId, secretAccessKey } = foreign.credentials;
    const auth = Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64');
    await writeFile(join(logins, 'config.json'), JSON.stringify({ auths: { [proxy.host]: { auth } } }));
    world = await openRealTasks(cleanup, { DOCKER_CONFIG: logins });
  });
  after(async () => {
    await world.server.stop();
    await foreign.stop();
    await cleanup.run();
  });

  async function push(tag: string, repository = 'team/app'): Promise<string> {
    const folder = await temporaryFolder(cleanup);
    await mkdir(join(folder, 'image/bin'), { recursive: true });
    await writeFile(join(folder, 'image/noise'), randomBytes(50_000));
    await copyFile(findTool('busybox') ?? '', join(folder, 'image/bin/busybox'));
    for (const tool of ['sh', 'sleep']) await symlink('busybox', join(folder, 'image/bin', tool));
    const { code, stdout, stderr } = await foreign.run([
      'push',
      join(folder, 'image'),
      `${repository}:${tag}`,
      '--create',
      '--json',
      '--cmd',
      '["sh"]',
    ]);
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as { digest: string }).digest;
  }
  const look = async (name: string) => {
    const { services: [service] = [] } = await world.client.send(new DescribeServicesCommand({ services: [name] }));
    const { taskArns = [] } = await world.client.send(new ListTasksCommand({ serviceName: name }));
    const tasks = await Promise.all(taskArns.map((task) => world.look(task)));
    return {
      service,
      tasks: taskArns.toSorted(),
      digests: [...new Set(tasks.map(({ containers }) => containers?.[0]?.imageDigest))],
      events: (service?.events ?? []).map(({ message = '' }) => message),
    };
  };

  /** Looks again and again until it is so: nobody tells a client. */
  const until = async (name: string, isSo: (seen: Awaited<ReturnType<typeof look>>) => boolean) => {
    for (let times = 0; times < 150; times++) {
      const seen = await look(name);
      if (isSo(seen)) return seen;
      await setTimeout(200);
    }
    throw new Error(`it did not come about: ${JSON.stringify((await look(name)).events)}`);
  };

  /** All its tasks have run for a while: one that has not may be stopped by the next deployment. */
  const steady = (name: string) =>
    until(name, ({ service, events: [last] }) => {
      const { deployments = [], runningCount, desiredCount } = service ?? {};
      return deployments.length === 1 && runningCount === desiredCount && last?.endsWith('a steady state.') === true;
    });

  test('scales out while its registry is down, from what is here', async () => {
    const digest = await push('live');
    await world.register('app', [{ image: `${proxy.host}/team/app:live`, ...IDLE }]);
    await world.client.send(
      new CreateServiceCommand({
        serviceName: 'app',
        taskDefinition: 'app',
        desiredCount: 1,
        deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } },
      }),
    );
    await steady('app');
    proxy.trouble = 'down';
    await world.client.send(new UpdateServiceCommand({ service: 'app', desiredCount: 3 }));
    await steady('app');
    const { tasks, digests } = await look('app');
    assert.deepEqual([tasks.length, digests], [3, [digest]]);
  });

  test('is rolled back when it is given other bytes, and no task that ran is touched', async () => {
    proxy.trouble = 'none';
    await push('live');
    const before = await look('app');
    proxy.trouble = 'wrong';
    await world.client.send(new UpdateServiceCommand({ service: 'app', forceNewDeployment: true }));
    const { tasks, digests, events } = await until('app', ({ service, events: [last] }) => {
      const [deployment, ...others] = service?.deployments ?? [];
      return others.length === 0 && deployment?.rolloutState === 'COMPLETED' && last?.endsWith('a steady state.') === true;
    });
    assert.deepEqual([tasks, digests], [before.tasks, before.digests]);
    const told = events.join('\n');
    assert.match(told, /CannotPullContainerError: .*failed to copy .*what it sent is not sha256:/);
    assert.match(told, /deployment failed: tasks failed to start\.\n/);
    assert.match(told, /rolling back to deployment ecs-svc\//);
  });

  test('is deployed over connections that are cut in the middle of blobs', async () => {
    proxy.trouble = 'none';
    const digest = await push('live');
    proxy.trouble = 'reset';
    const { resumed } = proxy;
    await world.client.send(new UpdateServiceCommand({ service: 'app', forceNewDeployment: true }));
    const { tasks, digests } = await until('app', ({ service, digests: [one, ...more] }) => {
      return service?.deployments?.length === 1 && service.runningCount === 3 && one === digest && more.length === 0;
    });
    assert.deepEqual([tasks.length, digests], [3, [digest]]);
    assert.ok(proxy.resumed > resumed);
  });

  test('holds nobody else up while it gives 1 KB a second, and such a pull ends when its task is stopped', async () => {
    proxy.trouble = 'none';
    await push('quick', 'team/quick');
    await push('slow', 'team/slow');
    await world.register('slow', [{ image: `${proxy.host}/team/slow:slow`, ...IDLE }]);
    await world.register('quick', [{ image: `${proxy.host}/team/quick:quick`, ...IDLE }]);
    const slow = await world.start('slow');
    const isPulling = async (): Promise<boolean> => (await world.look(slow)).pullStartedAt !== undefined;
    while (!(await isPulling())) await setTimeout(50);
    const quick = await world.start('quick');
    await world.running(quick);
    const { lastStatus } = await world.look(slow);
    assert.ok(lastStatus !== 'RUNNING' && lastStatus !== 'STOPPED', lastStatus);
    if (process.env['HOLDFAST_SOAK'] === '1') {
      await waitUntilTasksStopped({ client: world.client, maxWaitTime: 180, minDelay: 1, maxDelay: 1 }, { tasks: [slow] });
      const given = await world.look(slow);
      assert.match(
        given.stoppedReason ?? '',
        /^CannotPullContainerError: ref pull has been retried 1 time\(s\): failed to copy .*team\/slow:slow: .*: it sends less than 2 KiB a second$/,
      );
      return;
    }
    const asked = performance.now();
    await world.client.send(new StopTaskCommand({ task: slow }));
    while ((await world.look(slow)).lastStatus !== 'STOPPED') await setTimeout(20);
    assert.ok(performance.now() - asked < 3000, `${performance.now() - asked} ms`);
    assert.equal((await world.look(slow)).stopCode, 'UserInitiated');

    // Nor does the server wait for it, when it is stopped; its next life goes on with the task.
    const again = await world.start('slow');
    while ((await world.look(again)).pullStartedAt === undefined) await setTimeout(50);
    const stopping = performance.now();
    assert.equal(await world.server.stop(), 0);
    assert.ok(performance.now() - stopping < 5000, `${performance.now() - stopping} ms`);
    await world.server.restart();
    assert.equal((await world.look(again)).desiredStatus, 'RUNNING');
    await world.client.send(new StopTaskCommand({ task: again }));
    await world.ended(again);
  });

  test('fails, and says so, when its digest is gone: what its tag says now is never run instead', async () => {
    proxy.trouble = 'none';
    const digest = await push('gone');
    await world.register('gone', [{ image: `${proxy.host}/team/app:gone`, ...IDLE }]);
    await world.client.send(
      new CreateServiceCommand({
        serviceName: 'gone',
        taskDefinition: 'gone',
        desiredCount: 0,
        tags: [{ key: 'holdfast:resolve', value: 'registry' }],
      }),
    );
    await until('gone', ({ service }) => service?.deployments?.[0]?.rolloutState === 'COMPLETED');
    const moved = await push('gone');
    const { accessKeyId, secretAccessKey } = foreign.credentials;
    const { status } = await fetch(`${foreign.url}/v2/team/app/manifests/${digest}`, {
      method: 'DELETE',
      headers: { authorization: `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}` },
    });
    assert.equal(status, 202);
    await world.client.send(new UpdateServiceCommand({ service: 'gone', desiredCount: 2 }));
    const { service, tasks, events } = await until('gone', ({ events: all }) =>
      all.some((text) => text.includes('is unable to consistently start tasks successfully.')),
    );
    assert.deepEqual([service?.runningCount, tasks], [0, []]);
    const told = events.join('\n');
    assert.ok(told.includes(`team/app@${digest}: not found`), told);
    assert.ok(!told.includes(moved));
    // Throttled after the third failure, which those that were on their way may overtake: no flapping.
    const started = [...told.matchAll(/has started (\d+) tasks/g)].reduce((sum, [, count]) => sum + Number(count), 0);
    assert.ok(started >= 3 && started <= 6, told);

    await world.client.send(new UpdateServiceCommand({ service: 'gone', forceNewDeployment: true }));
    await steady('gone');
    assert.deepEqual((await look('gone')).digests, [moved]);
  });
});
