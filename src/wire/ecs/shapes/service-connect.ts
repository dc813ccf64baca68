import type {
  ServiceConnectAccessLogConfiguration,
  ServiceConnectClientAlias,
  ServiceConnectConfiguration,
  ServiceConnectService,
  ServiceConnectTestTrafficHeaderMatchRules,
  ServiceConnectTestTrafficHeaderRules,
  ServiceConnectTestTrafficRules,
  ServiceConnectTlsCertificateAuthority,
  ServiceConnectTlsConfiguration,
  TimeoutConfiguration,
} from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { FLAG, list, PRESENCE, TEXT, WHOLE } from './basic.ts';
import { LOG_CONFIGURATION } from './container.ts';
import { SERVICE_CONNECT_ACCESS_LOGGING_FORMAT, SERVICE_CONNECT_INCLUDE_QUERY_PARAMETERS } from './enums.ts';

export const SERVICE_CONNECT_TEST_TRAFFIC_HEADER_MATCH_RULES: StructureShape<ServiceConnectTestTrafficHeaderMatchRules> = {
  type: 'structure',
  members: {
    exact: { ...TEXT, required: true },
  },
};

export const SERVICE_CONNECT_TEST_TRAFFIC_HEADER_RULES: StructureShape<ServiceConnectTestTrafficHeaderRules> = {
  type: 'structure',
  members: {
    name: { ...TEXT, required: true },
    value: SERVICE_CONNECT_TEST_TRAFFIC_HEADER_MATCH_RULES,
  },
};

export const SERVICE_CONNECT_TEST_TRAFFIC_RULES: StructureShape<ServiceConnectTestTrafficRules> = {
  type: 'structure',
  members: {
    header: { ...SERVICE_CONNECT_TEST_TRAFFIC_HEADER_RULES, required: true },
  },
};

export const SERVICE_CONNECT_CLIENT_ALIAS: StructureShape<ServiceConnectClientAlias> = {
  type: 'structure',
  members: {
    port: { ...WHOLE, required: true },
    dnsName: TEXT,
    testTrafficRules: SERVICE_CONNECT_TEST_TRAFFIC_RULES,
  },
};

export const TIMEOUT_CONFIGURATION: StructureShape<TimeoutConfiguration> = {
  type: 'structure',
  members: {
    idleTimeoutSeconds: WHOLE,
    perRequestTimeoutSeconds: WHOLE,
  },
};

export const SERVICE_CONNECT_TLS_CERTIFICATE_AUTHORITY: StructureShape<ServiceConnectTlsCertificateAuthority> = {
  type: 'structure',
  members: {
    awsPcaAuthorityArn: TEXT,
  },
};

export const SERVICE_CONNECT_TLS_CONFIGURATION: StructureShape<ServiceConnectTlsConfiguration> = {
  type: 'structure',
  members: {
    issuerCertificateAuthority: { ...SERVICE_CONNECT_TLS_CERTIFICATE_AUTHORITY, required: true },
    kmsKey: TEXT,
    roleArn: TEXT,
  },
};

export const SERVICE_CONNECT_SERVICE: StructureShape<ServiceConnectService> = {
  type: 'structure',
  members: {
    portName: { ...TEXT, required: true },
    discoveryName: TEXT,
    clientAliases: list(SERVICE_CONNECT_CLIENT_ALIAS),
    ingressPortOverride: WHOLE,
    timeout: TIMEOUT_CONFIGURATION,
    tls: SERVICE_CONNECT_TLS_CONFIGURATION,
  },
};

export const SERVICE_CONNECT_ACCESS_LOG_CONFIGURATION: StructureShape<ServiceConnectAccessLogConfiguration> = {
  type: 'structure',
  members: {
    format: { ...SERVICE_CONNECT_ACCESS_LOGGING_FORMAT, required: true },
    includeQueryParameters: SERVICE_CONNECT_INCLUDE_QUERY_PARAMETERS,
  },
};

export const SERVICE_CONNECT_CONFIGURATION: StructureShape<ServiceConnectConfiguration> = {
  type: 'structure',
  members: {
    enabled: { ...FLAG, required: true },
    namespace: TEXT,
    services: list(SERVICE_CONNECT_SERVICE),
    logConfiguration: LOG_CONFIGURATION,
    accessLogConfiguration: SERVICE_CONNECT_ACCESS_LOG_CONFIGURATION,
    containerConfigurations: list(PRESENCE),
  },
};
