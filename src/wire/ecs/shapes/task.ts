import type {
  AwsVpcConfiguration,
  ContainerOverride,
  InferenceAcceleratorOverride,
  NetworkConfiguration,
  PlacementConstraint,
  PlacementStrategy,
  Scale,
  TaskOverride,
} from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { DECIMAL, list, TEXT, WHOLE } from './basic.ts';
import { ENVIRONMENT_FILE, RESOURCE_REQUIREMENT } from './container.ts';
import { ASSIGN_PUBLIC_IP, PLACEMENT_CONSTRAINT_TYPE, PLACEMENT_STRATEGY_TYPE, SCALE_UNIT } from './enums.ts';
import { KEY_VALUE_PAIR } from './tag.ts';
import { EPHEMERAL_STORAGE } from './task-definition.ts';

export const AWS_VPC_CONFIGURATION: StructureShape<AwsVpcConfiguration> = {
  type: 'structure',
  members: {
    subnets: { ...list(TEXT), required: true },
    securityGroups: list(TEXT),
    assignPublicIp: ASSIGN_PUBLIC_IP,
  },
};

export const NETWORK_CONFIGURATION: StructureShape<NetworkConfiguration> = {
  type: 'structure',
  members: {
    awsvpcConfiguration: AWS_VPC_CONFIGURATION,
  },
};

export const CONTAINER_OVERRIDE: StructureShape<ContainerOverride> = {
  type: 'structure',
  members: {
    name: TEXT,
    command: list(TEXT),
    environment: list(KEY_VALUE_PAIR),
    environmentFiles: list(ENVIRONMENT_FILE),
    cpu: WHOLE,
    memory: WHOLE,
    memoryReservation: WHOLE,
    resourceRequirements: list(RESOURCE_REQUIREMENT),
  },
};

export const INFERENCE_ACCELERATOR_OVERRIDE: StructureShape<InferenceAcceleratorOverride> = {
  type: 'structure',
  members: {
    deviceName: TEXT,
    deviceType: TEXT,
  },
};

export const TASK_OVERRIDE: StructureShape<TaskOverride> = {
  type: 'structure',
  members: {
    containerOverrides: list(CONTAINER_OVERRIDE),
    cpu: TEXT,
    inferenceAcceleratorOverrides: list(INFERENCE_ACCELERATOR_OVERRIDE),
    executionRoleArn: TEXT,
    memory: TEXT,
    taskRoleArn: TEXT,
    ephemeralStorage: EPHEMERAL_STORAGE,
  },
};

export const PLACEMENT_CONSTRAINT: StructureShape<PlacementConstraint> = {
  type: 'structure',
  members: {
    type: PLACEMENT_CONSTRAINT_TYPE,
    expression: TEXT,
  },
};

export const PLACEMENT_STRATEGY: StructureShape<PlacementStrategy> = {
  type: 'structure',
  members: {
    type: PLACEMENT_STRATEGY_TYPE,
    field: TEXT,
  },
};

export const SCALE: StructureShape<Scale> = {
  type: 'structure',
  members: {
    value: DECIMAL,
    unit: SCALE_UNIT,
  },
};
