import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the server is told from outside: environment variables, and flags of `holdfast serve` with the same meaning. */
export interface ServerConfig {
  host: string;
  /** 0 picks a free one. */
  port: number;
  /** Absolute path. */
  dataFolder: string;
  runtime: RuntimeChoice;
  accountId: string;
  /** At least one; the first is the default. */
  regions: string[];
  /** host:port written into `repositoryUri`; absent: as the client reached us. */
  publicHost?: string;
  /** The first key, when it is set from outside. */
  firstKey?: { accessKeyId: string; secretAccessKey: string };
  /** `postgres://…`, password and all: never to be logged. Absent: SQLite in the data folder. */
  databaseUrl?: string;
  /** Absolute path of the folder of blobs. */
  blobsFolder: string;
  logLevel: LogLevel;
  tagImmutableMessage: 'as-mutability' | 'tag';
  /** How long a deleted image can be restored. */
  graceMs: number;
  /** How long a blob that no manifest refers to is kept for a push under way. */
  leaseMs: number;
  /** Between two passes of the collector; 0: only on demand. */
  collectEveryMs: number;
  /** A task without health checks counts as healthy once it has run for so long. */
  settleMs: number;
  /** How a service's tags become digests. */
  resolve: 'first-task' | 'registry';
  taskImage: 'as-started' | 'declared';
  /** How long an unpacked image stays that nothing needs, and the bytes that all of those may have. */
  unpackedKeepMs: number;
  unpackedMostBytes: number;
}

const RUNTIMES = ['auto', 'oci', 'docker', 'kubernetes', 'simulated', 'none'] as const;
export type RuntimeChoice = (typeof RUNTIMES)[number];
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'off'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A setting that cannot be used: which one, what it says, what it may say. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export interface Setting {
  /** The environment variable. */
  variable: string;
  /** The flag of `holdfast serve`, without dashes. */
  flag: string;
  value: string;
  help: string;
  fallback?: string;
}

