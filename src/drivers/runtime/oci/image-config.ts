import { ContainerError } from '../../../core/container-error.ts';
import { isDigest, type Digest } from '../../../core/digest.ts';
import { isJsonObject, JsonError, parseJson, type Json, type JsonObject } from '../../../core/json.ts';

/** What an image says of how it wants to be run (OCI image-spec, config.md). */
export interface ImageConfig {
  architecture: string;
  os: string;
  user: string;
  environment: string[];
  entryPoint: string[];
  command: string[];
  workingDirectory: string;
  /** A number of a signal. */
  stopSignal: number;
  /** Paths that want a place of their own to be written to. */
  volumes: string[];
  diffIds: Digest[];
}

export const CONFIG_BYTES = 4 * 1024 * 1024;

const LIMITS = { user: 256, variables: 10_000, words: 10_000, textBytes: 1024 * 1024, path: 4096, volumes: 100, layers: 127 };
const SIGTERM = 15;
const SIGNALS = (
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU ' +
  'XFSZ VTALRM PROF WINCH IO PWR SYS'
).split(' ');

/**
 * Reads an image's config, of which every part is somebody else's word. Raises `CannotPullContainerError` for one that no
 * container can be made from. More than 127 layers are more than overlayfs and other engines take.
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  let document: Json;
  try {
    document = parseJson(bytes);
  } catch (error) {
    if (error instanceof JsonError) invalid(error.message);
    throw error;
  }
  if (!isJsonObject(document)) invalid('it is no JSON object');
  const config = objectIn(document, 'config');
  const rootfs = objectIn(document, 'rootfs');
  const diffIds = texts(rootfs, 'diff_ids', LIMITS.layers);
  for (const id of diffIds) if (!isDigest(id)) invalid('"rootfs.diff_ids" has a member that is no digest');
  const volumes = Object.keys(objectIn(config, 'Volumes'));
  if (volumes.length > LIMITS.volumes) invalid(`it has more than ${LIMITS.volumes} volumes`);
  for (const path of volumes) if (path.length > LIMITS.path || path.includes('\0')) invalid('a volume has a bad path');
  return {
    architecture: text(document, 'architecture', 64),
    os: text(document, 'os', 64),
    user: text(config, 'User', LIMITS.user),
    environment: texts(config, 'Env', LIMITS.variables),
    entryPoint: texts(config, 'Entrypoint', LIMITS.words),
    command: texts(config, 'Cmd', LIMITS.words),
    workingDirectory: text(config, 'WorkingDir', LIMITS.path),
    stopSignal: parseSignal(text(config, 'StopSignal', 32)),
    volumes,
    diffIds: diffIds as Digest[],
  };
}

/** `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`; nothing means SIGTERM. */
function parseSignal(written: string): number {
  if (written === '') return SIGTERM;
  const name = written.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RTMIN\+(\d{1,2})$/.exec(name);
  const number = /^\d{1,3}$/.test(name) ? Number(name) : realTime ? 34 + Number(realTime[1]) : SIGNALS.indexOf(name) + 1;
  if (number < 1 || number > 64) invalid(`its StopSignal ${JSON.stringify(written)} is no signal`);
  return number;
}

function objectIn(object: JsonObject, member: string): JsonObject {
  const value = object[member];
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) invalid(`"${member}" is no object`);
  return value;
}

function text(object: JsonObject, member: string, limit: number): string {
  const value = object[member];
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') invalid(`"${member}" is no text`);
  if (value.length > limit) invalid(`"${member}" is longer than ${limit} characters`);
  if (value.includes('\0')) invalid(`"${member}" has a NUL in it`);
  return value;
}

function texts(object: JsonObject, member: string, limit: number): string[] {
  const value = object[member];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) invalid(`"${member}" is no list`);
  if (value.length > limit) invalid(`"${member}" has more than ${limit} members`);
  let bytes = 0;
  return value.map((one) => {
    if (typeof one !== 'string') invalid(`"${member}" has a member that is no text`);
    if (one.includes('\0')) invalid(`"${member}" has a NUL in it`);
    bytes += one.length;
    if (bytes > LIMITS.textBytes) invalid(`"${member}" is longer than ${LIMITS.textBytes} characters`);
    return one;
  });
}

function invalid(reason: string): never {
  throw new ContainerError('CannotPullContainerError', `the image's config cannot be used: ${reason}`);
}
