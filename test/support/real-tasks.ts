import {
  CreateClusterCommand,
  DescribeTasksCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  waitUntilTasksRunning,
  waitUntilTasksStopped,
  type ContainerDefinition,
  type RegisterTaskDefinitionRequest,
  type RunTaskRequest,
  type Task,
} from '@aws-sdk/client-ecs';
import assert from 'node:assert/strict';
import { copyFile, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cleanup } from './cleanup.ts';
import { WAIT } from './ecs.ts';
import { temporaryFolder } from './image-source.ts';
import { startHoldfast, type HoldfastProcess } from './server.ts';
import { findTool } from './tools.ts';

const missing = ['busybox', 'runc', 'nft', 'ip'].filter((tool) => findTool(tool) === undefined);

/** Why real containers cannot be tried here; with CI=true they are, and fail. */
export const noRealTasks =
  process.env['CI'] === 'true' || (process.getuid?.() === 0 && missing.length === 0)
    ? false
    : `needs root, and ${missing.join(', ') || 'nothing else'}`;

const TOOLS =
  'sh ls cat sleep id echo wget httpd nc ip kill mkdir touch readlink stat dd hostname env ln rm ping ps grep true false test head sort tr tail wc mount df sysctl find nslookup seq cut chmod sync tty yes'.split(
    ' ',
  );

/** A server that runs containers by runc, and a client that knows how to wait for them. */
export interface RealTasks {
  server: HoldfastProcess;
  client: ECSClient;
  /** The image of a small system: busybox under its tools' names. */
  image: string;
  /** Pushes a folder that `make` has filled; gives the image's name. */
  push(name: string, make: (folder: string) => Promise<void>, options?: string[]): Promise<string>;
  /** Registers a task definition; its containers have the small system's image and 64 MiB unless they say. */
  register(
    family: string,
    containers: Partial<ContainerDefinition>[],
    more?: Partial<RegisterTaskDefinitionRequest>,
  ): Promise<void>;
  /** Starts one task; gives its ARN. */
  start(family: string, more?: Partial<RunTaskRequest>): Promise<string>;
  look(task: string): Promise<Task>;
  running(task: string): Promise<Task>;
  ended(task: string): Promise<Task>;
  /** Registers a task, runs it to its end, gives what its first container wrote. */
  run(
    containers: Partial<ContainerDefinition>[],
    more?: Partial<RegisterTaskDefinitionRequest>,
  ): Promise<{ task: Task; output: string }>;
  logs(task: string, ...options: string[]): Promise<string>;
}

export function sh(script: string): { command: string[] } {
  return { command: ['sh', '-c', script] };
}

export async function openRealTasks(cleanup: Cleanup, env: Record<string, string> = {}): Promise<RealTasks> {
  const server = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'oci', ...env });
  const client = new ECSClient({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials, maxAttempts: 1 });
  cleanup.after(async () => client.destroy());
  const waiting = { client, ...WAIT };
  let families = 0;

  async function push(name: string, make: (folder: string) => Promise<void>, options: string[] = []): Promise<string> {
    const folder = await temporaryFolder(cleanup);
    await mkdir(join(folder, 'image'));
    await make(join(folder, 'image'));
    const pushed = await server.run(['push', join(folder, 'image'), name, '--create', ...options]);
    assert.equal(pushed.code, 0, pushed.stderr);
    return `${server.registryHost}/${name}`;
  }

  const image = await push('team/box:1', smallSystem, ['--cmd', '["sh","-c","true"]']);
  await client.send(new CreateClusterCommand({}));

  const register: RealTasks['register'] = async (family, containers, more = {}) => {
    await client.send(
      new RegisterTaskDefinitionCommand({
        family,
        networkMode: 'none',
        containerDefinitions: containers.map((container) => ({ name: 'box', image, memory: 64, ...container })),
        ...more,
      }),
    );
  };
  const start: RealTasks['start'] = async (family, more = {}) => {
    const { tasks = [], failures = [] } = await client.send(new RunTaskCommand({ taskDefinition: family, ...more }));
    assert.deepEqual(failures, []);
    return tasks[0]?.taskArn ?? '';
  };
  const look = async (task: string): Promise<Task> => {
    const { tasks = [] } = await client.send(new DescribeTasksCommand({ tasks: [task] }));
    assert.ok(tasks[0]);
    return tasks[0];
  };
  const logs = async (task: string, ...options: string[]): Promise<string> => {
    const { code, stdout, stderr } = await server.run(['logs', task, ...options]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const ended = async (task: string): Promise<Task> => {
    await waitUntilTasksStopped(waiting, { tasks: [task] });
    return look(task);
  };
  return {
    server,
    client,
    image,
    push,
    register,
    start,
    look,
    ended,
    logs,
    async running(task) {
      await waitUntilTasksRunning(waiting, { tasks: [task] });
      return look(task);
    },
    async run(containers, more) {
      const family = `run-${++families}`;
      await register(family, containers, more);
      const task = await ended(await start(family));
      return { task, output: await logs(task.taskArn ?? '', '--container', containers[0]?.name ?? 'box') };
    },
  };
}

/** Fills a folder with busybox under the names of its tools. */
export async function smallSystem(folder: string): Promise<void> {
  for (const name of ['bin', 'etc', 'tmp', 'usr']) await mkdir(join(folder, name));
  await copyFile(findTool('busybox') ?? '', join(folder, 'bin/busybox'));
  for (const tool of TOOLS) await symlink('busybox', join(folder, 'bin', tool));
}
