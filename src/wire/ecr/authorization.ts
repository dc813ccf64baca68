import type { GetAuthorizationTokenRequest, GetAuthorizationTokenResponse } from '@aws-sdk/client-ecr';
import { Fault } from '../../core/fault.ts';
import { onRegistry, seconds } from './operation.ts';
import { REGISTRY_ID } from './shapes.ts';

const getAuthorizationToken = onRegistry<GetAuthorizationTokenRequest, GetAuthorizationTokenResponse>(
  'GetAuthorizationToken',
  { type: 'structure', members: { registryIds: { type: 'list', of: REGISTRY_ID, min: 1, max: 10 } } },
  async (input, call) => {
    const { account } = call.caller;
    const foreign = input.registryIds?.find((registryId) => registryId !== account);
    if (foreign !== undefined)
      throw new Fault('parameter-invalid', {
        member: 'registryIds',
        constraint: `This server has the registry ${account} only, not ${foreign}`,
      });
    const { password, expiresAt } = await call.issueToken();
    const authorizationToken = Buffer.from(`AWS:${password}`).toString('base64');
    // `docker login` is given the endpoint as it stands here.
    const row = { authorizationToken, expiresAt: seconds(expiresAt), proxyEndpoint: call.registryOrigin };
    return { authorizationData: (input.registryIds ?? [account]).map(() => row) };
  },
);

export const authorizationOperations = { GetAuthorizationToken: getAuthorizationToken };
