import type {
  CreateServiceRequest,
  DeploymentConfiguration,
  NetworkConfiguration,
  UpdateServiceRequest,
} from '@aws-sdk/client-ecs';
import { chooseStrategy, readClusterStrategy } from './capacity-strategy.ts';
import type { Cluster } from './cluster-rows.ts';
import { invalidParameter, unsupported } from './ecs-faults.ts';
import type { Given } from './model.ts';
import type { ServiceDocument, ServiceRecord } from './service-rows.ts';

const NAME = /^[A-Za-z0-9_-]{1,255}$/;
const MOST_TASKS = 5_000;
const MOST_GRACE_SECONDS = 2_147_483_647;

/** Members that both CreateService and UpdateService have. */
type Common = Pick<
  Given<CreateServiceRequest> & Given<UpdateServiceRequest>,
  | 'loadBalancers'
  | 'serviceRegistries'
  | 'serviceConnectConfiguration'
  | 'vpcLatticeConfigurations'
  | 'gatewayConnectors'
  | 'volumeConfigurations'
  | 'monitoring'
  | 'enableExecuteCommand'
  | 'healthCheckGracePeriodSeconds'
  | 'placementConstraints'
  | 'placementStrategy'
  | 'desiredCount'
  | 'deploymentConfiguration'
>;

/** Checks a request to make a service, and gives its settings with the defaults filled in. Raises `ecs`. Pure, as all of this file. */
export function readCreateService(
  input: Given<CreateServiceRequest>,
  cluster: Cluster,
): Omit<ServiceRecord, 'id' | 'createdAt' | 'createdBy' | 'fingerprint' | 'arn'> {
  const name = input.serviceName;
  if (!NAME.test(name)) {
    throw invalidParameter(
      `The service name '${name.slice(0, 100)}' must have 1 to 255 letters, digits, hyphens and underscores.`,
    );
  }
  if (input.clientToken !== undefined && !/^[!-~]{1,36}$/.test(input.clientToken)) {
    throw invalidParameter('clientToken must have 1 to 36 printable ASCII characters.');
  }
  const controller = input.deploymentController?.type ?? 'ECS';
  const schedulingStrategy = input.schedulingStrategy ?? 'REPLICA';
  if (schedulingStrategy === 'DAEMON') {
    if (controller !== 'ECS')
      throw invalidParameter('The DAEMON scheduling strategy is only supported with the ECS deployment controller.');
    if (input.launchType === 'FARGATE')
      throw invalidParameter('The daemon scheduling strategy is not supported with the FARGATE launch type.');
    if (input.desiredCount !== undefined)
      throw invalidParameter(
        'The daemon scheduling strategy does not support a desired count for services. Remove a desired count value and try again',
      );
    if ((input.placementStrategy ?? []).length > 0)
      throw invalidParameter('The daemon scheduling strategy does not support placement strategies.');
  } else if (input.desiredCount === undefined) {
    throw invalidParameter('Desired count must be specified for services with the REPLICA scheduling strategy.');
  }
  if (input.role !== undefined && input.role !== '')
    throw invalidParameter('A role is only for services with a load balancer. Leave it out.');
  checkCommon(input);
  const strategy = chooseStrategy(cluster, input);
  if (input.launchType === 'EXTERNAL' || input.launchType === 'MANAGED_INSTANCES')
    throw unsupported(
      `The launch type ${input.launchType} is not supported. Use EC2 or FARGATE: both run on this server's hosts.`,
    );
  const launchType = input.launchType ?? 'EC2';
  const document: ServiceDocument = {
    deploymentConfiguration: readDeploymentConfiguration(input.deploymentConfiguration, schedulingStrategy),
    placementConstraints: input.placementConstraints ?? [],
    placementStrategy: input.placementStrategy ?? [],
    enableECSManagedTags: input.enableECSManagedTags ?? false,
    propagateTags: input.propagateTags ?? 'NONE',
    availabilityZoneRebalancing: input.availabilityZoneRebalancing ?? (schedulingStrategy === 'DAEMON' ? 'DISABLED' : 'ENABLED'),
    ...(input.healthCheckGracePeriodSeconds === undefined
      ? {}
      : { healthCheckGracePeriodSeconds: input.healthCheckGracePeriodSeconds }),
    ...(strategy.length === 0 ? {} : { capacityProviderStrategy: strategy }),
    ...readNetwork(input.networkConfiguration),
    ...(launchType === 'FARGATE' || isFargate(strategy) ? { platformVersion: input.platformVersion ?? 'LATEST' } : {}),
  };
  return {
    account: cluster.account,
    region: cluster.region,
    clusterId: cluster.id,
    clusterName: cluster.name,
    name,
    status: 'ACTIVE',
    desiredCount: input.desiredCount ?? 0,
    launchType: launchType as ServiceRecord['launchType'],
    schedulingStrategy,
    controller,
    document,
    conditions: {},
  };
}

