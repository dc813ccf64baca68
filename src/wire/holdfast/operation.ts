import type { Access } from '../../access/access.ts';
import type { Principal } from '../../access/principal.ts';
import { Fault } from '../../core/fault.ts';
import type { JsonObject } from '../../core/json.ts';
import { repositoryArn, type Caller } from '../../core/place.ts';
import type { RepositoryName } from '../../core/repository-name.ts';
import type { Lifecycle } from '../../lifecycle/lifecycle.ts';
import type { Orchestrator } from '../../orchestrator/orchestrator.ts';
import type { Collector, Registry, Repository } from '../../registry/registry.ts';
import type { Fields, InputOf } from './field.ts';
import type { ResourceName } from './resources.ts';

export type ApiAccess = Pick<
  Access,
  'authenticateBasic' | 'authenticateSignature' | 'authorize' | 'isAllowed' | 'readResourcePolicy' | 'keys' | 'secrets'
>;

/** One request whose sender is known. */
export interface ApiCall {
  readonly caller: Caller;
  readonly principal: Principal;
  readonly registry: Registry;
  readonly lifecycle: Lifecycle;
  readonly access: ApiAccess;
  readonly orchestrator: Pick<Orchestrator, 'readLogs' | 'rollBack' | 'collectUnpacked'>;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** One at a time: who asks while one is under way gets its result. */
  scrub(): ReturnType<Collector['scrub']>;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** One line of the table of operations, which the documentation is written from. */
export interface ApiOperation {
  /** `CreateHold`; the IAM action is `holdfast:CreateHold`. */
  name: string;
  method: Method;
  /** Below `/holdfast/v1`; `{id}` stands for one segment, the member of that name. */
  path: string;
  summary: string;
  /** What the caller's right must be on. */
  on: 'registry' | 'repository' | 'repository if given' | 'service';
  fields: Fields;
  answer: Answer;
  /**
   * Checks the input, then the right, then does it. Raises faults; what it gives goes out as JSON, a `JsonText` as it is,
   * `undefined` as 204, and what comes bit by bit (`lines`) as one JSON object a line.
   */
  perform(input: JsonObject, call: ApiCall): Promise<object | undefined>;
}

/** `list`: a page of these, below the given name; `lines`: as many as come; absent: 204 without a body. */
export type Answer = { kind: ResourceName } | { list: string; of: ResourceName } | { lines: ResourceName } | undefined;

interface Description<F extends Fields> {
  name: string;
  method: Method;
  path: string;
  summary: string;
  fields: F;
  answer?: Answer;
}

/** An operation on the whole registry: the right must be on `*`. */
export function onRegistry<const F extends Fields>(
  description: Description<F>,
  run: (input: InputOf<F>, call: ApiCall) => Promise<object | undefined>,
): ApiOperation {
  return describe(description, 'registry', async (input, call) => {
    await authorize(call, description.name, undefined);
    return run(input, call);
  });
}

/** An operation on a repository that is there. Whether it exists is told only to those who may. */
export function onRepository<const F extends Fields & { repository: { parse(value: never, name: never): RepositoryName } }>(
  description: Description<F>,
  run: (input: InputOf<F>, call: ApiCall, repository: Repository) => Promise<object | undefined>,
): ApiOperation {
  return describe(description, 'repository', async (input, call) => {
    const { repository: name } = input as unknown as { repository: RepositoryName };
    const repository = await authorize(call, description.name, name);
    if (repository === undefined) throw new Fault('repository-unknown', { repository: name, registryId: call.caller.account });
    return run(input, call, repository);
  });
}

/** An operation on what is known of a repository, which may be gone; on the registry where no name is given. */
export function onName<const F extends Fields>(
  description: Description<F>,
  run: (input: InputOf<F>, call: ApiCall, repository: Repository | undefined) => Promise<object | undefined>,
): ApiOperation {
  const on = description.fields['repository']?.optional === false ? 'repository' : 'repository if given';
  return describe(description, on, async (input, call) => {
    const { repository: name } = input as unknown as { repository?: RepositoryName };
    return run(input, call, await authorize(call, description.name, name));
  });
}

/** An operation on a service of a cluster: the right must be on its ARN, whether it is there or not. */
export function onService<const F extends Fields>(
  description: Description<F>,
  serviceOf: (input: InputOf<F>) => { cluster: string; service: string },
  run: (input: InputOf<F>, call: ApiCall) => Promise<object | undefined>,
): ApiOperation {
  return describe(description, 'service', async (input, call) => {
    const { caller, principal } = call;
    const { cluster, service } = serviceOf(input);
    call.access.authorize({
      principal,
      action: `holdfast:${description.name}`,
      resourceArn: `arn:aws:ecs:${caller.region}:${caller.account}:service/${lastPart(cluster)}/${lastPart(service)}`,
    });
    return run(input, call);
  });
}

/** The name in an ARN, or the name itself. */
function lastPart(nameOrArn: string): string {
  return nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1);
}

function describe<F extends Fields>(
  description: Description<F>,
  on: ApiOperation['on'],
  perform: (input: InputOf<F>, call: ApiCall) => Promise<object | undefined>,
): ApiOperation {
  return {
    ...description,
    answer: description.answer,
    on,
    perform: async (json, call) => perform(readFields(description.fields, json), call),
  };
}

/** Members that nobody knows are refused: a misspelt filter must not become no filter. */
function readFields<F extends Fields>(fields: F, json: JsonObject): InputOf<F> {
  for (const name of Object.keys(json)) {
    if (!Object.hasOwn(fields, name))
      throw new Fault('parameter-invalid', {
        member: name.slice(0, 100),
        constraint: `Is not a member of this operation; it has: ${Object.keys(fields).join(', ') || 'none'}`,
      });
  }
  const input: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = json[name];
    if (value !== undefined && value !== null) input[name] = field.parse(value, name);
    else if (!field.optional) throw new Fault('parameter-invalid', { member: name, constraint: 'Must be given' });
  }
  return input as InputOf<F>;
}

/** Raises `access-denied`. Gives the repository of that name when there is one. */
async function authorize(
  { access, principal, registry, caller }: ApiCall,
  operation: string,
  name: RepositoryName | undefined,
): Promise<Repository | undefined> {
  const repository = name === undefined ? undefined : await registry.repositories.find(caller, name);
  access.authorize({
    principal,
    action: `holdfast:${operation}`,
    resourceArn: name === undefined ? '*' : repositoryArn(caller, name),
    ...(repository?.policyText === undefined ? {} : { resourcePolicies: [access.readResourcePolicy(repository.policyText)] }),
  });
  return repository;
}
