import type {
  ContinueServiceDeploymentRequest,
  ContinueServiceDeploymentResponse,
  CreateServiceRequest,
  CreateServiceResponse,
  CreateTaskSetRequest,
  CreateTaskSetResponse,
  DeleteServiceRequest,
  DeleteServiceResponse,
  DeleteTaskSetRequest,
  DeleteTaskSetResponse,
  DescribeServiceDeploymentsRequest,
  DescribeServiceDeploymentsResponse,
  DescribeServiceRevisionsRequest,
  DescribeServiceRevisionsResponse,
  DescribeServicesRequest,
  DescribeServicesResponse,
  DescribeTaskSetsRequest,
  DescribeTaskSetsResponse,
  ListServiceDeploymentsRequest,
  ListServiceDeploymentsResponse,
  ListServicesByNamespaceRequest,
  ListServicesByNamespaceResponse,
  ListServicesRequest,
  ListServicesResponse,
  StopServiceDeploymentRequest,
  StopServiceDeploymentResponse,
  UpdateServicePrimaryTaskSetRequest,
  UpdateServicePrimaryTaskSetResponse,
  UpdateServiceRequest,
  UpdateServiceResponse,
  UpdateTaskSetRequest,
  UpdateTaskSetResponse,
} from '@aws-sdk/client-ecs';
import type { OrchestratorContext } from './context.ts';
import type { Operation } from './model.ts';
import type { ServiceDirectory } from './service-directory.ts';
import type { Tasks } from './tasks.ts';

export interface ServiceOperations {
  CreateService: Operation<CreateServiceRequest, CreateServiceResponse>;
  UpdateService: Operation<UpdateServiceRequest, UpdateServiceResponse>;
  DeleteService: Operation<DeleteServiceRequest, DeleteServiceResponse>;
  DescribeServices: Operation<DescribeServicesRequest, DescribeServicesResponse>;
  ListServices: Operation<ListServicesRequest, ListServicesResponse>;
  ListServicesByNamespace: Operation<ListServicesByNamespaceRequest, ListServicesByNamespaceResponse>;
  ListServiceDeployments: Operation<ListServiceDeploymentsRequest, ListServiceDeploymentsResponse>;
  DescribeServiceDeployments: Operation<DescribeServiceDeploymentsRequest, DescribeServiceDeploymentsResponse>;
  DescribeServiceRevisions: Operation<DescribeServiceRevisionsRequest, DescribeServiceRevisionsResponse>;
  StopServiceDeployment: Operation<StopServiceDeploymentRequest, StopServiceDeploymentResponse>;
  ContinueServiceDeployment: Operation<ContinueServiceDeploymentRequest, ContinueServiceDeploymentResponse>;
  CreateTaskSet: Operation<CreateTaskSetRequest, CreateTaskSetResponse>;
  UpdateTaskSet: Operation<UpdateTaskSetRequest, UpdateTaskSetResponse>;
  DeleteTaskSet: Operation<DeleteTaskSetRequest, DeleteTaskSetResponse>;
  DescribeTaskSets: Operation<DescribeTaskSetsRequest, DescribeTaskSetsResponse>;
  UpdateServicePrimaryTaskSet: Operation<UpdateServicePrimaryTaskSetRequest, UpdateServicePrimaryTaskSetResponse>;
}

/** Services with their deployments: the part of the room that starts and stops tasks by itself. */
export interface ServicePart {
  operations: ServiceOperations;
  directory: ServiceDirectory;
  /** After `tasks.start`: looks at every service once. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Listens to `tasks` from the beginning. */
export type CreateServicePart = (context: OrchestratorContext, tasks: Tasks) => ServicePart;
