import { isTag } from '../core/tag.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { digestHex, type Digest } from '../core/digest.ts';
import { matchesWildcard } from '../core/wildcard.ts';
import type { AwsAccount } from './aws-account.ts';
import { CommandFailure, UsageError } from './command.ts';
import { printable } from './format.ts';
import type { UsedImage } from './in-use-registry.ts';
import { cell } from './server-show.ts';

/**
 * The tags that a pattern gives to an image: one, or one for each environment where it speaks of them; none in the place of one
 * that it has. `{tag}` is what its users write, if it is still there, else any other tag of it, else the
 * beginning of its digest: what nobody can name any more is what most needs a tag. Pure.
 */
export function tagsByPattern(
  { digest, tag, tags, environments }: Pick<UsedImage, 'tag' | 'tags' | 'environments'> & { digest: Digest },
  pattern: string,
): string[] {
  const from = tag !== undefined && tags.includes(tag) ? tag : (tags[0] ?? digestHex(digest).slice(0, 12));
  const all = pattern.includes('{environment}') && environments.length > 0 ? environments : [''];
  return all
    .map((environment) => pattern.replaceAll('{environment}', environment))
    .filter((shape) => !tags.some((one) => matchesWildcard(shape.replaceAll('{tag}', '*'), one)))
    .map((shape) => shape.replaceAll('{tag}', from));
}

/**
 * Tags each digest that is needed and there; a tag that another image has is not touched. Raises UsageError for a pattern that
 * gives no tag, CommandFailure for a tag that is taken.
 */
export async function tagAll(account: AwsAccount, images: readonly UsedImage[], pattern: string): Promise<JsonObject[]> {
  const tagged: JsonObject[] = [];
  for (const image of images) {
    const { repository, digest, pushedAt } = image;
    if (digest === undefined || pushedAt === undefined) continue;
    for (const name of tagsByPattern({ ...image, digest }, pattern)) {
      if (!isTag(name)) throw new UsageError(`--tag gives "${printable(name.slice(0, 140))}", which is not a tag.`);
      const other = await findTag(account, repository, name);
      if (other !== undefined && other !== digest)
        throw new CommandFailure(`In ${repository} the tag ${name} is on ${other} already; it was not moved to ${digest}.`);
      const answer = await account.call('ecr', 'BatchGetImage', {
        repositoryName: repository,
        imageIds: [{ imageDigest: digest }],
      });
      const found = Array.isArray(answer['images']) ? answer['images'].filter(isJsonObject)[0] : undefined;
      if (found === undefined) continue;
      const { imageManifest, imageManifestMediaType } = found;
      if (typeof imageManifest !== 'string') continue;
      await account.call('ecr', 'PutImage', {
        repositoryName: repository,
        imageTag: name,
        imageManifest,
        imageDigest: digest,
        ...(typeof imageManifestMediaType === 'string' ? { imageManifestMediaType } : {}),
      });
      tagged.push({ repository, digest, tag: name });
    }
  }
  return tagged;
}

async function findTag(account: AwsAccount, repositoryName: string, imageTag: string): Promise<string | undefined> {
  try {
    const answer = await account.call('ecr', 'DescribeImages', { repositoryName, imageIds: [{ imageTag }] });
    const first = Array.isArray(answer['imageDetails']) ? answer['imageDetails'][0] : undefined;
    return isJsonObject(first) ? cell(first, 'imageDigest') : undefined;
  } catch (error) {
    if (error instanceof CommandFailure && error.kind === 'not-found') return undefined;
    throw error;
  }
}
