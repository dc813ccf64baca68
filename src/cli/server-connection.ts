import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isJsonObject, JsonError, parseJson, type JsonObject } from '../core/json.ts';
import { signRequest } from '../core/sigv4.ts';
import { CommandFailure, UsageError, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import { exchange } from './server-exchange.ts';

/** Where a server is and who asks it. */
export interface ServerAddress {
  /** `http://127.0.0.1:4600`. */
  url: URL;
  /** `127.0.0.1:4600`, before the slash of image names. */
  registryHost: string;
  region: string;
  accessKeyId?: string;
  secretAccessKey?: string;
  sessionToken?: string;
  /** Where this was found, for advice. */
  foundIn: string;
}

export type Query = Record<string, string | number | boolean | undefined>;

/** A running server, for the commands. Raises CommandFailure, with the server's own sentence where it has one. */
export interface ServerConnection extends ServerAddress {
  get(path: string, query?: Query): Promise<JsonObject>;
  post(path: string, input: object): Promise<JsonObject>;
  put(path: string, input: object): Promise<JsonObject>;
  delete(path: string, query?: Query): Promise<JsonObject>;
  /** Up to `limit` members of all pages of a list, and whether there are more. */
  list(path: string, member: string, query: Query, limit: number): Promise<{ items: JsonObject[]; more: boolean }>;
}

const ROOT = '/holdfast/v1';
const PAGE = 1000;

/**
 * The server that the commands talk to: the one of the data folder HOLDFAST_DATA, else the one of AWS_ENDPOINT_URL and its
 * companions, else the one of ./.holdfast. Raises CommandFailure when there is none.
 */
export async function findServer(context: CommandContext): Promise<ServerAddress> {
  const { env, cwd } = context;
  const folder = env['HOLDFAST_DATA'];
  const named = folder === undefined || folder === '' ? undefined : await readServerFile(resolve(cwd, folder));
  const found = named ?? readVariables(env) ?? (folder ? undefined : await readServerFile(resolve(cwd, '.holdfast')));
  if (found !== undefined) return found;
  const where = folder ? `in ${resolve(cwd, folder)} (HOLDFAST_DATA)` : `in ${resolve(cwd, '.holdfast')}`;
  throw new CommandFailure(`No running server was found ${where}.`, {
    kind: 'no-server',
    advice:
      'Start one with: holdfast serve. For one elsewhere, set HOLDFAST_DATA to its data folder, or AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
  });
}

export async function connect(context: CommandContext): Promise<ServerConnection> {
  const address = await findServer(context);
  const call = (method: string, path: string, query: Query = {}, input?: object): Promise<JsonObject> =>
    callServer(context, address, method, path, query, input);
  const get = (path: string, query?: Query): Promise<JsonObject> => call('GET', path, query);
  return {
    ...address,
    get,
    post: (path, input) => call('POST', path, {}, input),
    put: (path, input) => call('PUT', path, {}, input),
    delete: (path, query) => call('DELETE', path, query),
    async list(path, member, query, limit) {
      const items: JsonObject[] = [];
      let next: string | undefined;
      do {
        const page = await get(path, { ...query, limit: Math.min(PAGE, limit - items.length), next });
        const entries = page[member];
        if (!Array.isArray(entries)) throw notHoldfast(address);
        items.push(...entries.filter(isJsonObject));
        next = typeof page['next'] === 'string' ? page['next'] : undefined;
      } while (next !== undefined && items.length < limit);
      return { items, more: next !== undefined };
    },
  };
}

/** What a data folder says of its server; `undefined` when none runs on it. Raises CommandFailure for a file that is damaged. */
export async function readServerFile(folder: string): Promise<ServerAddress | undefined> {
  const path = resolve(folder, 'server.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
  const value = tryJson(text);
  const member = (name: string): string | undefined => (typeof value?.[name] === 'string' ? value[name] : undefined);
  const url = URL.parse(member('url') ?? '');
  const region = member('region');
  if (url === null || region === undefined)
    throw new CommandFailure(`${path} does not say where the server is.`, {
      advice: 'Start the server again; it writes the file.',
    });
  const [accessKeyId, secretAccessKey] = [member('accessKeyId'), member('secretAccessKey')];
  return {
    url,
    registryHost: member('registryHost') ?? url.host,
    region,
    foundIn: path,
    ...(accessKeyId !== undefined && secretAccessKey !== undefined ? { accessKeyId, secretAccessKey } : {}),
  };
}

/** Raises UsageError when AWS_ENDPOINT_URL is no address. */
function readVariables(env: CommandContext['env']): ServerAddress | undefined {
  const text = env['AWS_ENDPOINT_URL'];
  if (text === undefined || text === '') return undefined;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`AWS_ENDPOINT_URL is not an http or https address: ${printable(text.slice(0, 200))}`);
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = env;
  return {
    url,
    registryHost: env['HOLDFAST_REGISTRY'] || url.host,
    region: env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || 'us-east-1',
    foundIn: 'AWS_ENDPOINT_URL',
    ...(accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } : {}),
  };
}

