import { readFile } from 'node:fs/promises';
import { DOCKER_HUB } from '../../core/reference.ts';
import { isJsonObject, JsonError, parseJson, type JsonObject } from '../../core/json.ts';
import { CredentialError, type CredentialSource, type Credentials } from './keychain.ts';
import { askHelper, type HelperSettings } from './helper.ts';

const SIZE_LIMIT = 1024 * 1024;

/**
 * Logins as `docker login` and `podman login` keep them: `credHelpers` for a host, then `credsStore`, then `auths`
 * (https://docs.docker.com/reference/cli/docker/login/). `paths` are read in order; a file that is not there is passed over.
 */
export function createDockerConfigSource(
  paths: string[],
  helper: HelperSettings,
): CredentialSource & { hosts(): Promise<Set<string>> } {
  let read: Promise<JsonObject[]> | undefined;
  const configs = (): Promise<JsonObject[]> =>
    (read ??= Promise.all(paths.map(readConfig)).then((all) => all.filter((config) => config !== undefined)));
  return {
    async find(host) {
      for (const config of await configs()) {
        const credentials = await findIn(config, host, helper);
        if (credentials !== undefined) return credentials;
      }
      return undefined;
    },
    /** Hosts that somebody has logged in to, as references name them. */
    async hosts() {
      const names = (await configs()).flatMap((config) => [
        ...Object.keys(objectOf(config['auths'])),
        ...Object.keys(objectOf(config['credHelpers'])),
      ]);
      return new Set(names.map((name) => name.replace(/^https?:\/\//, '').replace(/\/.*$/, '')));
    },
  };
}

async function findIn(config: JsonObject, host: string, helper: HelperSettings): Promise<Credentials | undefined> {
  const keys =
    host === DOCKER_HUB
      ? ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io']
      : [host, `https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`, `http://${host}`];
  const auths = objectOf(config['auths']);
  const helpers = objectOf(config['credHelpers']);
  const helperKey = keys.find((key) => typeof helpers[key] === 'string');
  if (helperKey !== undefined) return askHelper(helpers[helperKey] as string, helperKey, helper);
  if (typeof config['credsStore'] === 'string' && config['credsStore'] !== '') {
    const stored = await askHelper(config['credsStore'], keys[0]!, helper);
    if (stored !== undefined) return stored;
  }
  for (const key of keys) {
    const credentials = readEntry(auths[key], key);
    if (credentials !== undefined) return credentials;
  }
  return undefined;
}

function readEntry(entry: unknown, key: string): Credentials | undefined {
  if (!isJsonObject(entry)) return undefined;
  const text = (name: string): string => (typeof entry[name] === 'string' ? entry[name] : '');
  if (text('identitytoken') !== '') return { kind: 'identity', token: text('identitytoken') };
  if (text('registrytoken') !== '') return { kind: 'bearer', token: text('registrytoken') };
  if (text('auth') !== '') {
    const decoded = Buffer.from(text('auth'), 'base64').toString('utf8').replace(/\0+$/, '');
    const colon = decoded.indexOf(':');
    if (colon < 0) throw new CredentialError(`The docker login for ${key} cannot be read: log in again`);
    return { kind: 'password', username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
  }
  if (text('username') !== '') return { kind: 'password', username: text('username'), password: text('password') };
  return undefined;
}

async function readConfig(path: string): Promise<JsonObject | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CredentialError(`${path} cannot be read (${code ?? 'unknown'}): going on without its logins`);
  }
  try {
    const config = bytes.length > SIZE_LIMIT ? undefined : parseJson(bytes);
    if (isJsonObject(config)) return config;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
  }
  throw new CredentialError(`${path} is not the JSON that docker writes: going on without its logins`);
}

function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
