import { execFile } from 'node:child_process';
import http from 'node:http';
import { isDigest } from '../core/digest.ts';
import { isJsonObject, JsonError, parseJson, type Json, type JsonObject } from '../core/json.ts';
import { parseReference } from '../core/reference.ts';
import { isFault } from '../core/fault.ts';
import { CommandFailure, UsageError, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import type { Use } from './in-use-ecs.ts';

const LONGEST_ANSWER = 256 * 1024 * 1024;
const TIMEOUT = 60_000;

/** What the pods of kubectl's current context run. Raises CommandFailure. */
export async function readKubernetesUses(context: CommandContext): Promise<Use[]> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(
    'kubectl',
    ['get', 'pods', '--all-namespaces', '--output=json'],
    { env: context.env as NodeJS.ProcessEnv, maxBuffer: LONGEST_ANSWER, timeout: TIMEOUT },
    (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(kubectlFailure(error, stderr));
    },
  );
  const document = readObject(await promise, 'kubectl');
  return objects(document['items']).flatMap((pod) => {
    const metadata = object(pod['metadata']);
    const status = object(pod['status']);
    if (status['phase'] === 'Succeeded' || status['phase'] === 'Failed') return [];
    const environment = text(metadata['namespace']);
    const name = `${environment}/${text(metadata['name'])}`;
    const members = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'];
    const statuses = members.flatMap((member) => objects(status[member]));
    const running = new Map(statuses.map((entry) => [text(entry['name']), digestIn(text(entry['imageID']))]));
    const spec = object(pod['spec']);
    return [...objects(spec['containers']), ...objects(spec['initContainers'])].map((container): Use => {
      const digest = running.get(text(container['name']));
      return { kind: 'pod', name, environment, image: text(container['image']), ...(digest === undefined ? {} : { digest }) };
    });
  });
}

function kubectlFailure(error: Error & { code?: string | number | null }, stderr: string): CommandFailure {
  if (error.code === 'ENOENT') {
    return new CommandFailure('kubectl was not found.', {
      advice: 'Pods are asked for with it, as whoever it works for: install it, or set PATH.',
      cause: error,
    });
  }
  return new CommandFailure(`kubectl gave no pods: ${printable(lastLine(stderr) || String(error.code ?? error.message))}`, {
    advice: 'It is asked for the pods of its current context: kubectl config current-context',
    cause: error,
  });
}

/** What kubectl logs comes first, and what it says last. */
function lastLine(text_: string): string {
  const lines = text_.split('\n').filter((line) => line.trim() !== '');
  return (lines.at(-1) ?? '').slice(0, 300);
}

/** What the containers of a Docker host run, stopped ones left out. Raises CommandFailure. */
export async function readDockerUses(context: CommandContext): Promise<Use[]> {
  const socket = (context.env['DOCKER_HOST'] || 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '');
  if (!socket.startsWith('/')) throw new UsageError('--docker asks over a socket of this machine: DOCKER_HOST=unix:///path');
  const ask = (path: string): Promise<Json> => askSocket(socket, path);
  const digests = new Map<string, string[]>();
  const uses: Use[] = [];
  for (const container of objects(await ask('/containers/json'))) {
    const id = text(container['ImageID']);
    let known = digests.get(id);
    if (known === undefined) {
      const image = object(await ask(`/images/${encodeURIComponent(id)}/json`));
      digests.set(id, (known = Array.isArray(image['RepoDigests']) ? image['RepoDigests'].map((entry) => text(entry)) : []));
    }
    // The list names an image by its id once its tag has moved on; what was asked for is in the container's own record.
    const { Config: config } = object(await ask(`/containers/${encodeURIComponent(text(container['Id']))}/json`));
    const written = text(object(config)['Image']);
    const digest = known.filter((entry) => samePath(entry, written)).map(digestIn)[0];
    const names = Array.isArray(container['Names']) ? container['Names'].map((entry) => text(entry)) : [];
    const name = names[0]?.replace(/^\//, '') ?? text(container['Id']).slice(0, 12);
    uses.push({ kind: 'container', name, image: written, ...(digest === undefined ? {} : { digest }) });
  }
  return uses;
}

function askSocket(socketPath: string, path: string): Promise<Json> {
  const { promise, resolve, reject } = Promise.withResolvers<Json>();
  const fail = (reason: string, cause?: unknown): void =>
    reject(new CommandFailure(`The Docker engine at ${printable(socketPath)} did not answer: ${printable(reason)}`, { cause }));
  const request = http.get({ socketPath, path, headers: { host: 'docker' }, timeout: TIMEOUT }, (answer) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > LONGEST_ANSWER) request.destroy(new Error('the answer is too long'));
      else chunks.push(chunk);
    });
    answer.on('error', (error) => fail(error.message, error));
    answer.on('end', () => {
      if (answer.statusCode !== 200) return fail(`status ${answer.statusCode} for ${path}`);
      try {
        resolve(parseJson(Buffer.concat(chunks)));
      } catch (error) {
        fail('it is not JSON', error);
      }
    });
  });
  request.on('timeout', () => request.destroy(new Error('it took too long')));
  request.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, error));
  return promise;
}

/** The digest of `docker-pullable://host/name@sha256:…`; a bare `sha256:…` is an image's configuration, not its manifest. */
function digestIn(imageId: string): Use['digest'] {
  const at = imageId.lastIndexOf('@');
  const digest = at < 0 ? '' : imageId.slice(at + 1);
  return isDigest(digest) ? digest : undefined;
}

function samePath(one: string, other: string): boolean {
  try {
    const [a, b] = [parseReference(one), parseReference(other)];
    return a.host === b.host && a.path === b.path;
  } catch (error) {
    // `sha256:…` and the like: a container of an image without a name.
    if (isFault(error, 'reference-invalid')) return false;
    throw error;
  }
}

function readObject(text_: string, what: string): JsonObject {
  try {
    return object(parseJson(text_));
  } catch (error) {
    if (error instanceof JsonError) throw new CommandFailure(`${what} did not answer in JSON.`, { cause: error });
    throw error;
  }
}

function object(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
