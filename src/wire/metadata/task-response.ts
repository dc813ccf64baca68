import type { ContainerView } from '../../orchestrator/supervise/supervisor.ts';
import { clusterOf, containerResponse, knownStatus, timeText, withoutAbsent } from './container-response.ts';

const AGENT_STATES = ['NONE', 'MANIFEST_PULLED', 'PULLED', 'CREATED', 'RUNNING', 'STOPPED'];

/** The document of a task, in the shape of task metadata endpoint version 4; `withTags` adds what `taskWithTags` has. */
export function taskResponse(view: ContainerView, availabilityZone: string, withTags: boolean): Record<string, unknown> {
  const { spec, state } = view;
  const isFargate = spec.launchType === 'FARGATE';
  const limits = withoutAbsent({ CPU: spec.cpu === undefined ? undefined : spec.cpu / 1024, Memory: spec.memory });
  return withoutAbsent({
    Cluster: clusterOf(spec),
    TaskARN: spec.arn,
    Family: spec.family,
    Revision: String(spec.revision),
    DesiredStatus: state.stage === 'stopping' || state.stage === 'stopped' ? 'STOPPED' : 'RUNNING',
    KnownStatus: taskStatus(view),
    Limits: Object.keys(limits).length === 0 ? undefined : limits,
    PullStartedAt: timeText(state.pullStartedAt),
    PullStoppedAt: timeText(state.pullStoppedAt),
    ExecutionStoppedAt: timeText(state.executionStoppedAt),
    AvailabilityZone: availabilityZone,
    LaunchType: spec.launchType,
    Containers: state.containers.map(({ name }) => containerResponse(view, name)),
    ServiceName: isFargate ? undefined : spec.serviceName,
    Group: spec.group,
    TaskTags: withTags && Object.keys(spec.tags).length > 0 ? spec.tags : undefined,
    FaultInjectionEnabled: false,
  });
}

/** As far as the container that is least far; containers that have stopped hold a task back no more. */
function taskStatus({ state }: ContainerView): string {
  if (state.stage === 'stopped') return 'STOPPED';
  if (state.stage !== 'starting') return 'RUNNING';
  const reached = state.containers.map((container) => AGENT_STATES.indexOf(knownStatus(container)));
  return AGENT_STATES[Math.min(...reached, AGENT_STATES.indexOf('RUNNING'))] ?? 'NONE';
}
