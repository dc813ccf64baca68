import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ContainerError } from '../../../core/container-error.ts';
import { containerSpec, taskSpec, TASK_ID } from '../../../orchestrator/supervise/testing.ts';
import { createBody, needsPause, pauseBody } from './create-body.ts';
import { linesOf, outputOf } from './frames.ts';
import { splitReference } from './images.ts';
import { pauseProgram } from './pause.ts';

const engine = { installation: 'test', cpus: 2 };
const hostConfig = (body: Record<string, unknown>) => body['HostConfig'] as Record<string, unknown>;

test('our own labels cannot be taken', () => {
  const container = containerSpec('app', {
    dockerLabels: { 'holdfast.task': 'another', 'holdfast.installation': 'other', 'team': 'blue' },
  });
  const labels = createBody(taskSpec([container]), container, 'app:1', engine)['Labels'] as Record<string, string>;
  assert.equal(labels['holdfast.task'], TASK_ID);
  assert.equal(labels['holdfast.installation'], 'test');
  assert.equal(labels['team'], 'blue');
});

test('what only the holder of a network may have goes to the holder', () => {
  const container = containerSpec('app', {
    hostname: 'web',
    dnsServers: ['10.0.0.2'],
    extraHosts: [{ hostname: 'db', ipAddress: '10.0.0.3' }],
    systemControls: { 'net.core.somaxconn': '99', 'kernel.shmmax': '1' },
    portMappings: [{ containerPort: 80, protocol: 'tcp' }],
  });
  const task = taskSpec([container], { networkMode: 'awsvpc' });
  assert.ok(needsPause(task));
  const body = createBody(task, container, 'app:1', engine);
  assert.equal(hostConfig(body)['NetworkMode'], `container:holdfast-${TASK_ID}`);
  assert.equal(body['Hostname'], undefined);
  assert.equal(hostConfig(body)['Dns'], undefined);
  assert.deepEqual(hostConfig(body)['PortBindings'], {});
  assert.deepEqual(hostConfig(body)['Sysctls'], { 'kernel.shmmax': '1' });
  const pause = pauseBody(task, 'pause', 'test');
  assert.equal(pause['Hostname'], 'web');
  assert.deepEqual(hostConfig(pause)['Dns'], ['10.0.0.2']);
  assert.deepEqual(hostConfig(pause)['ExtraHosts'], ['db:10.0.0.3']);
  assert.deepEqual(hostConfig(pause)['Sysctls'], { 'net.core.somaxconn': '99' });
});

test('limits: the container’s own, else the task’s', () => {
  const own = containerSpec('own', { cpu: 256, memory: 64, memoryReservation: 32 });
  const other = containerSpec('other');
  const task = taskSpec([own, other], { cpu: 8192, memory: 512 });
  const [mine, theirs] = [own, other].map((container) => hostConfig(createBody(task, container, 'x', engine)));
  assert.deepEqual([mine?.['CpuShares'], mine?.['Memory'], mine?.['MemoryReservation']], [256, 64 * 2 ** 20, 32 * 2 ** 20]);
  assert.deepEqual([theirs?.['CpuShares'], theirs?.['Memory']], [2, 512 * 2 ** 20]);
  assert.equal(mine?.['NanoCpus'], 2e9, 'no more than the machine has');
});

test('a mount that Docker cannot write is refused', () => {
  const container = containerSpec('app', { mountPoints: [{ sourceVolume: 'v', containerPath: '/v', readOnly: true }] });
  const bind = (hostPath: string) =>
    hostConfig(createBody(taskSpec([container], { volumes: [{ name: 'v', hostPath }] }), container, 'x', engine))['Binds'];
  assert.deepEqual(bind('/srv'), ['/srv:/v:ro']);
  assert.throws(() => bind('/srv:/etc'), ContainerError);
  assert.throws(() => createBody(taskSpec([container]), container, 'x', engine), /no volume of the task/);
});

test('references in their parts', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  for (const [reference, repository, tag] of [
    ['web', 'web', 'latest'],
    ['web:1', 'web', '1'],
    ['127.0.0.1:4600/team/web', '127.0.0.1:4600/team/web', 'latest'],
    ['127.0.0.1:4600/team/web:1', '127.0.0.1:4600/team/web', '1'],
    [`web@${digest}`, 'web', undefined],
    [`web:1@${digest}`, 'web', '1'],
  ] as const)
    assert.deepEqual(splitReference(reference), { repository, tag });
});

test('output comes apart into lines of each stream, however it is cut', async () => {
  const frame = (type: number, text: string): Buffer => {
    const bytes = Buffer.from(text);
    const header = Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]);
    header.writeUInt32BE(bytes.length, 4);
    return Buffer.concat([header, bytes]);
  };
  const whole = Buffer.concat([frame(1, 'one\ntw'), frame(2, 'err\r\n'), frame(1, 'o\nlast')]);
  for (const size of [1, 3, 7, whole.length]) {
    async function* pieces(): AsyncGenerator<Buffer> {
      for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
    }
    const lines: string[] = [];
    for await (const { stream, text } of linesOf(outputOf(pieces(), false))) lines.push(`${stream} ${text}`);
    assert.deepEqual(lines, ['stdout one', 'stderr err', 'stdout two', 'stdout last']);
  }
  async function* huge(): AsyncGenerator<Buffer> {
    yield Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  }
  await assert.rejects(async () => {
    for await (const _ of outputOf(huge(), false)) assert.fail();
  }, /a frame of 4294967295 bytes/);
});

test('the program that waits is an ELF file of its machine', () => {
  const program = pauseProgram('arm64');
  assert.equal(program.subarray(0, 4).toString('latin1'), '\x7fELF');
  assert.equal(program.readUInt16LE(18), 183);
  assert.equal(program.length, 64 + 56 + 28);
  assert.throws(() => pauseProgram('riscv64'), /not to be had on riscv64/);
});