/** Every setting of the server: the list that the help, the documentation and `readConfig` share. */
export const SETTINGS = [
  { variable: 'HOLDFAST_HOST', flag: 'host', value: 'ADDRESS', fallback: '127.0.0.1', help: 'address to listen on' },
  { variable: 'HOLDFAST_PORT', flag: 'port', value: 'PORT', fallback: '4600', help: 'port to listen on; 0 picks a free one' },
  {
    variable: 'HOLDFAST_DATA',
    flag: 'data',
    value: 'FOLDER',
    fallback: './.holdfast',
    help: 'folder for everything that is kept',
  },
  {
    variable: 'HOLDFAST_RUNTIME',
    flag: 'runtime',
    value: 'NAME',
    fallback: 'auto',
    help: `what runs containers: ${RUNTIMES.join(', ')}`,
  },
  { variable: 'HOLDFAST_ACCOUNT_ID', flag: 'account-id', value: 'ID', fallback: '123456789012', help: 'the account, 12 digits' },
  {
    variable: 'HOLDFAST_REGION',
    flag: 'region',
    value: 'NAMES',
    fallback: 'us-east-1',
    help: 'regions to serve, separated by commas; the first is the default',
  },
  {
    variable: 'HOLDFAST_PUBLIC_HOST',
    flag: 'public-host',
    value: 'HOST:PORT',
    help: 'host and port written into repositoryUri (default: as the client reached the server)',
  },
  { variable: 'HOLDFAST_ACCESS_KEY_ID', flag: 'access-key-id', value: 'ID', help: 'sets the first key instead of creating one' },
  { variable: 'HOLDFAST_SECRET_ACCESS_KEY', flag: 'secret-access-key', value: 'SECRET', help: 'the secret of the first key' },
  {
    variable: 'HOLDFAST_DATABASE_URL',
    flag: 'database-url',
    value: 'URL',
    help: 'metadata database, postgres://USER:PASSWORD@HOST/NAME (default: SQLite in the data folder)',
  },
  {
    variable: 'HOLDFAST_BLOBS',
    flag: 'blobs',
    value: 'URL',
    help: 'where blobs are kept: file:FOLDER (default: in the data folder)',
  },
  {
    variable: 'HOLDFAST_LOG',
    flag: 'log',
    value: 'LEVEL',
    fallback: 'info',
    help: `how much is logged: ${LOG_LEVELS.join(', ')}`,
  },
  {
    variable: 'HOLDFAST_TAG_IMMUTABLE_MESSAGE',
    flag: 'tag-immutable-message',
    value: 'WHICH',
    fallback: 'as-mutability',
    help: '"tag" ends every refusal with "because the tag is immutable", as AWS does today; the default says "repository" for IMMUTABLE repositories, which tools look for',
  },
  { variable: 'HOLDFAST_GRACE', flag: 'grace', value: 'TIME', fallback: '24h', help: 'how long a deleted image can be restored' },
  {
    variable: 'HOLDFAST_LEASE',
    flag: 'lease',
    value: 'TIME',
    fallback: '15m',
    help: 'how long a blob without an image is kept for a push under way',
  },
  {
    variable: 'HOLDFAST_COLLECT_EVERY',
    flag: 'collect-every',
    value: 'TIME',
    fallback: '1m',
    help: 'time between two passes of the collector; 0: only on demand',
  },
  {
    variable: 'HOLDFAST_SETTLE',
    flag: 'settle',
    value: 'TIME',
    fallback: '500ms',
    help: 'a task without health checks counts as healthy once it has run for so long (AWS waits 40s)',
  },
  {
    variable: 'HOLDFAST_RESOLVE',
    flag: 'resolve',
    value: 'HOW',
    fallback: 'first-task',
    help: "how a deployment's tags become digests: first-task, as AWS does it, or registry, before any task starts; a service's tag holdfast:resolve goes before it",
  },
  {
    variable: 'HOLDFAST_TASK_IMAGE',
    flag: 'task-image',
    value: 'WHICH',
    fallback: 'as-started',
    help: "image of a task's containers: as-started shows the digest that was resolved, declared the text of the task definition",
  },
  {
    variable: 'HOLDFAST_UNPACKED_KEEP',
    flag: 'unpacked-keep',
    value: 'TIME',
    fallback: '7d',
    help: 'how long the unpacked layers of an image stay that no task has and no service runs or could go back to',
  },
  {
    variable: 'HOLDFAST_UNPACKED_MOST',
    flag: 'unpacked-most',
    value: 'BYTES',
    fallback: '10GiB',
    help: 'how much such layers may have together; beyond it those go that were used longest ago',
  },
] as const satisfies Setting[];

type Flag = (typeof SETTINGS)[number]['flag'];
type Values = Partial<Record<Flag, string>>;

/** Flags win over the environment. Raises `ConfigError` for the first setting that cannot be used. */
export function readConfig(env: Record<string, string | undefined>, flags: Record<string, unknown>, cwd: string): ServerConfig {
  const values: Values = {};
  for (const setting of SETTINGS) {
    const given = flags[setting.flag] ?? env[setting.variable];
    const value = typeof given === 'string' && given !== '' ? given : 'fallback' in setting ? setting.fallback : undefined;
    if (value !== undefined) values[setting.flag] = value;
  }
  const dataFolder = resolve(cwd, values.data ?? '');
  const firstKey = readFirstKey(values);
  return {
    host: values.host ?? '',
    port: integer(values, 'port', 0, 65_535),
    dataFolder,
    runtime: oneOf(values, 'runtime', RUNTIMES),
    accountId: matching(values, 'account-id', /^[0-9]{12}$/, '12 digits'),
    regions: readRegions(values),
    ...(values['public-host']
      ? { publicHost: matching(values, 'public-host', /^[^\s/@]{1,255}$/, 'a host, or host:port, without a scheme or path') }
      : {}),
    ...(firstKey ? { firstKey } : {}),
    ...(values['database-url'] === undefined ? {} : { databaseUrl: readDatabaseUrl(values['database-url']) }),
    blobsFolder: readBlobs(values.blobs, cwd) ?? resolve(dataFolder, 'blobs'),
    logLevel: oneOf(values, 'log', LOG_LEVELS),
    tagImmutableMessage: oneOf(values, 'tag-immutable-message', ['as-mutability', 'tag'] as const),
    graceMs: duration(values, 'grace'),
    leaseMs: duration(values, 'lease'),
    collectEveryMs: duration(values, 'collect-every'),
    settleMs: duration(values, 'settle'),
    resolve: oneOf(values, 'resolve', ['first-task', 'registry'] as const),
    taskImage: oneOf(values, 'task-image', ['as-started', 'declared'] as const),
    unpackedKeepMs: duration(values, 'unpacked-keep'),
    unpackedMostBytes: bytes(values, 'unpacked-most'),
  };
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `40s`, `15m`, `24h`, `7d`, or plain `0`; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0);
}