/**
 * The settings of a service after an update, and whether that is a new deployment: only a change of what a revision fixes
 * is one, and a forced one. Raises `ecs`.
 */
export function readUpdateService(
  input: Given<UpdateServiceRequest>,
  service: ServiceRecord,
  cluster: Cluster,
): { desiredCount: number; document: ServiceDocument; deploys: boolean } {
  checkCommon(input);
  checkController(input, service);
  const { document } = service;
  if (service.schedulingStrategy === 'DAEMON' && input.desiredCount !== undefined)
    throw invalidParameter(
      'The daemon scheduling strategy does not support a desired count for services. Remove a desired count value and try again',
    );
  const next: ServiceDocument = {
    ...document,
    ...(input.deploymentConfiguration === undefined
      ? {}
      : {
          deploymentConfiguration: readDeploymentConfiguration(
            { ...document.deploymentConfiguration, ...input.deploymentConfiguration } as Given<DeploymentConfiguration>,
            service.schedulingStrategy,
          ),
        }),
    ...given(input, [
      'placementConstraints',
      'placementStrategy',
      'healthCheckGracePeriodSeconds',
      'enableECSManagedTags',
      'propagateTags',
      'availabilityZoneRebalancing',
    ]),
    ...given(input, ['platformVersion']),
    ...readNetwork(input.networkConfiguration),
    ...(input.capacityProviderStrategy === undefined
      ? {}
      : { capacityProviderStrategy: readClusterStrategy(cluster, input.capacityProviderStrategy) }),
  };
  if (next.capacityProviderStrategy?.length === 0) delete next.capacityProviderStrategy;
  const fixed = (one: ServiceDocument): string =>
    canonical([one.networkConfiguration, one.platformVersion, one.capacityProviderStrategy]);
  return {
    desiredCount: input.desiredCount ?? service.desiredCount,
    document: next,
    deploys: input.forceNewDeployment === true || fixed(next) !== fixed(document),
  };
}

/** What an update of a service may say whose deployments somebody else makes (API reference, `UpdateService`). */
function checkController(input: Given<UpdateServiceRequest>, { controller }: ServiceRecord): void {
  const type = input.deploymentController?.type;
  if (type !== undefined && type !== controller)
    throw unsupported(
      `The deployment controller of a service cannot be changed from ${controller} to ${type} here. Delete the service and create it anew.`,
    );
  if (controller === 'ECS') return;
  const refused: (keyof UpdateServiceRequest)[] = [
    'taskDefinition',
    'networkConfiguration',
    'platformVersion',
    'capacityProviderStrategy',
  ];
  if (controller === 'EXTERNAL') refused.push('deploymentConfiguration');
  const instead = controller === 'CODE_DEPLOY' ? 'Use AWS CodeDeploy to trigger a new deployment.' : 'Use a task set.';
  for (const member of refused) {
    if (input[member] === undefined) continue;
    const what = member === 'taskDefinition' ? 'task definition' : member;
    throw invalidParameter(`Unable to update ${what} on services with a ${controller} deployment controller. ${instead}`);
  }
  if (input.forceNewDeployment === true)
    throw invalidParameter(`Cannot force a new deployment on services with a ${controller} deployment controller. ${instead}`);
}

function checkCommon(input: Common): void {
  if ((input.loadBalancers ?? []).length > 0)
    throw unsupported(
      'Load balancers are not supported. Leave out loadBalancers, and reach the tasks by their host ports or their own addresses.',
    );
  if ((input.serviceRegistries ?? []).length > 0)
    throw unsupported(
      'Service discovery is not supported. Leave out serviceRegistries, and find the tasks with ListTasks and DescribeTasks.',
    );
  if (input.serviceConnectConfiguration?.enabled === true)
    throw unsupported('Service Connect is not supported. Leave out serviceConnectConfiguration, or set enabled to false.');
  if ((input.vpcLatticeConfigurations ?? []).length > 0)
    throw unsupported('VPC Lattice is not supported. Leave out vpcLatticeConfigurations.');
  if ((input.gatewayConnectors ?? []).length > 0)
    throw unsupported('Gateways are not supported. Leave out gatewayConnectors, and put a load balancer of your own in front.');
  if ((input.volumeConfigurations ?? []).length > 0)
    throw unsupported(
      'Volumes that are configured at launch need EBS. Leave out volumeConfigurations, and use host or docker volumes of the task definition.',
    );
  if ((input.monitoring?.metricConfigurations ?? []).length > 0)
    throw unsupported('Metrics of CloudWatch are not supported. Leave out monitoring, and read /metrics of the server.');
  if (input.enableExecuteCommand === true)
    throw unsupported(
      'ECS Exec is not supported. Leave out enableExecuteCommand, and read the output of tasks with holdfast logs.',
    );
  if ((input.placementConstraints ?? []).length > 10) throw invalidParameter('A service has at most 10 placement constraints.');
  if ((input.placementStrategy ?? []).length > 5) throw invalidParameter('A service has at most 5 placement strategies.');
  if (input.placementConstraints?.some(({ type }) => type === 'memberOf') === true)
    throw unsupported(
      'Placement constraints of type memberOf are not supported for services. Leave them out, or use distinctInstance.',
    );
  const { desiredCount, healthCheckGracePeriodSeconds: grace } = input;
  if (desiredCount !== undefined && (desiredCount < 0 || desiredCount > MOST_TASKS))
    throw invalidParameter(`Desired count must be between 0 and ${MOST_TASKS}.`);
  if (grace !== undefined && (grace < 0 || grace > MOST_GRACE_SECONDS))
    throw invalidParameter(`healthCheckGracePeriodSeconds must be between 0 and ${MOST_GRACE_SECONDS}.`);
}

