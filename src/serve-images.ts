import type { LoginClients } from './client/login-clients.ts';
import { FetchError, type Failure, type Outcome } from './client/outcome.ts';
import { readBlob } from './client/read-blob.ts';
import type { RegistryClient } from './client/registry-client.ts';
import { ContainerError } from './core/container-error.ts';
import { isFault } from './core/fault.ts';
import type { Place } from './core/place.ts';
import { parseReference, type Reference } from './core/reference.ts';
import type { Tag } from './core/tag.ts';
import type { ImageSource } from './drivers/runtime/oci/image-source.ts';
import type { ImageToRun } from './orchestrator/ports.ts';
import type { Registry, Repository } from './registry/registry.ts';

const CHUNK_BYTES = 256 * 1024;

/** Where tasks' images come from: our own registry in this process, others over the network. */
export function createImageSource({
  registry,
  client,
  logins,
  ownRegistry,
}: {
  registry: Pick<Registry, 'repositories' | 'images' | 'layers'>;
  client: RegistryClient;
  logins: LoginClients;
  /** The part of our own registry that a host name leads to. */
  ownRegistry: (host: string) => Place | undefined;
}): ImageSource {
  const parse = (text: string): Reference => {
    try {
      return parseReference(text);
    } catch (error) {
      if (!isFault(error)) throw error;
      throw new ContainerError('CannotPullContainerError', `invalid reference format: ${text.slice(0, 300)}`, { cause: error });
    }
  };
  /** An image that comes with a login is asked for with that one alone. */
  const clientOf = ({ credentials }: ImageToRun, { host }: Reference): RegistryClient =>
    credentials === undefined ? client : logins.get(host, credentials);
  /** Our own repository of an image; `undefined` for an image of another registry. */
  async function own(reference: Reference): Promise<Repository | undefined> {
    const place = ownRegistry(reference.host);
    if (place === undefined) return undefined;
    const found = await registry.repositories.find(place, reference.path as never);
    if (found === undefined) throw notFound(nameOf(reference));
    return found;
  }

  return {
    async resolve(image) {
      const reference = parse(image.reference);
      const repository = await own(reference);
      if (repository === undefined) return answer(image.reference, await clientOf(image, reference).resolve(reference)).digest;
      const id = reference.digest ?? ((reference.tag ?? 'latest') as Tag);
      return (await found(image.reference, () => registry.images.read(repository, id))).digest;
    },
    async manifest(image, digest) {
      const reference = parse(image.reference);
      const repository = await own(reference);
      if (repository === undefined) {
        const { host, path } = reference;
        return answer(image.reference, await clientOf(image, reference).getManifest({ host, path, digest } as Reference));
      }
      const name = `${nameOf(reference)}@${digest}`;
      const { body, mediaType } = await found(name, () => registry.images.read(repository, digest, { recordPull: true }));
      return { bytes: body, mediaType };
    },
    async *blob(image, digest, size) {
      const reference = parse(image.reference);
      const repository = await own(reference);
      if (repository === undefined) {
        try {
          yield* readBlob(clientOf(image, reference), reference, digest, size);
        } catch (error) {
          throw error instanceof FetchError ? pullFailure(image.reference, error.failure, 'copy') : error;
        }
        return;
      }
      const { reader } = await found(`${nameOf(reference)}@${digest}`, () => registry.layers.open(repository, digest));
      try {
        for (let position = 0; ;) {
          // A chunk of its own each time: who takes it may keep it.
          const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(1, reader.bytes - position)));
          const count = await reader.read(buffer, position);
          if (count === 0) return;
          position += count;
          yield buffer.subarray(0, count);
        }
      } finally {
        await reader.close();
      }
    },
  };
}

function nameOf({ host, path }: Reference): string {
  return `${host}/${path}`;
}

function notFound(reference: string, cause?: unknown): ContainerError {
  return new ContainerError('CannotPullContainerError', `failed to resolve ref ${reference}: ${reference}: not found`, { cause });
}

async function found<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isFault(error, 'image-unknown') || isFault(error, 'blob-unknown')) throw notFound(name, error);
    if (isFault(error, 'blob-corrupt'))
      throw new ContainerError(
        'CannotPullContainerError',
        `${name} is damaged on the disk of this server: push the image again`,
        {
          cause: error,
        },
      );
    throw error;
  }
}

function answer<T>(reference: string, outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw pullFailure(reference, outcome.failure);
}

function pullFailure(reference: string, { kind, host, reason, isSlow }: Failure, act = 'resolve ref'): ContainerError {
  if (kind === 'not-found') return notFound(reference);
  return new ContainerError('CannotPullContainerError', `failed to ${act} ${reference}: ${host}: ${reason}`, {
    passing: (kind === 'unreachable' && isSlow !== true) || kind === 'rate-limited',
  });
}
