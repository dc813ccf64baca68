import type {
  CapacityProviderStrategyItem,
  ClusterConfiguration,
  ClusterServiceConnectDefaultsRequest,
  ClusterSetting,
  ExecuteCommandConfiguration,
  ExecuteCommandLogConfiguration,
  ManagedStorageConfiguration,
} from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { FLAG, TEXT } from './basic.ts';
import { EXECUTE_COMMAND_LOGGING } from './enums.ts';

export const CLUSTER_SETTING: StructureShape<ClusterSetting> = {
  type: 'structure',
  members: {
    name: TEXT,
    value: TEXT,
  },
};

export const EXECUTE_COMMAND_LOG_CONFIGURATION: StructureShape<ExecuteCommandLogConfiguration> = {
  type: 'structure',
  members: {
    cloudWatchLogGroupName: TEXT,
    cloudWatchEncryptionEnabled: FLAG,
    s3BucketName: TEXT,
    s3EncryptionEnabled: FLAG,
    s3KeyPrefix: TEXT,
  },
};

export const EXECUTE_COMMAND_CONFIGURATION: StructureShape<ExecuteCommandConfiguration> = {
  type: 'structure',
  members: {
    kmsKeyId: TEXT,
    logging: EXECUTE_COMMAND_LOGGING,
    logConfiguration: EXECUTE_COMMAND_LOG_CONFIGURATION,
  },
};

export const MANAGED_STORAGE_CONFIGURATION: StructureShape<ManagedStorageConfiguration> = {
  type: 'structure',
  members: {
    kmsKeyId: TEXT,
    fargateEphemeralStorageKmsKeyId: TEXT,
  },
};

export const CLUSTER_CONFIGURATION: StructureShape<ClusterConfiguration> = {
  type: 'structure',
  members: {
    executeCommandConfiguration: EXECUTE_COMMAND_CONFIGURATION,
    managedStorageConfiguration: MANAGED_STORAGE_CONFIGURATION,
  },
};

export const CLUSTER_SERVICE_CONNECT_DEFAULTS_REQUEST: StructureShape<ClusterServiceConnectDefaultsRequest> = {
  type: 'structure',
  members: {
    namespace: { ...TEXT, required: true },
  },
};

export const CAPACITY_PROVIDER_STRATEGY_ITEM: StructureShape<CapacityProviderStrategyItem> = {
  type: 'structure',
  members: {
    capacityProvider: { ...TEXT, required: true },
    weight: { type: 'integer', min: 0, max: 1000 },
    base: { type: 'integer', min: 0, max: 100_000 },
  },
};
