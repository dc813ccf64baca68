import type {
  DockerVolumeConfiguration,
  EBSTagSpecification,
  EFSAuthorizationConfig,
  EFSVolumeConfiguration,
  FSxWindowsFileServerAuthorizationConfig,
  FSxWindowsFileServerVolumeConfiguration,
  HostVolumeProperties,
  S3FilesVolumeConfiguration,
  ServiceManagedEBSVolumeConfiguration,
  ServiceVolumeConfiguration,
  TaskManagedEBSVolumeConfiguration,
  TaskManagedEBSVolumeTerminationPolicy,
  TaskVolumeConfiguration,
  Volume,
} from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { FLAG, list, TEXT, TEXT_MAP, WHOLE } from './basic.ts';
import {
  EBS_RESOURCE_TYPE,
  EFS_AUTHORIZATION_CONFIG_IAM,
  EFS_TRANSIT_ENCRYPTION,
  PROPAGATE_TAGS,
  SCOPE,
  TASK_FILESYSTEM_TYPE,
} from './enums.ts';
import { TAG } from './tag.ts';

export const HOST_VOLUME_PROPERTIES: StructureShape<HostVolumeProperties> = {
  type: 'structure',
  members: {
    sourcePath: TEXT,
  },
};

export const DOCKER_VOLUME_CONFIGURATION: StructureShape<DockerVolumeConfiguration> = {
  type: 'structure',
  members: {
    scope: SCOPE,
    autoprovision: FLAG,
    driver: TEXT,
    driverOpts: TEXT_MAP,
    labels: TEXT_MAP,
  },
};

export const EFS_AUTHORIZATION_CONFIG: StructureShape<EFSAuthorizationConfig> = {
  type: 'structure',
  members: {
    accessPointId: TEXT,
    iam: EFS_AUTHORIZATION_CONFIG_IAM,
  },
};

export const EFS_VOLUME_CONFIGURATION: StructureShape<EFSVolumeConfiguration> = {
  type: 'structure',
  members: {
    fileSystemId: { ...TEXT, required: true },
    rootDirectory: TEXT,
    transitEncryption: EFS_TRANSIT_ENCRYPTION,
    transitEncryptionPort: WHOLE,
    authorizationConfig: EFS_AUTHORIZATION_CONFIG,
  },
};

export const S3_FILES_VOLUME_CONFIGURATION: StructureShape<S3FilesVolumeConfiguration> = {
  type: 'structure',
  members: {
    fileSystemArn: { ...TEXT, required: true },
    rootDirectory: TEXT,
    transitEncryptionPort: WHOLE,
    accessPointArn: TEXT,
  },
};

export const F_SX_WINDOWS_FILE_SERVER_AUTHORIZATION_CONFIG: StructureShape<FSxWindowsFileServerAuthorizationConfig> = {
  type: 'structure',
  members: {
    credentialsParameter: { ...TEXT, required: true },
    domain: { ...TEXT, required: true },
  },
};

export const F_SX_WINDOWS_FILE_SERVER_VOLUME_CONFIGURATION: StructureShape<FSxWindowsFileServerVolumeConfiguration> = {
  type: 'structure',
  members: {
    fileSystemId: { ...TEXT, required: true },
    rootDirectory: { ...TEXT, required: true },
    authorizationConfig: { ...F_SX_WINDOWS_FILE_SERVER_AUTHORIZATION_CONFIG, required: true },
  },
};

export const VOLUME: StructureShape<Volume> = {
  type: 'structure',
  members: {
    name: TEXT,
    host: HOST_VOLUME_PROPERTIES,
    dockerVolumeConfiguration: DOCKER_VOLUME_CONFIGURATION,
    efsVolumeConfiguration: EFS_VOLUME_CONFIGURATION,
    s3filesVolumeConfiguration: S3_FILES_VOLUME_CONFIGURATION,
    fsxWindowsFileServerVolumeConfiguration: F_SX_WINDOWS_FILE_SERVER_VOLUME_CONFIGURATION,
    configuredAtLaunch: FLAG,
  },
};

export const EBS_TAG_SPECIFICATION: StructureShape<EBSTagSpecification> = {
  type: 'structure',
  members: {
    resourceType: { ...EBS_RESOURCE_TYPE, required: true },
    tags: list(TAG),
    propagateTags: PROPAGATE_TAGS,
  },
};

export const TASK_MANAGED_EBS_VOLUME_TERMINATION_POLICY: StructureShape<TaskManagedEBSVolumeTerminationPolicy> = {
  type: 'structure',
  members: {
    deleteOnTermination: { ...FLAG, required: true },
  },
};

export const TASK_MANAGED_EBS_VOLUME_CONFIGURATION: StructureShape<TaskManagedEBSVolumeConfiguration> = {
  type: 'structure',
  members: {
    roleArn: { ...TEXT, required: true },
    encrypted: FLAG,
    kmsKeyId: TEXT,
    volumeType: TEXT,
    sizeInGiB: WHOLE,
    snapshotId: TEXT,
    volumeInitializationRate: WHOLE,
    iops: WHOLE,
    throughput: WHOLE,
    tagSpecifications: list(EBS_TAG_SPECIFICATION),
    terminationPolicy: TASK_MANAGED_EBS_VOLUME_TERMINATION_POLICY,
    filesystemType: TASK_FILESYSTEM_TYPE,
  },
};

export const TASK_VOLUME_CONFIGURATION: StructureShape<TaskVolumeConfiguration> = {
  type: 'structure',
  members: {
    name: { ...TEXT, required: true },
    managedEBSVolume: TASK_MANAGED_EBS_VOLUME_CONFIGURATION,
  },
};

export const SERVICE_MANAGED_EBS_VOLUME_CONFIGURATION: StructureShape<ServiceManagedEBSVolumeConfiguration> = {
  type: 'structure',
  members: {
    roleArn: { ...TEXT, required: true },
    encrypted: FLAG,
    kmsKeyId: TEXT,
    volumeType: TEXT,
    sizeInGiB: WHOLE,
    snapshotId: TEXT,
    volumeInitializationRate: WHOLE,
    iops: WHOLE,
    throughput: WHOLE,
    tagSpecifications: list(EBS_TAG_SPECIFICATION),
    filesystemType: TASK_FILESYSTEM_TYPE,
  },
};

export const SERVICE_VOLUME_CONFIGURATION: StructureShape<ServiceVolumeConfiguration> = {
  type: 'structure',
  members: {
    name: { ...TEXT, required: true },
    managedEBSVolume: SERVICE_MANAGED_EBS_VOLUME_CONFIGURATION,
  },
};
