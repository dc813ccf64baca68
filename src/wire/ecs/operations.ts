import type { ECS } from '@aws-sdk/client-ecs';
import { capacityProviderOperations } from './capacity-providers.ts';
import { clusterOperations } from './clusters.ts';
import { deploymentOperations } from './deployments.ts';
import { instanceOperations } from './instances.ts';
import type { EcsOperation } from './operation.ts';
import { serviceOperations } from './services.ts';
import { settingOperations } from './settings.ts';
import { taskDefinitionOperations } from './task-definitions.ts';
import { taskSetOperations } from './task-sets.ts';
import { taskOperations } from './tasks.ts';

type MethodName = Exclude<
  keyof ECS,
  'config' | 'initConfig' | 'middlewareStack' | 'send' | 'destroy' | `${'paginate' | 'waitFor' | 'waitUntil'}${string}`
>;
/** Every operation that AWS's SDK knows. One that appears there and is not in the table below does not compile. */
export type EcsOperationName = Capitalize<MethodName & string>;

const DAEMONS = 'Managed daemons are not there. Use a service of scheduling strategy DAEMON: it runs one task on each host.';
const EXPRESS =
  'Express Gateway services are not there: nothing balances load here. Use CreateService, and a load balancer of your own.';
const GATEWAYS = 'Gateways are not there: nothing balances load here. Put a load balancer of your own in front of the tasks.';
const AGENT = 'Only the ECS agent calls it, and there is none: the server runs containers itself.';
const EXECUTE = 'It is not there yet. Look into a container with the engine of the host, or read its output with holdfast logs.';

/** Everything that the ECS API has: what each operation takes, which resources it needs a right on, and what does it. */
export const ECS_OPERATIONS = {
  ...clusterOperations,
  ...taskDefinitionOperations,
  ...taskOperations,
  ...serviceOperations,
  ...deploymentOperations,
  ...taskSetOperations,
  ...instanceOperations,
  ...capacityProviderOperations,
  ...settingOperations,

  ExecuteCommand: refuse(EXECUTE, 'ClientException'),

  DiscoverPollEndpoint: refuse(AGENT, 'ClientException'),
  SubmitTaskStateChange: refuse(AGENT, 'ClientException'),
  SubmitContainerStateChange: refuse(AGENT, 'ClientException'),
  SubmitAttachmentStateChanges: refuse(AGENT, 'ClientException'),

  CreateDaemon: refuse(DAEMONS),
  UpdateDaemon: refuse(DAEMONS),
  DeleteDaemon: refuse(DAEMONS),
  DescribeDaemon: refuse(DAEMONS),
  DescribeDaemonDeployments: refuse(DAEMONS),
  DescribeDaemonRevisions: refuse(DAEMONS),
  ListDaemons: refuse(DAEMONS),
  ListDaemonDeployments: refuse(DAEMONS),
  RegisterDaemonTaskDefinition: refuse(DAEMONS, 'ClientException'),
  DescribeDaemonTaskDefinition: refuse(DAEMONS, 'ClientException'),
  DeleteDaemonTaskDefinition: refuse(DAEMONS, 'ClientException'),
  ListDaemonTaskDefinitions: refuse(DAEMONS, 'ClientException'),

  CreateExpressGatewayService: refuse(EXPRESS),
  UpdateExpressGatewayService: refuse(EXPRESS),
  DeleteExpressGatewayService: refuse(EXPRESS),
  DescribeExpressGatewayService: refuse(EXPRESS),

  CreateGateway: refuse(GATEWAYS),
  UpdateGateway: refuse(GATEWAYS),
  DeleteGateway: refuse(GATEWAYS),
  DescribeGateway: refuse(GATEWAYS),
  DescribeGatewayResources: refuse(GATEWAYS),
  DescribeGatewayRoute: refuse(GATEWAYS),
  ListGateways: refuse(GATEWAYS),
  ListGatewayRoutes: refuse(GATEWAYS),
  ListGatewayClusterAssociations: refuse(GATEWAYS),
  AssociateGatewayWithCluster: refuse(GATEWAYS),
  DisassociateGatewayFromCluster: refuse(GATEWAYS),
} as const satisfies Record<EcsOperationName, EcsOperation>;

export function findOperation(name: string): EcsOperation | undefined {
  return Object.hasOwn(ECS_OPERATIONS, name) ? ECS_OPERATIONS[name as EcsOperationName] : undefined;
}

/** One row for each operation, by name, for the documentation. */
export function ecsCoverage(): { operation: string; status: 'implemented' | 'refused'; why?: string }[] {
  return Object.entries<EcsOperation>(ECS_OPERATIONS)
    .map(([operation, entry]) => ({ operation, status: entry.kind, ...(entry.kind === 'refused' ? { why: entry.instead } : {}) }))
    .sort((one, other) => (one.operation < other.operation ? -1 : 1));
}

function refuse(
  instead: string,
  code: 'UnsupportedFeatureException' | 'ClientException' = 'UnsupportedFeatureException',
): EcsOperation {
  return { kind: 'refused', code, instead };
}
