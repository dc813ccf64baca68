import type {
  AdvancedConfiguration,
  LoadBalancer,
  MetricConfiguration,
  MonitoringConfiguration,
  ServiceRegistry,
  VpcLatticeAdvancedConfiguration,
  VpcLatticeConfiguration,
} from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { list, TEXT, WHOLE } from './basic.ts';

export const ADVANCED_CONFIGURATION: StructureShape<AdvancedConfiguration> = {
  type: 'structure',
  members: {
    alternateTargetGroupArn: TEXT,
    productionListenerRule: TEXT,
    testListenerRule: TEXT,
    roleArn: TEXT,
  },
};

export const LOAD_BALANCER: StructureShape<LoadBalancer> = {
  type: 'structure',
  members: {
    targetGroupArn: TEXT,
    loadBalancerName: TEXT,
    containerName: TEXT,
    containerPort: WHOLE,
    advancedConfiguration: ADVANCED_CONFIGURATION,
  },
};

export const SERVICE_REGISTRY: StructureShape<ServiceRegistry> = {
  type: 'structure',
  members: {
    registryArn: TEXT,
    port: WHOLE,
    containerName: TEXT,
    containerPort: WHOLE,
  },
};

export const VPC_LATTICE_ADVANCED_CONFIGURATION: StructureShape<VpcLatticeAdvancedConfiguration> = {
  type: 'structure',
  members: {
    alternateTargetGroupArn: TEXT,
    productionListenerRule: TEXT,
    testListenerRule: TEXT,
  },
};

export const VPC_LATTICE_CONFIGURATION: StructureShape<VpcLatticeConfiguration> = {
  type: 'structure',
  members: {
    roleArn: { ...TEXT, required: true },
    targetGroupArn: { ...TEXT, required: true },
    portName: { ...TEXT, required: true },
    advancedConfiguration: VPC_LATTICE_ADVANCED_CONFIGURATION,
  },
};

export const METRIC_CONFIGURATION: StructureShape<MetricConfiguration> = {
  type: 'structure',
  members: {
    metricNames: { ...list(TEXT), required: true },
    resolutionSeconds: { ...WHOLE, required: true },
  },
};

export const MONITORING_CONFIGURATION: StructureShape<MonitoringConfiguration> = {
  type: 'structure',
  members: {
    metricConfigurations: list(METRIC_CONFIGURATION),
  },
};
