import { join } from 'node:path';
import { createAwsCaller, type AwsCaller } from '../client/aws-call.ts';
import { findAwsKeys } from '../client/credentials/aws-keys.ts';
import { createDockerConfigSource } from '../client/credentials/docker-config.ts';
import { createEcrSource } from '../client/credentials/ecr.ts';
import { createKeychain } from '../client/credentials/keychain.ts';
import type { ClientDependencies, ClientSettings } from '../client/registry-caller.ts';
import { createRegistryClient, type RegistryClient } from '../client/registry-client.ts';
import type { Clock } from '../core/clock.ts';
import { UsageError, writeLine, type CommandContext, type CommandOption } from './command.ts';
import { printable } from './format.ts';
import { holdfastVersion } from './version.ts';

/** The options of every command that asks registries. */
export const clientOptions: Record<string, CommandOption> = {
  'insecure-registry': {
    type: 'string',
    multiple: true,
    value: 'HOST',
    help: 'speak plain http to HOST[:PORT]; localhost needs no such entry',
  },
  'private-registry': {
    type: 'string',
    multiple: true,
    value: 'HOST',
    help: 'allow HOST[:PORT] to be on a private network although its name is a public one',
  },
  'token-host': {
    type: 'string',
    multiple: true,
    value: 'HOST=HOST',
    help: 'let a registry’s login go to this token server too',
  },
  concurrency: { type: 'string', value: 'COUNT', help: 'requests to one registry at once (default 32)' },
};

const HELPER_TIMEOUT = 30_000;

/** A clock from what a command is given; it has no other. */
export function clockOf(context: CommandContext): Clock {
  return { now: () => context.now(), monotonic: () => context.now() };
}

/** The registry client with the logins that this machine has: docker's, podman's, and AWS keys for ECR and for a Holdfast of one's own. */
export async function openClient(context: CommandContext, options: Record<string, unknown>): Promise<RegistryClient> {
  const { dependencies, settings } = await clientParts(context, options);
  return createRegistryClient(dependencies, settings);
}

/** What a client of registries is made of. */
export async function clientParts(
  context: CommandContext,
  options: Record<string, unknown>,
): Promise<{ dependencies: ClientDependencies; settings: ClientSettings }> {
  const { env } = context;
  const clock = clockOf(context);
  const docker = createDockerConfigSource(configPaths(env), { environment: env, timeout: HELPER_TIMEOUT });
  const own = ownRegistry(env);
  const insecure = [...strings(options['insecure-registry']), ...(own?.endpoint.protocol === 'http:' ? [own.host] : [])];
  const ecr = createEcrSource({ findKeys: () => findAwsKeys(env), call: awsCaller(context), clock, ...(own ? { own } : {}) });
  const warn = (message: string): void => writeLine(context.stderr, `warning: ${printable(message)}`);
  return {
    dependencies: {
      keychain: createKeychain([docker, ecr], clock, warn),
      clock,
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    },
    settings: {
      insecureHosts: insecure,
      // Whoever has logged in to a registry has said that it is theirs, wherever it stands.
      privateHosts: [
        ...strings(options['private-registry']),
        ...(await docker.hosts().catch(() => [])),
        ...(own ? [own.host] : []),
      ],
      realmHosts: tokenHosts(strings(options['token-host'])),
      concurrency: countOf(options['concurrency'], '--concurrency', 32, 256),
      userAgent: `holdfast/${holdfastVersion()}`,
    },
  };
}

export function awsCaller(context: CommandContext): AwsCaller & { close(): void } {
  const endpoint = awsEndpoint(context.env);
  return createAwsCaller(clockOf(context), {
    endpointHosts: endpoint ? [endpoint.host] : [],
    userAgent: `holdfast/${holdfastVersion()}`,
  });
}

/** `AWS_ENDPOINT_URL`, when it is set. Raises UsageError when it is no address. */
export function awsEndpoint(env: CommandContext['env']): URL | undefined {
  const text = env['AWS_ENDPOINT_URL'];
  if (text === undefined || text === '') return undefined;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`AWS_ENDPOINT_URL is not an http or https address: ${printable(text.slice(0, 200))}`);
  return url;
}

function ownRegistry(env: CommandContext['env']): { host: string; endpoint: URL; region: string } | undefined {
  const endpoint = awsEndpoint(env);
  const host = env['HOLDFAST_REGISTRY'];
  return endpoint && host ? { host, endpoint, region: env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || 'us-east-1' } : undefined;
}

function configPaths(env: CommandContext['env']): string[] {
  const folder = env['DOCKER_CONFIG'] || (env['HOME'] ? join(env['HOME'], '.docker') : undefined);
  return [
    ...(folder ? [join(folder, 'config.json')] : []),
    ...(env['REGISTRY_AUTH_FILE'] ? [env['REGISTRY_AUTH_FILE']] : []),
    ...(env['XDG_RUNTIME_DIR'] ? [join(env['XDG_RUNTIME_DIR'], 'containers', 'auth.json')] : []),
  ];
}

function tokenHosts(pairs: string[]): Map<string, string> {
  return new Map(
    pairs.map((pair): [string, string] => {
      const [registry = '', token = '', ...rest] = pair.split('=');
      if (registry === '' || token === '' || rest.length > 0)
        throw new UsageError(`--token-host wants REGISTRY=TOKENHOST, not "${printable(pair)}".`);
      return [registry, token];
    }),
  );
}

/** An option that may be given many times. */
export function strings(value: unknown): string[] {
  return Array.isArray(value) ? (value as string[]) : [];
}

/** Raises UsageError unless it is a whole number from 1 to `most`. */
export function countOf(value: unknown, option: string, fallback: number, most: number): number {
  if (value === undefined) return fallback;
  const count = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : 0;
  if (count < 1 || count > most) throw new UsageError(`${option} wants a number from 1 to ${most}.`);
  return count;
}
