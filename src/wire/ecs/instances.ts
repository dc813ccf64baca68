import { operation } from './operation.ts';
import { arnOfCluster, arnOfHost, arnsOf } from './resources.ts';
import { FLAG, list, TEXT, WHOLE } from './shapes/basic.ts';
import { CONTAINER_INSTANCE_FIELD, CONTAINER_INSTANCE_STATUS, TARGET_TYPE } from './shapes/enums.ts';
import { ATTRIBUTE, PLATFORM_DEVICE, RESOURCE, VERSION_INFO } from './shapes/instance.ts';
import { TAG } from './shapes/tag.ts';

export const instanceOperations = {
  DescribeContainerInstances: operation(
    'DescribeContainerInstances',
    {
      containerInstances: { ...list(TEXT), required: true },
      cluster: TEXT,
      include: list(CONTAINER_INSTANCE_FIELD),
    },
    (input, place) => arnsOf(input.containerInstances, (host) => arnOfHost(place, input.cluster, host)),
  ),
  ListContainerInstances: operation(
    'ListContainerInstances',
    {
      cluster: TEXT,
      filter: TEXT,
      nextToken: TEXT,
      maxResults: WHOLE,
      status: CONTAINER_INSTANCE_STATUS,
    },
    (input, place) => [arnOfCluster(place, input.cluster)],
  ),
  UpdateContainerInstancesState: operation(
    'UpdateContainerInstancesState',
    {
      containerInstances: { ...list(TEXT), required: true },
      status: { ...CONTAINER_INSTANCE_STATUS, required: true },
      cluster: TEXT,
    },
    (input, place) => arnsOf(input.containerInstances, (host) => arnOfHost(place, input.cluster, host)),
  ),
  UpdateContainerAgent: operation(
    'UpdateContainerAgent',
    {
      containerInstance: { ...TEXT, required: true },
      cluster: TEXT,
    },
    (input, place) => [arnOfHost(place, input.cluster, input.containerInstance)],
  ),
  RegisterContainerInstance: operation(
    'RegisterContainerInstance',
    {
      cluster: TEXT,
      instanceIdentityDocument: TEXT,
      instanceIdentityDocumentSignature: TEXT,
      totalResources: list(RESOURCE),
      versionInfo: VERSION_INFO,
      containerInstanceArn: TEXT,
      attributes: list(ATTRIBUTE),
      platformDevices: list(PLATFORM_DEVICE),
      tags: list(TAG),
    },
    (input, place) => [arnOfCluster(place, input.cluster)],
  ),
  DeregisterContainerInstance: operation(
    'DeregisterContainerInstance',
    {
      containerInstance: { ...TEXT, required: true },
      cluster: TEXT,
      force: FLAG,
    },
    (input, place) => [arnOfCluster(place, input.cluster)],
  ),
  PutAttributes: operation(
    'PutAttributes',
    {
      attributes: { ...list(ATTRIBUTE), required: true },
      cluster: TEXT,
    },
    (input, place) => arnsOf(input.attributes, ({ targetId = '*' }) => arnOfHost(place, input.cluster, targetId)),
  ),
  DeleteAttributes: operation(
    'DeleteAttributes',
    {
      attributes: { ...list(ATTRIBUTE), required: true },
      cluster: TEXT,
    },
    (input, place) => arnsOf(input.attributes, ({ targetId = '*' }) => arnOfHost(place, input.cluster, targetId)),
  ),
  ListAttributes: operation('ListAttributes', {
    targetType: { ...TARGET_TYPE, required: true },
    cluster: TEXT,
    attributeName: TEXT,
    attributeValue: TEXT,
    nextToken: TEXT,
    maxResults: WHOLE,
  }),
};
