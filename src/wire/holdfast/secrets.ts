import { MAX_SECRET_BYTES } from '../../access/secrets.ts';
import { Fault } from '../../core/fault.ts';
import { pageFields, readPage, textField } from './field.ts';
import { onRegistry, type ApiOperation } from './operation.ts';
import { showSecret } from './resources.ts';

const nameField = textField("the secret's name: letters, digits and / _ + = . @ -");

export const secretOperations: ApiOperation[] = [
  onRegistry(
    {
      name: 'PutSecret',
      method: 'PUT',
      path: '/secrets',
      summary: 'Keeps a secret under a name, in place of what was there. No answer ever has its value.',
      fields: {
        name: nameField,
        value: {
          ...textField('what is kept; for `repositoryCredentials` `{"username":"…","password":"…"}`', { max: MAX_SECRET_BYTES }),
          // Addresses are written into logs on the way.
          fromText() {
            throw new Fault('parameter-invalid', { member: 'value', constraint: 'Must stand in the body, not in the address' });
          },
        },
      },
      answer: { kind: 'Secret' },
    },
    async ({ name, value }, { access, caller }) => showSecret(await access.secrets.put(caller, name, value)),
  ),
  onRegistry(
    {
      name: 'ListSecrets',
      method: 'GET',
      path: '/secrets',
      summary: 'Lists the names of the secrets, without their values.',
      fields: pageFields,
      answer: { list: 'secrets', of: 'Secret' },
    },
    async (input, { access, caller }) => {
      const { items, next } = await access.secrets.list(caller, readPage(input));
      return { secrets: items.map(showSecret), next };
    },
  ),
  onRegistry(
    {
      name: 'DeleteSecret',
      method: 'DELETE',
      path: '/secrets',
      summary: 'Deletes a secret at once. Tasks that were started with it run on.',
      fields: { name: nameField },
    },
    async ({ name }, { access, caller }) => {
      await access.secrets.delete(caller, name);
      return undefined;
    },
  ),
];
