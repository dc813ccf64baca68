import { Buffer } from 'node:buffer';
import { createManualClock } from '../../core/clock.ts';
import { digestOf } from '../../core/digest.ts';
import { silentLogger } from '../../core/logger.ts';
import { createManualTimers } from '../../core/timers.ts';
import { createMemoryEngine, createMemoryMachine, type MemoryImage } from '../../drivers/runtime/memory-engine.ts';
import { createMemoryTaskRecords } from '../../drivers/runtime/task-records.ts';
import type { ContainerSpec, ObservedTask, TaskSpec } from '../ports.ts';
import { createSupervisor, type Supervisor } from './supervisor.ts';

export const TASK_ID = 'a'.repeat(32);

export function containerSpec(name: string, more: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name,
    arn: `arn:aws:ecs:us-east-1:123456789012:container/default/t/${name}`,
    image: { written: `${name}:1`, reference: `${name}:1` },
    essential: true,
    environment: {},
    portMappings: [],
    mountPoints: [],
    volumesFrom: [],
    links: [],
    dependsOn: [],
    stopTimeout: 30_000,
    readonlyRootFilesystem: false,
    privileged: false,
    initProcessEnabled: false,
    capabilities: { add: [], drop: [] },
    devices: [],
    tmpfs: [],
    ulimits: [],
    systemControls: {},
    dnsServers: [],
    dnsSearchDomains: [],
    extraHosts: [],
    disableNetworking: false,
    interactive: false,
    pseudoTerminal: false,
    dockerLabels: {},
    ...more,
  };
}

export function taskSpec(containers: ContainerSpec[], more: Partial<TaskSpec> = {}): TaskSpec {
  const id = more.id ?? TASK_ID;
  return {
    id,
    arn: `arn:aws:ecs:us-east-1:123456789012:task/default/${id}`,
    clusterArn: 'arn:aws:ecs:us-east-1:123456789012:cluster/default',
    clusterName: 'default',
    accountId: '123456789012',
    region: 'us-east-1',
    family: 'web',
    revision: 1,
    taskDefinitionArn: 'arn:aws:ecs:us-east-1:123456789012:task-definition/web:1',
    launchType: 'EC2',
    networkMode: 'bridge',
    containers,
    volumes: [],
    tags: {},
    ...more,
  };
}

/** A supervisor on a machine that is only remembered, on a clock that is moved by hand. */
export async function openWorld() {
  const clock = createManualClock(1_700_000_000_000);
  const timers = createManualTimers(clock);
  const machine = createMemoryMachine(clock);
  const records = createMemoryTaskRecords();
  const told: ObservedTask[] = [];
  let count = 0;
  const ids = { uuid: () => `${(count += 1)}`, bytes: (length: number) => Buffer.alloc(length, (count += 1)) };
  const open = async (): Promise<Supervisor> => {
    const engine = createMemoryEngine(machine, clock);
    const supervisor = await createSupervisor({
      engine,
      records,
      clock,
      timers,
      ids,
      log: silentLogger,
      serverAddress: (address) => Promise.resolve(`http://${address}:4600`),
    });
    supervisor.observe((task) => told.push(task));
    return supervisor;
  };
  /** Lets everything happen that waits for no timer. */
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
  };
  return {
    clock,
    timers,
    machine,
    records,
    told,
    settle,
    open,
    supervisor: await open(),
    advance: async (milliseconds: number): Promise<void> => {
      await timers.advance(milliseconds, settle);
      await settle();
    },
    image(name: string, more: Partial<MemoryImage> = {}): void {
      machine.images.set(`${name}:1`, { digest: digestOf(name), ...more });
    },
    last(): ObservedTask {
      const task = told.at(-1);
      if (task === undefined) throw new Error('nothing was told');
      return task;
    },
    containerOf(name: string) {
      const container = told.at(-1)?.containers.find((one) => one.name === name);
      if (container === undefined) throw new Error(`nothing was told of ${name}`);
      return container;
    },
  };
}
