import { oneOf } from './basic.ts';

/** Members of the ECS model that have one of a few values. */

export const APPLICATION_PROTOCOL = oneOf('grpc', 'http', 'http2');
export const ASSIGN_PUBLIC_IP = oneOf('DISABLED', 'ENABLED');
export const AVAILABILITY_ZONE_REBALANCING = oneOf('DISABLED', 'ENABLED');
export const CPU_ARCHITECTURE = oneOf('ARM64', 'X86_64');
export const CAPACITY_PROVIDER_FIELD = oneOf('TAGS');
export const CLUSTER_FIELD = oneOf('ATTACHMENTS', 'CONFIGURATIONS', 'SETTINGS', 'STATISTICS', 'TAGS');
export const COMPATIBILITY = oneOf('EC2', 'EXTERNAL', 'FARGATE', 'MANAGED_INSTANCES');
export const CONTAINER_CONDITION = oneOf('COMPLETE', 'HEALTHY', 'START', 'SUCCESS');
export const CONTAINER_INSTANCE_FIELD = oneOf('CONTAINER_INSTANCE_HEALTH', 'TAGS');
export const CONTAINER_INSTANCE_STATUS = oneOf('ACTIVE', 'DEREGISTERING', 'DRAINING', 'REGISTERING', 'REGISTRATION_FAILED');
export const DEPLOYMENT_CONTROLLER_TYPE = oneOf('CODE_DEPLOY', 'ECS', 'EXTERNAL');
export const DEPLOYMENT_LIFECYCLE_HOOK_ACTION = oneOf('CONTINUE', 'ROLLBACK');
export const DEPLOYMENT_LIFECYCLE_HOOK_STAGE = oneOf(
  'POST_PRODUCTION_TRAFFIC_SHIFT',
  'POST_SCALE_UP',
  'POST_TEST_TRAFFIC_SHIFT',
  'PRE_PRODUCTION_TRAFFIC_SHIFT',
  'PRE_SCALE_UP',
  'PRODUCTION_TRAFFIC_SHIFT',
  'RECONCILE_SERVICE',
  'TEST_TRAFFIC_SHIFT',
);
export const DEPLOYMENT_LIFECYCLE_HOOK_TARGET_TYPE = oneOf('AWS_LAMBDA', 'PAUSE');
export const DEPLOYMENT_STRATEGY = oneOf('BLUE_GREEN', 'CANARY', 'LINEAR', 'ROLLING');
export const DESIRED_STATUS = oneOf('PENDING', 'RUNNING', 'STOPPED');
export const DEVICE_CGROUP_PERMISSION = oneOf('mknod', 'read', 'write');
export const EBS_RESOURCE_TYPE = oneOf('volume');
export const EFS_AUTHORIZATION_CONFIG_IAM = oneOf('DISABLED', 'ENABLED');
export const EFS_TRANSIT_ENCRYPTION = oneOf('DISABLED', 'ENABLED');
export const ENVIRONMENT_FILE_TYPE = oneOf('s3');
export const EXECUTE_COMMAND_LOGGING = oneOf('DEFAULT', 'NONE', 'OVERRIDE');
export const FIRELENS_CONFIGURATION_TYPE = oneOf('fluentbit', 'fluentd');
export const IPC_MODE = oneOf('host', 'none', 'task');
export const LAUNCH_TYPE = oneOf('EC2', 'EXTERNAL', 'FARGATE', 'MANAGED_INSTANCES');
export const LOG_DRIVER = oneOf('awsfirelens', 'awslogs', 'fluentd', 'gelf', 'journald', 'json-file', 'splunk', 'syslog');
export const MANAGED_DRAINING = oneOf('DISABLED', 'ENABLED');
export const MANAGED_SCALING_STATUS = oneOf('DISABLED', 'ENABLED');
export const MANAGED_TERMINATION_PROTECTION = oneOf('DISABLED', 'ENABLED');
export const NETWORK_MODE = oneOf('awsvpc', 'bridge', 'host', 'none');
export const OS_FAMILY = oneOf(
  'LINUX',
  'WINDOWS_SERVER_2004_CORE',
  'WINDOWS_SERVER_2016_FULL',
  'WINDOWS_SERVER_2019_CORE',
  'WINDOWS_SERVER_2019_FULL',
  'WINDOWS_SERVER_2022_CORE',
  'WINDOWS_SERVER_2022_FULL',
  'WINDOWS_SERVER_2025_CORE',
  'WINDOWS_SERVER_2025_FULL',
  'WINDOWS_SERVER_20H2_CORE',
);
export const PID_MODE = oneOf('host', 'task');
export const PLACEMENT_CONSTRAINT_TYPE = oneOf('distinctInstance', 'memberOf');
export const PLACEMENT_STRATEGY_TYPE = oneOf('binpack', 'random', 'spread');
export const PLATFORM_DEVICE_TYPE = oneOf('GPU', 'NEURON_DEVICE');
export const PROPAGATE_TAGS = oneOf('NONE', 'SERVICE', 'TASK_DEFINITION');
export const PROXY_CONFIGURATION_TYPE = oneOf('APPMESH');
export const RESOURCE_MANAGEMENT_TYPE = oneOf('CUSTOMER', 'ECS');
export const RESOURCE_TYPE = oneOf('GPU', 'InferenceAccelerator', 'NeuronDevice');
export const SCALE_UNIT = oneOf('PERCENT');
export const SCHEDULING_STRATEGY = oneOf('DAEMON', 'REPLICA');
export const SCOPE = oneOf('shared', 'task');
export const SERVICE_CONNECT_ACCESS_LOGGING_FORMAT = oneOf('JSON', 'TEXT');
export const SERVICE_CONNECT_INCLUDE_QUERY_PARAMETERS = oneOf('DISABLED', 'ENABLED');
export const SERVICE_DEPLOYMENT_STATUS = oneOf(
  'IN_PROGRESS',
  'PENDING',
  'ROLLBACK_FAILED',
  'ROLLBACK_IN_PROGRESS',
  'ROLLBACK_REQUESTED',
  'ROLLBACK_SUCCESSFUL',
  'STOPPED',
  'STOP_REQUESTED',
  'SUCCESSFUL',
);
export const SERVICE_FIELD = oneOf('TAGS');
export const SERVICE_REVISION_CLEANUP = oneOf('BLOCKING', 'DEFERRED');
export const SETTING_NAME = oneOf(
  'awsvpcTrunking',
  'containerInsights',
  'containerInstanceLongArnFormat',
  'defaultLogDriverMode',
  'fargateEventWindows',
  'fargateFIPSMode',
  'fargateTaskRetirementWaitPeriod',
  'guardDutyActivate',
  'serviceLongArnFormat',
  'tagResourceAuthorization',
  'taskLongArnFormat',
);
export const SORT_ORDER = oneOf('ASC', 'DESC');
export const STOP_SERVICE_DEPLOYMENT_STOP_TYPE = oneOf('ABORT', 'ROLLBACK');
export const TARGET_TYPE = oneOf('container-instance');
export const TASK_DEFINITION_FAMILY_STATUS = oneOf('ACTIVE', 'ALL', 'INACTIVE');
export const TASK_DEFINITION_FIELD = oneOf('TAGS');
export const TASK_DEFINITION_PLACEMENT_CONSTRAINT_TYPE = oneOf('memberOf');
export const TASK_DEFINITION_STATUS = oneOf('ACTIVE', 'DELETE_IN_PROGRESS', 'INACTIVE');
export const TASK_FIELD = oneOf('TAGS');
export const TASK_FILESYSTEM_TYPE = oneOf('ext3', 'ext4', 'ntfs', 'xfs');
export const TASK_SET_FIELD = oneOf('TAGS');
export const THRESHOLD_TYPE = oneOf('BOUNDED_PERCENT', 'COUNT', 'UNBOUNDED_PERCENT');
export const TRANSPORT_PROTOCOL = oneOf('tcp', 'udp');
export const ULIMIT_NAME = oneOf(
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
);
export const VERSION_CONSISTENCY = oneOf('disabled', 'enabled');