function readDeploymentConfiguration(
  given: Given<DeploymentConfiguration> | undefined,
  schedulingStrategy: ServiceRecord['schedulingStrategy'],
): ServiceDocument['deploymentConfiguration'] {
  const { strategy = 'ROLLING', alarms, lifecycleHooks, deploymentCircuitBreaker: breaker } = given ?? {};
  if (strategy !== 'ROLLING')
    throw unsupported(
      `The deployment strategy ${strategy} needs a load balancer, which is not supported. Use ROLLING, with a deployment circuit breaker to go back by itself.`,
    );
  if (given?.linearConfiguration !== undefined || given?.canaryConfiguration !== undefined)
    throw invalidParameter('linearConfiguration and canaryConfiguration are for the strategies LINEAR and CANARY.');
  if (alarms?.enable === true || (alarms?.alarmNames ?? []).length > 0)
    throw unsupported('CloudWatch alarms are not supported. Use deploymentCircuitBreaker.');
  if ((lifecycleHooks ?? []).length > 0)
    throw unsupported('Deployment lifecycle hooks are not supported. Leave out lifecycleHooks.');
  if (given?.earlySuccessCriteria?.enable === true)
    throw unsupported(
      'earlySuccessCriteria are not supported: a deployment is successful once all of its tasks are healthy and those before it are gone. Leave it out, or set enable to false.',
    );
  if ((given?.bakeTimeInMinutes ?? 0) > 0)
    throw unsupported('bakeTimeInMinutes is for deployments that shift traffic. Leave it out.');
  const isDaemon = schedulingStrategy === 'DAEMON';
  const minimumHealthyPercent = given?.minimumHealthyPercent ?? (isDaemon ? 0 : 100);
  const maximumPercent = given?.maximumPercent ?? (isDaemon ? 100 : 200);
  if (minimumHealthyPercent < 0 || minimumHealthyPercent > 100)
    throw invalidParameter('minimumHealthyPercent must be between 0 and 100.');
  if (maximumPercent < 100 || maximumPercent > 200_000) throw invalidParameter('maximumPercent must be at least 100.');
  if (minimumHealthyPercent === 100 && maximumPercent === 100)
    throw invalidParameter('Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments');
  if (isDaemon && maximumPercent !== 100)
    throw invalidParameter('The daemon scheduling strategy requires maximumPercent to be 100.');
  const threshold = breaker?.thresholdConfiguration;
  if (threshold !== undefined) checkThreshold(threshold);
  return {
    strategy,
    bakeTimeInMinutes: 0,
    minimumHealthyPercent,
    maximumPercent,
    deploymentCircuitBreaker: {
      enable: breaker?.enable ?? false,
      rollback: breaker?.rollback ?? false,
      resetOnHealthyTask: breaker?.resetOnHealthyTask ?? true,
      thresholdConfiguration: threshold ?? { type: 'BOUNDED_PERCENT', value: 50 },
    },
  };
}

/** Where the tasks are to be, as it is shown: AWS says too that they get no public address unless they are to. */
export function readNetwork(given: Given<NetworkConfiguration> | undefined): {
  networkConfiguration?: Given<NetworkConfiguration>;
} {
  const settings = given?.awsvpcConfiguration;
  return settings === undefined
    ? {}
    : { networkConfiguration: { awsvpcConfiguration: { assignPublicIp: 'DISABLED', ...settings } } };
}

function checkThreshold({ type, value }: { type: string; value: number }): void {
  const most = type === 'COUNT' ? MOST_TASKS : 100;
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw invalidParameter(`The value of a ${type} threshold of the deployment circuit breaker must be between 1 and ${most}.`);
}

export function isFargate(strategy: { capacityProvider?: string | undefined }[] | undefined): boolean {
  const first = strategy?.[0]?.capacityProvider;
  return first === 'FARGATE' || first === 'FARGATE_SPOT';
}

/** JSON with members in one order, so that equal values are equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}

function given<T extends object, K extends keyof T>(input: T, names: K[]): { [N in K]?: Exclude<T[N], undefined> } {
  return Object.fromEntries(names.filter((name) => input[name] !== undefined).map((name) => [name, input[name]])) as {
    [N in K]?: Exclude<T[N], undefined>;
  };
}
