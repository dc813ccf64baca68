import type {
  CanaryConfiguration,
  CreatedAt,
  DeploymentAlarms,
  DeploymentCircuitBreaker,
  DeploymentConfiguration,
  DeploymentController,
  DeploymentEarlySuccessCriteria,
  DeploymentLifecycleHook,
  DeploymentLifecycleHookTimeoutConfiguration,
  LinearConfiguration,
  ThresholdConfiguration,
} from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { DECIMAL, FLAG, list, PRESENCE, TEXT, TIME, WHOLE } from './basic.ts';
import {
  DEPLOYMENT_CONTROLLER_TYPE,
  DEPLOYMENT_LIFECYCLE_HOOK_ACTION,
  DEPLOYMENT_LIFECYCLE_HOOK_STAGE,
  DEPLOYMENT_LIFECYCLE_HOOK_TARGET_TYPE,
  DEPLOYMENT_STRATEGY,
  SERVICE_REVISION_CLEANUP,
  THRESHOLD_TYPE,
} from './enums.ts';

export const THRESHOLD_CONFIGURATION: StructureShape<ThresholdConfiguration> = {
  type: 'structure',
  members: {
    type: { ...THRESHOLD_TYPE, required: true },
    value: { ...WHOLE, required: true },
  },
};

export const DEPLOYMENT_CIRCUIT_BREAKER: StructureShape<DeploymentCircuitBreaker> = {
  type: 'structure',
  members: {
    enable: { ...FLAG, required: true },
    rollback: { ...FLAG, required: true },
    resetOnHealthyTask: FLAG,
    thresholdConfiguration: THRESHOLD_CONFIGURATION,
  },
};

export const DEPLOYMENT_ALARMS: StructureShape<DeploymentAlarms> = {
  type: 'structure',
  members: {
    alarmNames: { ...list(TEXT), required: true },
    rollback: { ...FLAG, required: true },
    enable: { ...FLAG, required: true },
  },
};

export const DEPLOYMENT_LIFECYCLE_HOOK_TIMEOUT_CONFIGURATION: StructureShape<DeploymentLifecycleHookTimeoutConfiguration> = {
  type: 'structure',
  members: {
    timeoutInMinutes: { type: 'integer', min: 1, max: 20_160 },
    action: DEPLOYMENT_LIFECYCLE_HOOK_ACTION,
  },
};

export const DEPLOYMENT_LIFECYCLE_HOOK: StructureShape<DeploymentLifecycleHook> = {
  type: 'structure',
  members: {
    targetType: DEPLOYMENT_LIFECYCLE_HOOK_TARGET_TYPE,
    hookTargetArn: TEXT,
    roleArn: TEXT,
    lifecycleStages: list(DEPLOYMENT_LIFECYCLE_HOOK_STAGE),
    hookDetails: PRESENCE,
    timeoutConfiguration: DEPLOYMENT_LIFECYCLE_HOOK_TIMEOUT_CONFIGURATION,
  },
};

export const LINEAR_CONFIGURATION: StructureShape<LinearConfiguration> = {
  type: 'structure',
  members: {
    stepPercent: DECIMAL,
    stepBakeTimeInMinutes: WHOLE,
  },
};

export const CANARY_CONFIGURATION: StructureShape<CanaryConfiguration> = {
  type: 'structure',
  members: {
    canaryPercent: DECIMAL,
    canaryBakeTimeInMinutes: WHOLE,
  },
};

export const DEPLOYMENT_EARLY_SUCCESS_CRITERIA: StructureShape<DeploymentEarlySuccessCriteria> = {
  type: 'structure',
  members: {
    enable: { ...FLAG, required: true },
    healthyPercent: WHOLE,
    sourceServiceRevisionCleanup: SERVICE_REVISION_CLEANUP,
  },
};

export const DEPLOYMENT_CONFIGURATION: StructureShape<DeploymentConfiguration> = {
  type: 'structure',
  members: {
    deploymentCircuitBreaker: DEPLOYMENT_CIRCUIT_BREAKER,
    maximumPercent: WHOLE,
    minimumHealthyPercent: WHOLE,
    alarms: DEPLOYMENT_ALARMS,
    strategy: DEPLOYMENT_STRATEGY,
    bakeTimeInMinutes: WHOLE,
    lifecycleHooks: list(DEPLOYMENT_LIFECYCLE_HOOK),
    linearConfiguration: LINEAR_CONFIGURATION,
    canaryConfiguration: CANARY_CONFIGURATION,
    earlySuccessCriteria: DEPLOYMENT_EARLY_SUCCESS_CRITERIA,
  },
};

export const DEPLOYMENT_CONTROLLER: StructureShape<DeploymentController> = {
  type: 'structure',
  members: {
    type: { ...DEPLOYMENT_CONTROLLER_TYPE, required: true },
  },
};

export const CREATED_AT: StructureShape<CreatedAt> = {
  type: 'structure',
  members: {
    before: TIME,
    after: TIME,
  },
};
