import { createAwsCaller, type AwsCaller } from '../client/aws-call.ts';
import { findAwsKeys, type AwsKeys } from '../client/credentials/aws-keys.ts';
import { parseEcrHost } from '../client/credentials/ecr-host.ts';
import type { Credentials } from '../client/credentials/keychain.ts';
import { FetchError } from '../client/outcome.ts';
import { createRegistryCaller, type ClientSettings, type RegistryCaller } from '../client/registry-caller.ts';
import { isJsonObject } from '../core/json.ts';
import { parseReference, type Reference } from '../core/reference.ts';
import { CommandFailure, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import { parseImageName } from './operands.ts';
import { clientParts, clockOf } from './pin-client.ts';
import { findServer, type ServerAddress } from './server-connection.ts';
import { holdfastVersion } from './version.ts';

/** Where a push goes, and with whose login. */
export interface PushTarget {
  /** As it is pushed to. */
  reference: Reference;
  /** As people name it, without tag and digest. */
  shownRepository: string;
  caller: RegistryCaller;
  /** Makes the repository by the ECR API; absent where there is none. Fine if it is there already. */
  createRepository?: () => Promise<void>;
  close(): void;
}

/** What comes behind the last byte may take the registry a while: it writes, and compares digests. */
const ANSWER_TIMEOUT = 300_000;

/**
 * `team/app:v1` on the running server, or a whole reference with its host on any registry, with the logins of this machine.
 * Raises CommandFailure when no server runs, and faults for what is no reference.
 */
export async function openTarget(context: CommandContext, options: Record<string, unknown>, text: string): Promise<PushTarget> {
  const first = text.split('/')[0] ?? '';
  const hasHost = text.includes('/') && (/[.:]/.test(first) || first === 'localhost');
  const server = hasHost ? await findServer(context).catch(ignoreNoServer) : await findServer(context);
  const isOwn = server !== undefined && (!hasHost || first === server.registryHost || first === server.url.host);
  return isOwn
    ? openOwn(context, server, hasHost ? text.slice(first.length + 1) : text)
    : openOther(context, options, parseReference(text));
}

/** Another registry needs no server of ours. */
function ignoreNoServer(error: unknown): undefined {
  if (error instanceof CommandFailure && error.kind === 'no-server') return undefined;
  throw error;
}

async function openOwn(context: CommandContext, server: ServerAddress, text: string): Promise<PushTarget> {
  const { url, registryHost, region, accessKeyId, secretAccessKey, sessionToken } = server;
  const { repository, tag, digest } = parseImageName(text, registryHost);
  const clock = clockOf(context);
  const keys: AwsKeys | undefined =
    accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  const call = createAwsCaller(clock, { endpointHosts: [url.host], userAgent: userAgent() });
  const { host, credentials } = await logIn(call, keys, server);
  const settings: ClientSettings = {
    insecureHosts: url.protocol === 'http:' ? [host] : [],
    privateHosts: [host],
    headerTimeout: ANSWER_TIMEOUT,
    userAgent: userAgent(),
  };
  const caller = createRegistryCaller(
    { keychain: { find: async (name) => (name === host ? credentials : undefined) }, clock, wait },
    settings,
  );
  return {
    reference: {
      host,
      path: repository,
      ...(tag === undefined ? {} : { tag }),
      ...(digest === undefined ? {} : { digest }),
    },
    shownRepository: `${host === url.host ? registryHost : host}/${repository}`,
    caller,
    createRepository: () => createRepository(call, keys, { endpoint: url, region, service: 'ecr' }, repository, registryHost),
    close() {
      caller.close();
      call.close();
    },
  };
}

/**
 * A login of the server's, and the host that leads to its region: the server's own address for the first, and for another
 * the name that the login is for. Raises CommandFailure.
 */
async function logIn(
  call: AwsCaller,
  keys: AwsKeys | undefined,
  { url, region, foundIn }: ServerAddress,
): Promise<{ host: string; credentials: Credentials }> {
  if (keys === undefined)
    throw new CommandFailure(`No access key was found for ${url.origin} (${foundIn}).`, {
      kind: 'unauthenticated',
      advice: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    });
  const target = 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken';
  const answer = await call(keys, { endpoint: url, region, service: 'ecr', target, input: {} }).catch((error: unknown) => {
    if (!(error instanceof FetchError)) throw error;
    const advice =
      error.failure.kind === 'denied'
        ? `The key is the one of ${foundIn}. Is it of this server? See: holdfast env`
        : 'Start a server with: holdfast serve';
    throw new CommandFailure(`${url.host} gave no login: ${printable(error.failure.reason)}.`, {
      kind: error.failure.kind,
      advice,
      cause: error,
    });
  });
  const data = answer['authorizationData'];
  const first = Array.isArray(data) && isJsonObject(data[0]) ? data[0] : {};
  const { authorizationToken, proxyEndpoint } = first;
  const login = typeof authorizationToken === 'string' ? Buffer.from(authorizationToken, 'base64').toString('utf8') : '';
  const colon = login.indexOf(':');
  const endpoint = typeof proxyEndpoint === 'string' ? URL.parse(proxyEndpoint) : null;
  if (colon < 0 || endpoint === null)
    throw new CommandFailure(`${url.host} answers without a login; it is no Holdfast server.`, { kind: 'no-server' });
  return {
    host: endpoint.host.includes(`.dkr.ecr.${region}.`) ? endpoint.host : url.host,
    credentials: { kind: 'password', username: login.slice(0, colon), password: login.slice(colon + 1) },
  };
}

async function openOther(context: CommandContext, options: Record<string, unknown>, reference: Reference): Promise<PushTarget> {
  const { dependencies, settings } = await clientParts(context, options);
  const caller = createRegistryCaller(dependencies, { ...settings, headerTimeout: ANSWER_TIMEOUT });
  const call = createAwsCaller(clockOf(context), { endpointHosts: [], userAgent: userAgent() });
  const ecr = parseEcrHost(reference.host);
  return {
    reference,
    shownRepository: `${reference.host}/${reference.path}`,
    caller,
    ...(ecr?.account === undefined
      ? {}
      : {
          createRepository: async () =>
            createRepository(
              call,
              await findAwsKeys(context.env),
              { endpoint: new URL(ecr.api.url), region: ecr.region, service: ecr.api.service },
              reference.path,
              reference.host,
            ),
        }),
    close() {
      caller.close();
      call.close();
    },
  };
}

async function createRepository(
  call: AwsCaller,
  keys: AwsKeys | undefined,
  where: { endpoint: URL; region: string; service: string },
  name: string,
  host: string,
): Promise<void> {
  if (keys === undefined)
    throw new CommandFailure(`No access key was found to create ${name} on ${host} with.`, { kind: 'unauthenticated' });
  try {
    await call(keys, {
      ...where,
      target: 'AmazonEC2ContainerRegistry_V20150921.CreateRepository',
      input: { repositoryName: name },
    });
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    // Somebody else was faster.
    if (error.failure.reason.startsWith('RepositoryAlreadyExistsException')) return;
    throw new CommandFailure(`The repository ${name} was not created on ${host}: ${printable(error.failure.reason)}`, {
      kind: error.failure.kind,
      cause: error,
    });
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function userAgent(): string {
  return `holdfast/${holdfastVersion()}`;
}
