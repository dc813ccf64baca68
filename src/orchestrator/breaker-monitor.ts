import { breakerThreshold } from './plan/tally.ts';
import type { BreakerSettings } from './plan/types.ts';
import type { DeploymentDocument, ServiceRecord } from './service-rows.ts';

type Monitor = DeploymentDocument['breaker'];

/** The circuit breaker, when it is enabled, its defaults filled in. */
export function breakerOf({ document }: Pick<ServiceRecord, 'document'>): BreakerSettings | undefined {
  const breaker = document.deploymentConfiguration.deploymentCircuitBreaker;
  if (breaker?.enable !== true) return undefined;
  return {
    rollback: breaker.rollback,
    resetOnHealthyTask: breaker.resetOnHealthyTask ?? true,
    thresholdType: breaker.thresholdConfiguration?.type ?? 'BOUNDED_PERCENT',
    thresholdValue: breaker.thresholdConfiguration?.value ?? 50,
  };
}

/** What a deployment shows of the breaker when it begins. */
export function beginMonitoring(service: ServiceRecord): Monitor {
  const isEnabled = breakerOf(service) !== undefined;
  return currentMonitor(service, { status: isEnabled ? 'MONITORING' : 'DISABLED', failureCount: 0, threshold: 0 }, 0);
}

/** What it shows while it is under way: the threshold goes by what the service is set to at the moment, as the planner's does. */
export function currentMonitor(service: ServiceRecord, monitor: Monitor, failures: number): Monitor {
  const breaker = breakerOf(service);
  if (monitor.status !== 'MONITORING' || breaker === undefined) return monitor;
  return { ...monitor, failureCount: failures, threshold: breakerThreshold(breaker, service.desiredCount) };
}

/** What it shows for ever from then on; a deployment that is being rolled back is not monitored any more. */
export function endMonitoring(
  service: ServiceRecord,
  document: DeploymentDocument,
  failures: number,
  isTriggered = false,
): DeploymentDocument {
  if (document.breaker.status !== 'MONITORING') return document;
  const status = isTriggered ? 'TRIGGERED' : 'MONITORING_COMPLETE';
  return { ...document, breaker: { ...currentMonitor(service, document.breaker, failures), status } };
}
