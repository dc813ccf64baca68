/**
 * What the planner knows of a service, and what it answers: plain data both ways. Times are milliseconds since the epoch.
 */
export interface ServiceFacts {
  /** DRAINING: it was deleted, and its tasks must go. */
  status: 'ACTIVE' | 'DRAINING';
  schedulingStrategy: 'REPLICA' | 'DAEMON';
  desiredCount: number;
  minimumHealthyPercent: number;
  maximumPercent: number;
  breaker?: BreakerSettings;
  /** DAEMON: the hosts that are to have a task each. */
  hosts: string[];
}

/** `deploymentCircuitBreaker`, its defaults filled in. */
export interface BreakerSettings {
  rollback: boolean;
  resetOnHealthyTask: boolean;
  thresholdType: 'COUNT' | 'BOUNDED_PERCENT' | 'UNBOUNDED_PERCENT';
  thresholdValue: number;
}

/** A service revision with its deployment: the newest is PRIMARY, those that it replaces are ACTIVE while they have tasks. */
export interface RevisionFacts {
  id: string;
  role: 'PRIMARY' | 'ACTIVE';
  rollout: 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
  /** True for a revision that has been COMPLETED some time: what a deployment replaces, and may go back to. */
  proven: boolean;
  /**
   * PENDING: its tags are not resolved yet, so at most one task (the pilot) may live. GAVE_UP: three attempts failed, and
   * tasks start by tag. SKIPPED: nothing to resolve.
   */
  resolution: 'PENDING' | 'RESOLVED' | 'GAVE_UP' | 'SKIPPED';
  tally: Tally;
}

/** What became of a deployment's tasks so far; see `tally.ts`. */
export interface Tally {
  /** Failures that the circuit breaker counts; the API's `failedTasks`. */
  failures: number;
  /** Starts in a row that came to nothing: what throttling goes by. */
  failedStarts: number;
  /** Failed attempts at learning the digests. */
  resolveAttempts: number;
  lastFailureAt?: number;
}

/** A task that has not stopped. */
export interface TaskFacts {
  id: string;
  revision: string;
  /** `stopping`: it was told to stop, or is stopping by itself. */
  state: 'pending' | 'running' | 'stopping';
  createdAt: number;
  runningSince?: number;
  /** Of its essential containers with a health check; absent when none has one. */
  health?: 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';
  /** Scale-in and deployments leave it alone until then. */
  protectedUntil?: number;
  host?: string;
}

export interface PlanSettings {
  /** A task without health checks is healthy once it has run for so long (AWS: 40 s). */
  settleMs: number;
  /** Health is not looked at before a task has run for so long (`healthCheckGracePeriodSeconds`). */
  graceMs: number;
  /** The first wait of throttled restarts, doubled from then on. */
  throttleBaseMs: number;
}

export interface PlanInput {
  service: ServiceFacts;
  revisions: RevisionFacts[];
  tasks: TaskFacts[];
  settings: PlanSettings;
  now: number;
}

/** One act. The executor has an effect for each kind, and makes no choice of its own. */
export type Step =
  /** `replacing`: how many of them take the place of unhealthy ones. */
  | { kind: 'start'; revision: string; count: number; pilot: boolean; replacing: number; host?: string }
  | { kind: 'stop'; revision: string; tasks: string[]; why: 'scaling' | 'unhealthy'; pending: boolean }
  /** Three attempts have failed: go on by tag. */
  | { kind: 'give-up-resolution'; revision: string }
  | { kind: 'complete'; revision: string }
  /** The breaker tripped. `rollback`: the last proven revision becomes PRIMARY again. */
  | { kind: 'fail'; revision: string; rollback: boolean }
  /** Everything is as it should be. */
  | { kind: 'steady' }
  /** Something should start or stop, and the percentages allow neither. */
  | { kind: 'stuck' }
  /** Starts fail one after the other and are throttled. */
  | { kind: 'impaired' }
  /** Tasks under protection keep the service from its desired state. */
  | { kind: 'protected'; revision: string; count: number };

export interface Plan {
  steps: Step[];
  /** When to plan again although nothing has changed. */
  wakeAt?: number;
}
