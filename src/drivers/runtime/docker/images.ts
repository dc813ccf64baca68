import { ContainerError } from '../../../core/container-error.ts';
import { isDigest, type Digest } from '../../../core/digest.ts';
import type { PinnedImage } from '../../../orchestrator/container-engine.ts';
import type { ImageToRun } from '../../../orchestrator/ports.ts';
import { DockerError, type DockerApi } from './api.ts';

/** Words of the daemon, of proxies and of systems for what may be over in a moment. */
const PASSING =
  /refused|reset by peer|timeout|timed out|deadline|temporar|unexpected EOF|: EOF|TLS handshake|too ?many ?requests|(?:bad gateway|service unavailable|gateway time-?out)|no such host|network is unreachable/i;

/** `X-Registry-Auth` of an image, when it has credentials. */
function authHeader({ credentials, reference }: ImageToRun): Record<string, string> {
  if (credentials === undefined) return {};
  const login = JSON.stringify({ ...credentials, serveraddress: reference.split('/')[0] });
  return { 'X-Registry-Auth': Buffer.from(login).toString('base64url') };
}

/** The parts of a written reference; a name without a tag stands for `latest`, as with every client of Docker. */
export function splitReference(reference: string): { repository: string; tag: string | undefined } {
  const name = reference.replace(/@.*$/, '');
  const colon = name.lastIndexOf(':');
  const hasTag = colon > name.lastIndexOf('/');
  const repository = hasTag ? name.slice(0, colon) : name;
  return { repository, tag: hasTag ? name.slice(colon + 1) : reference.includes('@') ? undefined : 'latest' };
}

/** As a part of a path of the API: a name that could be another path is refused. */
function inPath(name: string): string {
  if (!/^[A-Za-z0-9][\w.\-/:@]*$/.test(name) || name.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw new ContainerError('CannotPullContainerError', `${name.slice(0, 200)} is no name of an image`);
  return name;
}

/** The digest that a registry has for a tag, by the engine's distribution endpoint: nothing is pulled. */
export async function resolveByEngine(api: DockerApi, image: ImageToRun): Promise<Digest> {
  try {
    const found = await api.call<{ Descriptor?: { digest?: string } }>(`/distribution/${inPath(image.reference)}/json`, {
      headers: authHeader(image),
    });
    const digest = found?.Descriptor?.digest ?? '';
    if (!isDigest(digest))
      throw new ContainerError('CannotPullContainerError', `the engine knows no digest of ${image.reference}`);
    return digest;
  } catch (error) {
    throw pullError(error, image.reference);
  }
}

function pullError(error: unknown, reference: string): unknown {
  if (!(error instanceof DockerError)) return error;
  const { status, message } = error;
  const isGone = status === 404 || /manifest unknown|not found/i.test(message);
  const text = isGone
    ? `failed to resolve ref ${reference}: ${reference}: not found`
    : `failed to resolve ref ${reference}: ${message}`;
  return new ContainerError('CannotPullContainerError', text, { passing: !isGone && PASSING.test(message), cause: error });
}

/** How an image whose digest is settled is named towards the engine. */
export function exactName({ reference, digest }: PinnedImage): string {
  return `${splitReference(reference).repository}@${digest}`;
}

/** The engine's own id of the image, if it is there. */
export async function imageId(api: DockerApi, name: string): Promise<string | undefined> {
  return (await api.call<{ Id: string }>(`/images/${inPath(name)}/json`, { also: [404] }))?.Id;
}

/** The written name of an image with a tag, to be seen by those who use the engine's own tools. */
export function shownName(image: PinnedImage): string {
  const { repository, tag } = splitReference(image.written);
  return tag === undefined ? exactName(image) : `${repository}:${tag}`;
}

/** Pulls by digest, unless it is there, and then gives it its written name. */
export async function pullImage(api: DockerApi, image: PinnedImage, signal?: AbortSignal): Promise<void> {
  const exact = exactName(image);
  if ((await imageId(api, exact)) === undefined) await fetchImage(api, image, signal);
  const { repository, tag } = splitReference(image.written);
  if (tag === undefined) return;
  try {
    await api.call(`/images/${inPath(exact)}/tag`, { method: 'POST', query: { repo: repository, tag } });
  } catch (error) {
    // The name is a comfort for people; the container is made from the digest.
    if (!(error instanceof DockerError)) throw error;
  }
}

async function fetchImage(api: DockerApi, image: PinnedImage, signal: AbortSignal | undefined): Promise<void> {
  const exact = exactName(image);
  try {
    const body = await api.open('/images/create', {
      method: 'POST',
      query: { fromImage: splitReference(image.reference).repository, tag: image.digest },
      headers: authHeader(image),
      ...(signal === undefined ? {} : { signal }),
    });
    const failure = await failureIn(body);
    if (failure !== undefined) throw new DockerError(500, failure);
  } catch (error) {
    throw pullError(error, exact);
  }
  if ((await imageId(api, exact)) === undefined)
    throw new ContainerError('CannotPullContainerError', `the engine pulled ${exact}, and does not have it`);
}

/** The failure that a stream of progress ends with; progress itself is not kept. */
async function failureIn(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  let held = '';
  let failure: string | undefined;
  const read = (line: string): void => {
    if (!line.includes('"error')) return;
    const { error, errorDetail } = JSON.parse(line) as { error?: string; errorDetail?: { message?: string } };
    failure ??= errorDetail?.message ?? error;
  };
  for await (const chunk of body) {
    held += chunk.toString('utf8');
    const lines = held.split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) read(line);
    if (held.length > 1024 * 1024) throw new Error('the engine sent a line of progress that does not end');
  }
  if (held.trim() !== '') read(held);
  return failure;
}