function readRegions(values: Values): string[] {
  const regions = (values.region ?? '').split(',').map((name) => name.trim());
  for (const region of regions) {
    if (!/^[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}$/.test(region))
      refuse('region', `"${region}" is not a region's name; write names like us-east-1, separated by commas`);
  }
  return [...new Set(regions)];
}

function readFirstKey(values: Values): ServerConfig['firstKey'] {
  const accessKeyId = values['access-key-id'];
  const secretAccessKey = values['secret-access-key'];
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    refuse(
      accessKeyId === undefined ? 'access-key-id' : 'secret-access-key',
      'is missing: the first key needs both its id and its secret',
    );
  }
  if (!/^[A-Za-z0-9_]{3,128}$/.test(accessKeyId)) refuse('access-key-id', 'must be 3 to 128 letters and digits');
  if (!/^[\x21-\x7e]{3,128}$/.test(secretAccessKey)) refuse('secret-access-key', 'must be 3 to 128 printable characters');
  return { accessKeyId, secretAccessKey };
}

/** Its text is not in the message: it has a password in it. */
function readDatabaseUrl(value: string): string {
  const protocol = URL.parse(value)?.protocol;
  if (protocol === 'postgres:' || protocol === 'postgresql:') return value;
  return refuse(
    'database-url',
    'is no PostgreSQL address: write postgres://USER:PASSWORD@HOST:PORT/NAME, or leave it unset for SQLite in the data folder',
  );
}

function readBlobs(value: string | undefined, cwd: string): string | undefined {
  if (value === undefined) return undefined;
  if (!value.startsWith('file:')) refuse('blobs', `"${value}" is not supported; only file:FOLDER is`);
  if (value.startsWith('file://')) return fileURLToPath(value);
  const path = value.slice('file:'.length);
  return isAbsolute(path) ? path : resolve(cwd, path);
}

function oneOf<T extends string>(values: Values, flag: Flag, allowed: readonly T[]): T {
  const value = values[flag] ?? '';
  const found = allowed.find((name) => name === value);
  return found ?? refuse(flag, `"${value}" is not one of ${allowed.join(', ')}`);
}

function matching(values: Values, flag: Flag, pattern: RegExp, what: string): string {
  const value = values[flag] ?? '';
  return pattern.test(value) ? value : refuse(flag, `"${value}" is not ${what}`);
}

function integer(values: Values, flag: Flag, lowest: number, highest: number): number {
  const value = Number(values[flag]);
  return Number.isInteger(value) && value >= lowest && value <= highest
    ? value
    : refuse(flag, `"${values[flag]}" is not a whole number from ${lowest} to ${highest}`);
}

function duration(values: Values, flag: Flag): number {
  const value = values[flag] ?? '';
  return parseDuration(value) ?? refuse(flag, `"${value}" is not a time; write 500ms, 40s, 15m, 24h or 7d`);
}

function bytes(values: Values, flag: Flag): number {
  const value = values[flag] ?? '';
  const [, number, unit = ''] = /^([0-9]{1,6})(MiB|GiB|TiB)?$/.exec(value) ?? [];
  if (number === undefined) refuse(flag, `"${value}" is not an amount; write 500MiB, 10GiB or 1TiB`);
  return Number(number) * 1024 ** ['', 'KiB', 'MiB', 'GiB', 'TiB'].indexOf(unit);
}

function refuse(flag: Flag, reason: string): never {
  const setting = SETTINGS.find((one) => one.flag === flag);
  throw new ConfigError(`${setting?.variable} (--${flag}): ${reason}`);
}
