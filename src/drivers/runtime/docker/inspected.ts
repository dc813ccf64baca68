import type { FoundContainer } from '../../../orchestrator/container-engine.ts';
import type { ObservedContainer } from '../../../orchestrator/ports.ts';
import { LABELS } from './names.ts';

/** The part of `GET /containers/{id}/json` that is read. */
export interface Inspected {
  Id: string;
  Image: string;
  State: {
    Status: string;
    Running: boolean;
    Pid?: number;
    ExitCode: number;
    OOMKilled: boolean;
    StartedAt: string;
    FinishedAt: string;
  };
  Config: { Labels?: Record<string, string> | null; StopSignal?: string; Tty?: boolean };
  NetworkSettings?: {
    Ports?: Record<string, { HostIp: string; HostPort: string }[] | null> | null;
    Networks?: Record<string, { IPAddress?: string; MacAddress?: string; Gateway?: string }> | null;
  };
}

/** Docker's zero time is the year 1: it has not happened. */
export function timeOf(text: string): number | undefined {
  const at = Date.parse(text);
  return at > 0 ? at : undefined;
}

/** `undefined` when it is none of a task's containers. */
export function foundContainer(inspected: Inspected): FoundContainer | undefined {
  const { State: state, Config: config } = inspected;
  const taskId = config.Labels?.[LABELS.task];
  const name = config.Labels?.[LABELS.container];
  if (taskId === undefined || name === undefined) return undefined;
  const startedAt = timeOf(state.StartedAt);
  const isOver = startedAt !== undefined && !state.Running;
  const finishedAt = isOver ? timeOf(state.FinishedAt) : undefined;
  const address = addressOf(inspected);
  return {
    taskId,
    name,
    runtimeId: inspected.Id,
    state: state.Running ? 'running' : isOver ? 'exited' : 'created',
    outOfMemory: isOver && state.OOMKilled,
    networkBindings: bindingsOf(inspected),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(finishedAt === undefined ? {} : { finishedAt }),
    ...(isOver ? { exitCode: state.ExitCode } : {}),
    ...(address === undefined ? {} : { address }),
  };
}

/** The published ports, without the second row that Docker has for IPv6. */
export function bindingsOf({ NetworkSettings: settings }: Inspected): ObservedContainer['networkBindings'] {
  const bindings: ObservedContainer['networkBindings'] = [];
  for (const [port, hosts] of Object.entries(settings?.Ports ?? {})) {
    const [number, protocol] = port.split('/');
    if (protocol !== 'tcp' && protocol !== 'udp') continue;
    for (const { HostIp, HostPort } of hosts ?? [])
      if (!HostIp.includes(':'))
        bindings.push({ bindIp: HostIp || '0.0.0.0', containerPort: Number(number), hostPort: Number(HostPort), protocol });
  }
  return bindings;
}

export function addressOf({ NetworkSettings: settings }: Inspected): { ipv4: string; mac?: string } | undefined {
  for (const { IPAddress, MacAddress } of Object.values(settings?.Networks ?? {})) {
    if (IPAddress === undefined || IPAddress === '') continue;
    return { ipv4: IPAddress, ...(MacAddress === undefined || MacAddress === '' ? {} : { mac: MacAddress }) };
  }
  return undefined;
}
