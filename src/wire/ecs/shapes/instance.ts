import type { Attribute, PlatformDevice, Resource, VersionInfo } from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { DECIMAL, list, TEXT, WHOLE } from './basic.ts';
import { PLATFORM_DEVICE_TYPE, TARGET_TYPE } from './enums.ts';

export const RESOURCE: StructureShape<Resource> = {
  type: 'structure',
  members: {
    name: TEXT,
    type: TEXT,
    doubleValue: DECIMAL,
    longValue: WHOLE,
    integerValue: WHOLE,
    stringSetValue: list(TEXT),
  },
};

export const VERSION_INFO: StructureShape<VersionInfo> = {
  type: 'structure',
  members: {
    agentVersion: TEXT,
    agentHash: TEXT,
    dockerVersion: TEXT,
  },
};

export const ATTRIBUTE: StructureShape<Attribute> = {
  type: 'structure',
  members: {
    name: { ...TEXT, required: true },
    value: TEXT,
    targetType: TARGET_TYPE,
    targetId: TEXT,
  },
};

export const PLATFORM_DEVICE: StructureShape<PlatformDevice> = {
  type: 'structure',
  members: {
    id: { ...TEXT, required: true },
    type: { ...PLATFORM_DEVICE_TYPE, required: true },
  },
};
