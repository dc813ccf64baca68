import { operation } from './operation.ts';
import { FLAG, list, TEXT, WHOLE } from './shapes/basic.ts';
import { SETTING_NAME } from './shapes/enums.ts';
import { TAG } from './shapes/tag.ts';

export const settingOperations = {
  TagResource: operation(
    'TagResource',
    {
      resourceArn: { ...TEXT, required: true },
      tags: { ...list(TAG), required: true },
    },
    (input) => [input.resourceArn],
  ),
  UntagResource: operation(
    'UntagResource',
    {
      resourceArn: { ...TEXT, required: true },
      tagKeys: { ...list(TEXT), required: true },
    },
    (input) => [input.resourceArn],
  ),
  ListTagsForResource: operation(
    'ListTagsForResource',
    {
      resourceArn: { ...TEXT, required: true },
    },
    (input) => [input.resourceArn],
  ),
  PutAccountSetting: operation('PutAccountSetting', {
    name: { ...SETTING_NAME, required: true },
    value: { ...TEXT, required: true },
    principalArn: TEXT,
  }),
  PutAccountSettingDefault: operation('PutAccountSettingDefault', {
    name: { ...SETTING_NAME, required: true },
    value: { ...TEXT, required: true },
  }),
  ListAccountSettings: operation('ListAccountSettings', {
    name: SETTING_NAME,
    value: TEXT,
    principalArn: TEXT,
    effectiveSettings: FLAG,
    nextToken: TEXT,
    maxResults: WHOLE,
  }),
  DeleteAccountSetting: operation('DeleteAccountSetting', {
    name: { ...SETTING_NAME, required: true },
    principalArn: TEXT,
  }),
};
