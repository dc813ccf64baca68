import type { AutoScalingGroupProvider, AutoScalingGroupProviderUpdate, ManagedScaling } from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { TEXT } from './basic.ts';
import { MANAGED_DRAINING, MANAGED_SCALING_STATUS, MANAGED_TERMINATION_PROTECTION } from './enums.ts';

export const MANAGED_SCALING: StructureShape<ManagedScaling> = {
  type: 'structure',
  members: {
    status: MANAGED_SCALING_STATUS,
    targetCapacity: { type: 'integer', min: 1, max: 100 },
    minimumScalingStepSize: { type: 'integer', min: 1, max: 10_000 },
    maximumScalingStepSize: { type: 'integer', min: 1, max: 10_000 },
    instanceWarmupPeriod: { type: 'integer', min: 0, max: 10_000 },
  },
};

export const AUTO_SCALING_GROUP_PROVIDER: StructureShape<AutoScalingGroupProvider> = {
  type: 'structure',
  members: {
    autoScalingGroupArn: { ...TEXT, required: true },
    managedScaling: MANAGED_SCALING,
    managedTerminationProtection: MANAGED_TERMINATION_PROTECTION,
    managedDraining: MANAGED_DRAINING,
  },
};

export const AUTO_SCALING_GROUP_PROVIDER_UPDATE: StructureShape<AutoScalingGroupProviderUpdate> = {
  type: 'structure',
  members: {
    managedScaling: MANAGED_SCALING,
    managedTerminationProtection: MANAGED_TERMINATION_PROTECTION,
    managedDraining: MANAGED_DRAINING,
  },
};