async function callServer(
  context: CommandContext,
  address: ServerAddress,
  method: string,
  path: string,
  query: Query,
  input: object | undefined,
): Promise<JsonObject> {
  const { url, region, accessKeyId, secretAccessKey, sessionToken } = address;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new CommandFailure(`No access key was found for ${url.origin} (${address.foundIn}).`, {
      kind: 'unauthenticated',
      advice: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY together with AWS_ENDPOINT_URL.',
    });
  }
  const target = `${ROOT}${path}${writeQuery(query)}`;
  const body = Buffer.from(input === undefined ? '' : JSON.stringify(input));
  const headers = signRequest({
    method,
    target,
    headers: [
      ['host', url.host],
      ...(body.length > 0 ? [['content-type', 'application/json'] as const] : []),
      ...(sessionToken === undefined ? [] : [['x-amz-security-token', sessionToken] as const]),
    ],
    body,
    now: context.now(),
    region,
    service: 'holdfast',
    accessKeyId,
    secretAccessKey,
  });
  const answer = await exchange(url, { method, target, headers: Object.fromEntries(headers), body }).catch((error: unknown) => {
    throw noAnswer(address, error);
  });
  if (answer.status === 204) return {};
  const value = tryJson(answer.body);
  if (answer.status === 200 && value !== undefined) return value;
  const told = value?.['error'];
  if (isJsonObject(told) && typeof told['kind'] === 'string' && typeof told['message'] === 'string') {
    const advice = adviceFor(told['kind'], address, input, query);
    throw new CommandFailure(printable(told['message']), { kind: told['kind'], ...(advice === undefined ? {} : { advice }) });
  }
  throw notHoldfast(address);
}

function adviceFor(kind: string, { foundIn }: ServerAddress, input: object | undefined, query: Query): string | undefined {
  if (kind === 'repository-unknown') {
    const { repository } = { ...query, ...input } as { repository?: string };
    return repository === undefined ? undefined : `Create it with: aws ecr create-repository --repository-name ${repository}`;
  }
  if (['unauthenticated', 'signature-invalid', 'key-unknown'].includes(kind))
    return `The key is the one of ${foundIn}. Is it of this server? See: holdfast env`;
  return undefined;
}

function writeQuery(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

function tryJson(text: string | Uint8Array): JsonObject | undefined {
  try {
    const value = parseJson(text);
    return isJsonObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

function noAnswer({ url, foundIn }: ServerAddress, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return error instanceof Error ? error : new Error(String(error));
  const isStale = foundIn.endsWith('server.json');
  return new CommandFailure(`No server answers at ${url.origin} (${foundIn}): ${code}.`, {
    kind: 'no-server',
    advice: isStale ? 'It was there and has ended. Start it again with: holdfast serve' : 'Start one with: holdfast serve',
    cause: error,
  });
}

function notHoldfast({ url, foundIn }: ServerAddress): CommandFailure {
  return new CommandFailure(`What answers at ${url.origin} (${foundIn}) is no Holdfast server.`, {
    kind: 'no-server',
    advice: 'Set AWS_ENDPOINT_URL, or HOLDFAST_DATA, to the one that you mean.',
  });
}
