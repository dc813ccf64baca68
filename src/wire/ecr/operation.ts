import type { Digest } from '../../core/digest.ts';
import { Fault } from '../../core/fault.ts';
import type { JsonObject } from '../../core/json.ts';
import { repositoryArn, type Caller } from '../../core/place.ts';
import { parseRepositoryName, type RepositoryName } from '../../core/repository-name.ts';
import type { Lifecycle } from '../../lifecycle/lifecycle.ts';
import type { Registry, Repository } from '../../registry/registry.ts';
import { commonGrammar, type ConstraintGrammar } from '../aws/grammar.ts';
import { readShape } from '../aws/read-shape.ts';
import type { Input, StructureShape, Wire } from '../aws/shape.ts';

/** One request: who asks, where, and what they may do; everything that an operation needs of the world. */
export interface EcrCall {
  readonly caller: Caller;
  readonly registry: Registry;
  readonly lifecycle: Lifecycle;
  /** `host:port` as it stands in a `repositoryUri`. */
  readonly registryHost: string;
  /** `http://host:port`. */
  readonly registryOrigin: string;
  /** Raises `access-denied`. `resource` is a repository that is there, the ARN of one that is not, or `*`. */
  authorize(action: string, resource: Repository | string): Promise<void>;
  /** A password for `docker login`, and when it ends in milliseconds since the epoch. */
  issueToken(): Promise<{ password: string; expiresAt: number }>;
  /** The path of a link that gives a blob to whoever has it, for an hour. */
  signDownload(repository: Repository, digest: Digest): Promise<string>;
  /** True when the caller could still set the policy of the repository once this were its policy. */
  keepsPolicyAccess(repository: Repository, policyText: string): Promise<boolean>;
}

/** One line of the table of operations. */
export type EcrOperation =
  | {
      kind: 'implemented';
      /** The IAM action that the caller needs. */
      action: string;
      call(input: JsonObject, call: EcrCall): Promise<object>;
    }
  | {
      kind: 'refused';
      action: string;
      /** What is missing and what to do instead: a sentence. */
      instead: string;
    };

/**
 * An operation on one repository, which `input` names. The caller is checked before it is said whether the repository
 * exists.
 */
export function onRepository<Request extends { repositoryName: string | undefined; registryId?: string | undefined }, Response>(
  operation: string,
  shape: StructureShape<Request>,
  run: (input: Input<Request>, repository: Repository, call: EcrCall) => Promise<Wire<Response>>,
  options: { action?: string } = {},
): EcrOperation {
  const action = `ecr:${options.action ?? operation}`;
  return {
    kind: 'implemented',
    action,
    async call(json, call) {
      const input = parseInput(shape, json);
      const { repositoryName, registryId } = input as unknown as { repositoryName: string; registryId?: string };
      const name = parseRepositoryName(repositoryName);
      requireRegistry(call, registryId, name);
      return (await run(input, await findRepository(call, name, action), call)) as object;
    },
  };
}

/** An operation on the registry, or one that finds its repositories itself. Checks `authorizeOn` (a resource) when one is given. */
export function onRegistry<Request, Response>(
  operation: string,
  shape: StructureShape<Request>,
  run: (input: Input<Request>, call: EcrCall, action: string) => Promise<Wire<Response>>,
  options: { authorizes?: 'itself' } = {},
): EcrOperation {
  const action = `ecr:${operation}`;
  return {
    kind: 'implemented',
    action,
    async call(json, call) {
      const input = parseInput(shape, json);
      if (options.authorizes !== 'itself') await call.authorize(action, '*');
      return (await run(input, call, action)) as object;
    },
  };
}

/** The repository, once the caller has been allowed `action` on it. Raises `access-denied`, `repository-unknown`. */
export async function findRepository(call: EcrCall, name: RepositoryName, action: string): Promise<Repository> {
  const repository = await call.registry.repositories.find(call.caller, name);
  await call.authorize(action, repository ?? repositoryArn(call.caller, name));
  if (repository === undefined) throw new Fault('repository-unknown', { repository: name, registryId: call.caller.account });
  return repository;
}

/** This server has one registry an account and region; in any other there is nothing. Raises `repository-unknown`. */
export function requireRegistry(call: EcrCall, registryId: string | undefined, repository: string): void {
  if (registryId !== undefined && registryId !== call.caller.account)
    throw new Fault('repository-unknown', { repository, registryId });
}

/** The constraint's words where ECR has its own. */
export const ecrGrammar: ConstraintGrammar = (constraint) =>
  constraint.kind === 'pattern' ? `must satisfy regular expression '${constraint.text}'` : commonGrammar(constraint);

/** Raises `body-invalid`, and `parameter-invalid` for the first member that breaks its shape. */
export function parseInput<T>(shape: StructureShape<T>, json: JsonObject): Input<T> {
  const result = readShape(shape, json);
  if (result.ok) return result.value;
  if ('mismatch' in result) throw new Fault('body-invalid', { reason: result.mismatch });
  const [first] = result.violations;
  throw new Fault('parameter-invalid', {
    member: first?.path ?? '',
    constraint: first === undefined ? '' : ecrGrammar(first.constraint),
  });
}

/** Milliseconds to what the protocol wants: seconds with a fraction. */
export function seconds(milliseconds: number): number {
  return milliseconds / 1000;
}
