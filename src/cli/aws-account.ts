import type { AwsCaller } from '../client/aws-call.ts';
import { findAwsKeys, type AwsKeys } from '../client/credentials/aws-keys.ts';
import { FetchError } from '../client/outcome.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { CommandFailure, UsageError, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import { awsCaller } from './pin-client.ts';

const TARGETS = {
  ecs: 'AmazonEC2ContainerServiceV20141113',
  ecr: 'AmazonEC2ContainerRegistry_V20150921',
} as const;
type Service = 'ecs' | 'ecr';

/** No list that AWS keeps is as long; one that goes round in circles is. */
const MAX_PAGES = 100_000;

/** A real AWS account, or what AWS_ENDPOINT_URL puts in its place, as the aws command would reach it. */
export interface AwsAccount {
  readonly region: string;
  readonly endpoints: Readonly<Record<Service, URL>>;
  /** Raises CommandFailure; its kind `not-found` is for what is not there. */
  call(service: Service, operation: string, input: JsonObject): Promise<JsonObject>;
  /** The objects, or the strings, below `member` of all pages. */
  list(service: Service, operation: string, input: JsonObject, member: string): Promise<JsonObject[]>;
  listTexts(service: Service, operation: string, input: JsonObject, member: string): Promise<string[]>;
  close(): void;
}

/** Raises CommandFailure when there are no keys or no region. */
export async function openAwsAccount(context: CommandContext): Promise<AwsAccount> {
  const { env } = context;
  const keys = await findAwsKeys(env);
  if (keys === undefined) {
    throw new CommandFailure('No AWS keys were found.', {
      kind: 'unauthenticated',
      advice: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them into ~/.aws/credentials (aws configure).',
    });
  }
  const region = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'];
  if (!region) throw new CommandFailure('No AWS region is set.', { advice: 'Set AWS_REGION, as in AWS_REGION=eu-west-1.' });
  return createAwsAccount(context, keys, region);
}

/** Raises UsageError when that is no region. */
export function createAwsAccount(context: CommandContext, keys: AwsKeys, region: string): AwsAccount {
  if (!/^[a-z]{2}(?:-[a-z]+)+-\d+$/.test(region)) throw new UsageError(`AWS_REGION is not a region: ${printable(region)}`);
  const endpoints = { ecr: endpointOf(context.env, 'ecr', region), ecs: endpointOf(context.env, 'ecs', region) };
  return createAccount(context, keys, region, endpoints);
}

export function createAccount(
  context: CommandContext,
  keys: AwsKeys,
  region: string,
  endpoints: Record<Service, URL>,
): AwsAccount {
  const callers = new Map<string, AwsCaller & { close(): void }>();
  const callerOf = (endpoint: URL): AwsCaller => {
    let known = callers.get(endpoint.host);
    if (known === undefined) callers.set(endpoint.host, (known = awsCaller(context, endpoint)));
    return known;
  };
  const call: AwsAccount['call'] = async (service, operation, input) => {
    const endpoint = endpoints[service];
    try {
      return await callerOf(endpoint)(keys, { endpoint, region, service, target: `${TARGETS[service]}.${operation}`, input });
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      const { kind, reason } = error.failure;
      throw new CommandFailure(`${operation} at ${endpoint.host}: ${printable(reason)}`, { kind, cause: error });
    }
  };
  const pages = async (service: Service, operation: string, input: JsonObject, member: string): Promise<unknown[]> => {
    const items: unknown[] = [];
    let next: unknown;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await call(service, operation, { ...input, ...(typeof next === 'string' ? { nextToken: next } : {}) });
      const list = page[member];
      if (Array.isArray(list)) items.push(...list);
      next = page['nextToken'];
      if (typeof next !== 'string') return items;
    }
    throw new CommandFailure(`${operation} at ${endpoints[service].host} has no end: ${MAX_PAGES} pages were read.`);
  };
  return {
    region,
    endpoints,
    call,
    list: async (...request) => (await pages(...request)).filter(isJsonObject),
    listTexts: async (...request) => (await pages(...request)).filter((item): item is string => typeof item === 'string'),
    close: () => {
      for (const caller of callers.values()) caller.close();
    },
  };
}

/** As the aws command finds it: the service's own variable, then the one for all, then AWS. Raises UsageError. */
function endpointOf(env: CommandContext['env'], service: Service, region: string): URL {
  const text = env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`] || env['AWS_ENDPOINT_URL'];
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const url = URL.parse(text || `https://${service === 'ecr' ? 'api.ecr' : service}.${region}.${suffix}`);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`AWS_ENDPOINT_URL is not an http or https address: ${printable((text ?? '').slice(0, 200))}`);
  return url;
}
