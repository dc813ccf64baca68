import { optional, pageFields, readPage, textField, textsField } from './field.ts';
import { onRegistry, type ApiOperation } from './operation.ts';
import { showKey } from './resources.ts';

export const keyOperations: ApiOperation[] = [
  onRegistry(
    {
      name: 'CreateKey',
      method: 'POST',
      path: '/keys',
      summary: 'Makes an access key. Its secret is in this answer and nowhere else.',
      fields: {
        allow: textsField(
          'what it may do: `full`, `read-only`, or `pull:`, `push:`, `delete:`, `hold:`, `create:` or `manage:` and a repository pattern such as `team/*`',
          100,
        ),
        userName: optional(textField('whose key it is (default: made from its id)', { max: 64 })),
      },
      answer: { kind: 'NewKey' },
    },
    async ({ allow, userName }, { access, caller }) => {
      const key = await access.keys.create({ allow, by: caller, ...(userName === undefined ? {} : { userName }) });
      return { ...showKey(key), secretAccessKey: key.secretAccessKey };
    },
  ),
  onRegistry(
    {
      name: 'ListKeys',
      method: 'GET',
      path: '/keys',
      summary: 'Lists the access keys, oldest first, revoked ones included.',
      fields: pageFields,
      answer: { list: 'keys', of: 'Key' },
    },
    async (input, { access }) => {
      const { items, next } = await access.keys.list(readPage(input));
      return { keys: items.map(showKey), next };
    },
  ),
  onRegistry(
    {
      name: 'RevokeKey',
      method: 'DELETE',
      path: '/keys/{accessKeyId}',
      summary: 'Revokes a key for ever: its signatures and its tokens are refused from now on.',
      fields: { accessKeyId: textField("the key's id", { max: 128 }) },
      answer: { kind: 'Key' },
    },
    async ({ accessKeyId }, { access, caller }) => showKey(await access.keys.revoke(accessKeyId, caller)),
  ),
];
