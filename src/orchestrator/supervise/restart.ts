import type { ContainerExit } from '../container-engine.ts';
import type { ContainerSpec } from '../ports.ts';

/**
 * Whether a container that ended by itself runs again (ECS, "Container restart policies"): its exit code is known and not
 * among the ignored ones, and it had run for the attempt period. A clock that was set back does not keep it from that.
 */
export function mayRestart(
  policy: ContainerSpec['restartPolicy'],
  { startedAt }: { startedAt?: number },
  { exitCode, at }: ContainerExit,
): boolean {
  if (policy === undefined || exitCode === undefined || policy.ignoredExitCodes.includes(exitCode)) return false;
  const ranFor = at - (startedAt ?? at);
  return ranFor < 0 || ranFor >= policy.restartAttemptPeriod;
}
