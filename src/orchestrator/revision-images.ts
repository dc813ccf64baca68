import type { Digest } from '../core/digest.ts';
import type { ObservedContainer } from './ports.ts';
import type { RevisionImage } from './service-rows.ts';
import type { TaskDefinitionDocument } from './task-definition-rows.ts';
import { writtenDigest } from './task-image.ts';

/** The images of a new revision: digests only where they are written out. Pure, as all of this file. */
export function imagesOf({ containerDefinitions }: TaskDefinitionDocument): RevisionImage[] {
  return containerDefinitions.map(({ name, image, versionConsistency, repositoryCredentials }) => {
    const digest = writtenDigest(image);
    return {
      containerName: name,
      image,
      mode: versionConsistency ?? 'unset',
      ...(digest === undefined ? {} : { digest }),
      ...(repositoryCredentials === undefined ? {} : { credentialsParameter: repositoryCredentials.credentialsParameter }),
    };
  });
}

/** Those whose digest is still to be learnt. */
export function unresolved(images: RevisionImage[]): RevisionImage[] {
  return images.filter(({ digest, mode }) => digest === undefined && mode !== 'disabled');
}

/** One of them must never run by its tag. */
export function isStrict(images: RevisionImage[]): boolean {
  return images.some(({ mode }) => mode === 'enabled');
}

/**
 * The images with the digests that a task's containers report, once these cover all that are to be learnt; undefined
 * before. What is known already stays as it is: the first report wins.
 */
export function captureDigests(
  images: RevisionImage[],
  containers: Pick<ObservedContainer, 'name' | 'imageDigest'>[],
): RevisionImage[] | undefined {
  const seen = new Map(containers.map(({ name, imageDigest }) => [name, imageDigest]));
  return fillIn(images, (image) => seen.get(image.containerName));
}

/** The same with digests from anywhere. */
export function fillIn(
  images: RevisionImage[],
  digestOf: (image: RevisionImage) => Digest | undefined,
): RevisionImage[] | undefined {
  const filled: RevisionImage[] = [];
  for (const image of images) {
    if (image.digest !== undefined || image.mode === 'disabled') filled.push(image);
    else {
      const digest = digestOf(image);
      if (digest === undefined) return undefined;
      filled.push({ ...image, digest });
    }
  }
  return filled;
}

export function digestsOf(images: RevisionImage[]): Map<string, Digest> {
  return new Map(images.flatMap(({ containerName, digest }) => (digest === undefined ? [] : [[containerName, digest] as const])));
}
