import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { CreateRepositoryCommand, ECRClient } from '@aws-sdk/client-ecr';
import { startDockerEngine } from '../../../../test/support/docker-engine.ts';
import { runProgram, startHoldfast, type Finished } from '../../../../test/support/server.ts';
import { requireTool } from '../../../../test/support/tools.ts';
import { parseDigest } from '../../../core/digest.ts';
import { silentLogger } from '../../../core/logger.ts';
import { testContainerEngine, type EngineWorld } from '../../../orchestrator/container-engine.contract.ts';
import { systemTimers } from '../../system/timers.ts';
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
async function open(t: TestContext): Promise<EngineWorld | undefined> {
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
    engine: createDockerEngine(settings),
    reopen: () => Promise.resolve(createDockerEngine(settings)),
    image: { written: `${name}:1`, reference: `${name}:1`, credentials },
    digest,
    missing: { written: `${name}:2`, reference: `${name}:2`, credentials },
  };
}

testContainerEngine('docker', open);
