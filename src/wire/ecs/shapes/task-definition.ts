import type {
  EphemeralStorage,
  InferenceAccelerator,
  ProxyConfiguration,
  RuntimePlatform,
  TaskDefinitionPlacementConstraint,
} from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { list, TEXT, WHOLE } from './basic.ts';
import { CPU_ARCHITECTURE, OS_FAMILY, PROXY_CONFIGURATION_TYPE, TASK_DEFINITION_PLACEMENT_CONSTRAINT_TYPE } from './enums.ts';
import { KEY_VALUE_PAIR } from './tag.ts';

export const TASK_DEFINITION_PLACEMENT_CONSTRAINT: StructureShape<TaskDefinitionPlacementConstraint> = {
  type: 'structure',
  members: {
    type: TASK_DEFINITION_PLACEMENT_CONSTRAINT_TYPE,
    expression: TEXT,
  },
};

export const PROXY_CONFIGURATION: StructureShape<ProxyConfiguration> = {
  type: 'structure',
  members: {
    containerName: { ...TEXT, required: true },
    type: PROXY_CONFIGURATION_TYPE,
    properties: list(KEY_VALUE_PAIR),
  },
};

export const INFERENCE_ACCELERATOR: StructureShape<InferenceAccelerator> = {
  type: 'structure',
  members: {
    deviceName: { ...TEXT, required: true },
    deviceType: { ...TEXT, required: true },
  },
};

export const EPHEMERAL_STORAGE: StructureShape<EphemeralStorage> = {
  type: 'structure',
  members: {
    sizeInGiB: { ...WHOLE, required: true },
  },
};

export const RUNTIME_PLATFORM: StructureShape<RuntimePlatform> = {
  type: 'structure',
  members: {
    cpuArchitecture: CPU_ARCHITECTURE,
    operatingSystemFamily: OS_FAMILY,
  },
};
