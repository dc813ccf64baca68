import type { KeyValuePair, Tag } from '@aws-sdk/client-ecs';
import type { StructureShape } from '../../aws/shape.ts';
import { TEXT } from './basic.ts';

export const TAG: StructureShape<Tag> = {
  type: 'structure',
  members: {
    key: TEXT,
    value: TEXT,
  },
};

export const KEY_VALUE_PAIR: StructureShape<KeyValuePair> = {
  type: 'structure',
  members: {
    name: TEXT,
    value: TEXT,
  },
};
