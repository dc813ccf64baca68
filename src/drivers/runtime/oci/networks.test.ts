import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import { after, before, describe, it } from 'node:test';
import type { Digest } from '../../../core/digest.ts';
import { silentLogger } from '../../../core/logger.ts';
import type { ContainerEngine, StartedContainer, TaskPlace } from '../../../orchestrator/container-engine.ts';
import type { ContainerSpec, TaskSpec } from '../../../orchestrator/ports.ts';
import { systemClock } from '../../system/clock.ts';
import { systemIds } from '../../system/ids.ts';
import { openOciEngine } from './oci-engine.ts';
import { tryRun } from './run.ts';
import { busyboxLayer, containerSpec, createTestImages, file, pinned, reasonToSkip, taskSpec } from './testing.ts';

const skip = await reasonToSkip();

describe('networks of containers', { skip, timeout: 120_000 }, () => {
  let folder: string;
  let engine: ContainerEngine;
  let image: Digest;
  let server: Server;
  const images = createTestImages();
  const used: string[] = [];
  const port = (): number => (server.address() as AddressInfo).port;

  before(async () => {
    server = createServer((request, response) => void response.end(`seen ${request.url}\n`)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    folder = await fs.mkdtemp(`${os.tmpdir()}/holdfast-net-`);
    engine = await openOciEngine({
      folder,
      images: images.source,
      clock: systemClock,
      ids: systemIds,
      log: silentLogger,
      loopbackPort: port,
    });
    engine.observe(() => undefined);
    image = await images.add([await busyboxLayer(), [file('www/index.html', 'hello from inside\n')]], {
      Cmd: ['httpd', '-f', '-p', '80', '-h', '/www'],
    });
    await engine.pull(pinned(image));
  });
  after(async () => {
    for (const id of used) await engine.remove(id);
    await engine.close();
    server.close();
    await fs.rm(folder, { recursive: true, force: true, maxRetries: 20 });
  });

  function newTask(mode: TaskSpec['networkMode'], containers: ContainerSpec[]): TaskSpec {
    const id = randomUUID().replaceAll('-', '');
    used.push(id);
    return taskSpec(id, mode, containers);
  }
  async function launch(task: TaskSpec): Promise<{ place: TaskPlace; started: StartedContainer[] }> {
    const place = await engine.prepare(task);
    const started = [];
    for (const spec of task.containers) {
      await engine.create(task, { spec, image: pinned(image) });
      started.push(await engine.start({ taskId: task.id, name: spec.name }));
    }
    return { place, started };
  }
  /** Asks again until the program in the container listens. */
  async function ask(url: string): Promise<string> {
    for (let tries = 0; ; tries++) {
      try {
        return await (await fetch(url, { signal: AbortSignal.timeout(2000) })).text();
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
  async function askInside(task: TaskSpec, name: string, url: string): Promise<string> {
    for (let tries = 0; ; tries++) {
      const result = await engine.exec(
        { taskId: task.id, name },
        { command: ['wget', '-q', '-O', '-', url], timeout: 5000, outputLimit: 1000 },
      );
      if ((result.kind === 'exited' && result.exitCode === 0) || tries > 100) return result.output;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it('publishes ports of a bridge container, at chosen ones and at any', async () => {
    const task = newTask('bridge', [
      containerSpec('web', {
        portMappings: [
          { containerPort: 80, protocol: 'tcp' },
          { containerPort: 53, hostPort: 0, protocol: 'udp' },
        ],
      }),
      containerSpec('other', { links: ['web:site'], command: ['sleep', '600'] }),
    ]);
    const { place, started } = await launch(task);
    const [web] = started;
    const binding = web?.networkBindings[0];
    assert.ok(binding !== undefined && binding.hostPort >= 49_153);
    assert.equal(web?.networkBindings[1]?.protocol, 'udp');
    assert.equal(await ask(`http://127.0.0.1:${binding.hostPort}/`), 'hello from inside\n');
    assert.equal(await ask(`http://${web?.address?.ipv4}/`), 'hello from inside\n');
    assert.equal(await askInside(task, 'other', 'http://site/'), 'hello from inside\n');
    assert.equal(await askInside(task, 'other', `http://${place.hostAddress}:${binding.hostPort}/`), 'hello from inside\n');
    // Its own published port, by the machine's address.
    assert.equal(await askInside(task, 'web', `http://${place.hostAddress}:${binding.hostPort}/`), 'hello from inside\n');

    const fixed = newTask('bridge', [
      containerSpec('a', { portMappings: [{ containerPort: 80, hostPort: binding.hostPort, protocol: 'tcp' }] }),
    ]);
    await assert.rejects(launch(fixed), /port is already allocated/);
    await engine.release(task.id);
    await engine.release(fixed.id);
  });

  it('reaches the server at the address of the bridge', async () => {
    const task = newTask('bridge', [containerSpec('a', { command: ['sleep', '600'] })]);
    const { place } = await launch(task);
    assert.equal(await askInside(task, 'a', `http://${place.hostAddress}:${port()}/v4/x`), 'seen /v4/x\n');
  });

  it('gives an awsvpc task one address, which its containers share', async () => {
    const task = newTask('awsvpc', [
      containerSpec('web', { portMappings: [{ containerPort: 80, protocol: 'tcp' }] }),
      containerSpec('side', { command: ['sleep', '600'] }),
      containerSpec('alone', { command: ['sleep', '600'], disableNetworking: true }),
    ]);
    const { place, started } = await launch(task);
    const address = place.networkInterface?.privateIpv4Address;
    assert.equal(await ask(`http://${address}/`), 'hello from inside\n');
    assert.equal(await askInside(task, 'side', 'http://127.0.0.1/'), 'hello from inside\n');
    assert.deepEqual(started[0]?.networkBindings, []);
    const links = await engine.exec(
      { taskId: task.id, name: 'alone' },
      { command: ['ip', 'link'], timeout: 5000, outputLimit: 1000 },
    );
    assert.equal(links.output.includes('eth0'), false);
    assert.deepEqual(await engine.prepare(task), place);
    const stats = (await engine.stats({ taskId: task.id, name: 'web' })) as { networks?: { eth0?: { rx_bytes?: number } } };
    assert.ok((stats.networks?.eth0?.rx_bytes ?? 0) > 0);
  });

  it("shares the machine's network with a host task", async () => {
    const task = newTask('host', [containerSpec('a', { command: ['sleep', '600'] })]);
    const { place } = await launch(task);
    assert.equal(place.hostAddress, '127.0.0.1');
    assert.equal(await askInside(task, 'a', `http://127.0.0.1:${port()}/host`), 'seen /host\n');
  });

  it('leaves no namespace, link, rule or bridge behind', async () => {
    for (const id of used) await engine.remove(id);
    const { name } = JSON.parse(await fs.readFile(`${folder}/network.json`, 'utf8')) as { name: string };
    const { stdout: attached } = await tryRun('ip', ['link', 'show', 'master', name]);
    assert.equal(attached, '');
    const { stdout: rules } = await tryRun('nft', ['list', 'table', 'ip', name]);
    assert.equal(rules.includes('elements'), false);
    await engine.close();
    assert.notEqual((await tryRun('ip', ['link', 'show', name])).code, 0);
    assert.notEqual((await tryRun('nft', ['list', 'table', 'ip', name])).code, 0);
  });
});
