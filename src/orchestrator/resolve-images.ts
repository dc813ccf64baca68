import type { Digest } from '../core/digest.ts';
import { isFault } from '../core/fault.ts';
import type { Place } from '../core/place.ts';
import type { Failure } from '../client/outcome.ts';
import type { OrchestratorContext } from './context.ts';
import { readReference } from './image-holds.ts';
import { readPullLogin } from './pull-logins.ts';
import { fillIn, unresolved } from './revision-images.ts';
import type { RevisionImage } from './service-rows.ts';

type Answer = { digest: Digest } | { failure: string };

/**
 * What the images' tags point at now: asked once for all of them, our own registry by itself and others through the
 * client. Gives all of the digests, or why one of them cannot be known (a sentence for people).
 */
export async function resolveImages(
  context: Pick<OrchestratorContext, 'registry' | 'ownRegistry' | 'resolver' | 'readSecret'>,
  service: Place,
  images: RevisionImage[],
): Promise<{ images: RevisionImage[] } | { failure: string }> {
  // The same tag, asked for with two logins, may be told to one of them alone.
  const wanted = new Map(unresolved(images).map((image) => [questionOf(image), image]));
  const answers = new Map(
    await Promise.all(
      [...wanted].map(async ([question, image]) => [question, await resolveImage(context, service, image)] as const),
    ),
  );
  for (const [question, answer] of answers)
    if ('failure' in answer) return { failure: `${wanted.get(question)?.image}: ${answer.failure}` };
  const filled = fillIn(images, (image) => {
    const answer = answers.get(questionOf(image));
    return answer !== undefined && 'digest' in answer ? answer.digest : undefined;
  });
  return filled === undefined ? { failure: 'not every image has been answered for.' } : { images: filled };
}

function questionOf({ image, credentialsParameter = '' }: RevisionImage): string {
  return `${image} ${credentialsParameter}`;
}

/** What one image points at now, or why that cannot be known. */
async function resolveImage(
  context: Pick<OrchestratorContext, 'registry' | 'ownRegistry' | 'resolver' | 'readSecret'>,
  service: Place,
  { image, credentialsParameter }: RevisionImage,
): Promise<Answer> {
  const { registry, ownRegistry, resolver } = context;
  const reference = readReference(image);
  if (reference === undefined) return { failure: 'that is not an image reference.' };
  const place = ownRegistry?.(reference.host);
  if (place === undefined) {
    if (resolver === undefined) return { failure: `this server does not ask ${reference.host}.` };
    const secret = credentialsParameter === undefined ? undefined : await readPullLogin(context, service, credentialsParameter);
    if (secret !== undefined && 'failure' in secret) return secret;
    const outcome = await resolver.resolve(reference, secret?.login);
    return outcome.ok ? { digest: outcome.value.digest } : { failure: sentence(outcome.failure) };
  }
  const repository = await registry.repositories.find(place, reference.path as never);
  if (repository === undefined) return { failure: `there is no repository ${reference.path} in this registry.` };
  try {
    const tag = reference.tag ?? 'latest';
    return { digest: (await registry.images.resolve(repository, { tag: tag as never })).digest };
  } catch (error) {
    if (isFault(error, 'image-unknown')) return { failure: 'there is no such tag in this registry.' };
    throw error;
  }
}

/** What stands between a tag and its digest elsewhere, told apart: it matters to whoever has to mend it. */
function sentence({ kind, host, reason }: Failure): string {
  switch (kind) {
    case 'not-found':
      return `not found: ${host} says ${reason}.`;
    case 'denied':
      return `access denied by ${host}: ${reason}.`;
    case 'rate-limited':
      return `${host} limits how often it is asked: ${reason}.`;
    case 'unreachable':
      return `${host} cannot be reached: ${reason}.`;
    case 'corrupt':
      return `${host} contradicts itself: ${reason}.`;
  }
}
