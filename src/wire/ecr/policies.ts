import type {
  DeleteRegistryPolicyRequest,
  DeleteRegistryPolicyResponse,
  DeleteRepositoryPolicyRequest,
  DeleteRepositoryPolicyResponse,
  GetRegistryPolicyRequest,
  GetRegistryPolicyResponse,
  GetRepositoryPolicyRequest,
  GetRepositoryPolicyResponse,
  PutRegistryPolicyRequest,
  PutRegistryPolicyResponse,
  SetRepositoryPolicyRequest,
  SetRepositoryPolicyResponse,
} from '@aws-sdk/client-ecr';
import { Fault, isFault } from '../../core/fault.ts';
import { parsePolicy } from '../../core/iam-policy.ts';
import type { Repository } from '../../registry/registry.ts';
import { onRegistry, onRepository, type EcrCall } from './operation.ts';
import { ON_REPOSITORY, POLICY_TEXT } from './shapes.ts';

const REGISTRY_POLICY = 'registry-policy';
// A registry policy is for other accounts, of which there are none: what it allows reaches nobody, and that is safe. A
// denial would have to be kept on every wire, so it is not taken.
const REGISTRY_DENY = 'Deny is not supported in a registry policy; deny in the policies of repositories or of access keys';

const setRepositoryPolicy = onRepository<SetRepositoryPolicyRequest, SetRepositoryPolicyResponse>(
  'SetRepositoryPolicy',
  {
    type: 'structure',
    members: { ...ON_REPOSITORY, policyText: { ...POLICY_TEXT, required: true }, force: { type: 'boolean' } },
  },
  async (input, repository, call) => {
    const { policyText } = input;
    checkPolicy(policyText, 'repository');
    if (input.force !== true && !(await call.keepsPolicyAccess(repository, policyText))) {
      throw new Fault('parameter-invalid', {
        member: 'PolicyText',
        constraint: 'The policy would keep you from setting the policy of this repository again. Use force to set it nonetheless',
      });
    }
    await call.registry.repositories.setPolicy(call.caller, repository, policyText);
    return { ...describe(repository), policyText };
  },
);

const getRepositoryPolicy = onRepository<GetRepositoryPolicyRequest, GetRepositoryPolicyResponse>(
  'GetRepositoryPolicy',
  { type: 'structure', members: ON_REPOSITORY },
  async (_input, repository) => ({ ...describe(repository), policyText: requirePolicy(repository) }),
);

const deleteRepositoryPolicy = onRepository<DeleteRepositoryPolicyRequest, DeleteRepositoryPolicyResponse>(
  'DeleteRepositoryPolicy',
  { type: 'structure', members: ON_REPOSITORY },
  async (_input, repository, call) => {
    const policyText = requirePolicy(repository);
    await call.registry.repositories.setPolicy(call.caller, repository, undefined);
    return { ...describe(repository), policyText };
  },
);

const putRegistryPolicy = onRegistry<PutRegistryPolicyRequest, PutRegistryPolicyResponse>(
  'PutRegistryPolicy',
  { type: 'structure', members: { policyText: { ...POLICY_TEXT, required: true } } },
  async (input, call) => {
    checkPolicy(input.policyText, 'registry');
    await call.registry.settings.set(call.caller, REGISTRY_POLICY, input.policyText);
    return { registryId: call.caller.account, policyText: input.policyText };
  },
);

const getRegistryPolicy = onRegistry<GetRegistryPolicyRequest, GetRegistryPolicyResponse>(
  'GetRegistryPolicy',
  { type: 'structure', members: {} },
  async (_input, call) => ({
    registryId: call.caller.account,
    policyText: await requireRegistryPolicy(call),
  }),
);

const deleteRegistryPolicy = onRegistry<DeleteRegistryPolicyRequest, DeleteRegistryPolicyResponse>(
  'DeleteRegistryPolicy',
  { type: 'structure', members: {} },
  async (_input, call) => {
    const policyText = await requireRegistryPolicy(call);
    await call.registry.settings.set(call.caller, REGISTRY_POLICY, undefined);
    return { registryId: call.caller.account, policyText };
  },
);

export const policyOperations = {
  SetRepositoryPolicy: setRepositoryPolicy,
  GetRepositoryPolicy: getRepositoryPolicy,
  DeleteRepositoryPolicy: deleteRepositoryPolicy,
  PutRegistryPolicy: putRegistryPolicy,
  GetRegistryPolicy: getRegistryPolicy,
  DeleteRegistryPolicy: deleteRegistryPolicy,
};

/**
 * AWS has one sentence for every document that it does not take, and clients look for it: Terraform asks again for two
 * minutes when it reads it. Where AWS would have taken the policy and only we cannot enforce it, the reason is told instead.
 */
export function checkPolicy(policyText: string, kind: 'repository' | 'registry'): void {
  try {
    const { statements } = parsePolicy(policyText, 'resource');
    if (kind === 'registry' && statements.some(({ effect }) => effect === 'Deny'))
      throw new Fault('policy-invalid', { reason: REGISTRY_DENY });
  } catch (error) {
    if (!isFault(error, 'policy-invalid')) throw error;
    if (error.facts.reason.includes('not supported')) throw error;
    throw new Fault(
      'parameter-invalid',
      { member: 'PolicyText', constraint: `Invalid ${kind} policy provided` },
      { cause: error },
    );
  }
}

function describe(repository: Repository): { registryId: string; repositoryName: string } {
  return { registryId: repository.account, repositoryName: repository.name };
}

function requirePolicy(repository: Repository): string {
  if (repository.policyText === undefined)
    throw new Fault('repository-policy-unknown', { repository: repository.name, registryId: repository.account });
  return repository.policyText;
}

async function requireRegistryPolicy(call: EcrCall): Promise<string> {
  const policyText = await call.registry.settings.get(call.caller, REGISTRY_POLICY);
  if (policyText === undefined) throw new Fault('registry-policy-unknown', { registryId: call.caller.account });
  return policyText;
}
