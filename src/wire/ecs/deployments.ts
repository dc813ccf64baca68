import { operation } from './operation.ts';
import { arnOfService, arnsOf } from './resources.ts';
import { list, TEXT, WHOLE } from './shapes/basic.ts';
import { CREATED_AT } from './shapes/deployment.ts';
import {
  DEPLOYMENT_LIFECYCLE_HOOK_ACTION,
  SERVICE_DEPLOYMENT_STATUS,
  STOP_SERVICE_DEPLOYMENT_STOP_TYPE,
} from './shapes/enums.ts';

export const deploymentOperations = {
  ListServiceDeployments: operation(
    'ListServiceDeployments',
    {
      service: { ...TEXT, required: true },
      cluster: TEXT,
      status: list(SERVICE_DEPLOYMENT_STATUS),
      createdAt: CREATED_AT,
      nextToken: TEXT,
      maxResults: WHOLE,
    },
    (input, place) => [arnOfService(place, input.cluster, input.service)],
  ),
  DescribeServiceDeployments: operation(
    'DescribeServiceDeployments',
    {
      serviceDeploymentArns: { ...list(TEXT), required: true },
    },
    (input) => arnsOf(input.serviceDeploymentArns),
  ),
  DescribeServiceRevisions: operation(
    'DescribeServiceRevisions',
    {
      serviceRevisionArns: { ...list(TEXT), required: true },
    },
    (input) => arnsOf(input.serviceRevisionArns),
  ),
  StopServiceDeployment: operation(
    'StopServiceDeployment',
    {
      serviceDeploymentArn: { ...TEXT, required: true },
      stopType: STOP_SERVICE_DEPLOYMENT_STOP_TYPE,
    },
    (input) => [input.serviceDeploymentArn],
  ),
  ContinueServiceDeployment: operation(
    'ContinueServiceDeployment',
    {
      serviceDeploymentArn: { ...TEXT, required: true },
      hookId: { ...TEXT, required: true },
      action: DEPLOYMENT_LIFECYCLE_HOOK_ACTION,
    },
    (input) => [input.serviceDeploymentArn],
  ),
};
