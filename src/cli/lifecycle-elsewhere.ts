import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isDigest, type Digest } from '../core/digest.ts';
import { isJsonObject, JsonError, parseJson, type Json, type JsonObject } from '../core/json.ts';
import { manifestShape } from '../core/media-type.ts';
import { evaluateLifecycle, type LifecycleImage } from '../lifecycle/evaluate.ts';
import { parseLifecyclePolicy } from '../lifecycle/parse-policy.ts';
import { createPreviewDocument, type PreviewDocument } from '../lifecycle/preview-document.ts';
import { summarizeVerdicts } from '../lifecycle/summarize.ts';
import { warnPolicy } from '../lifecycle/warn-policy.ts';
import type { AwsAccount } from './aws-account.ts';
import { CommandFailure, type CommandContext } from './command.ts';

type ListedImage = LifecycleImage & { imageBytes: number; isIndex: boolean };

/** What a policy would do to images that another registry lists, evaluated here. Pure but for its inputs. */
export function previewElsewhere(
  repository: string,
  policyText: string,
  images: readonly ListedImage[],
  now: number,
): PreviewDocument {
  const policy = parseLifecyclePolicy(policyText);
  const judged = evaluateLifecycle(policy, images, now);
  return createPreviewDocument({
    repository,
    policyText,
    evaluatedAt: now,
    images: judged,
    counts: summarizeVerdicts(policy, judged),
    warnings: warnPolicy(policy, images),
  });
}

/** Indexes whose entries are not known: their entries look like images of their own. */
export function countBlindIndexes(images: readonly ListedImage[]): number {
  return images.filter(({ isIndex, children }) => isIndex && children === undefined).length;
}

/** The images that `aws ecr describe-images` wrote into a file. Raises CommandFailure. */
export async function readSavedImages(
  context: CommandContext,
  file: string,
): Promise<{ repository: string; images: ListedImage[] }> {
  const document = readJson(await readFile(resolve(context.cwd, file)), file);
  const list = isJsonObject(document) ? document['imageDetails'] : document;
  if (!Array.isArray(list))
    throw new CommandFailure(`${file} has no imageDetails.`, {
      advice: 'Write it with: aws ecr describe-images --repository-name NAME --output json',
    });
  const entries = list.filter(isJsonObject);
  const [first] = entries;
  const repository = typeof first?.['repositoryName'] === 'string' ? first['repositoryName'] : file;
  return { repository, images: entries.map((entry, index) => readImage(entry, `${file}: imageDetails[${index}]`)) };
}

/** The images of a repository of an AWS account, with the entries of its indexes. Reads only. */
export async function readAwsImages(account: AwsAccount, repository: string): Promise<ListedImage[]> {
  const list = (imageStatus: string): Promise<JsonObject[]> =>
    account.list(
      'ecr',
      'DescribeImages',
      { repositoryName: repository, maxResults: 1000, filter: { imageStatus } },
      'imageDetails',
    );
  const details = [...(await list('ACTIVE')), ...(await list('ARCHIVED'))];
  const images = details.map((detail, index) => readImage(detail, `imageDetails[${index}]`));
  const indexes = images.filter(({ isIndex, storageClass }) => isIndex && storageClass === 'standard');
  for (let from = 0; from < indexes.length; from += 100) {
    const chunk = indexes.slice(from, from + 100);
    const answer = await account.call('ecr', 'BatchGetImage', {
      repositoryName: repository,
      imageIds: chunk.map(({ digest }) => ({ imageDigest: digest })),
    });
    const children = new Map<string, Digest[]>();
    for (const entry of Array.isArray(answer['images']) ? answer['images'].filter(isJsonObject) : []) {
      const id = entry['imageId'];
      const digest = isJsonObject(id) ? id['imageDigest'] : undefined;
      if (typeof digest === 'string' && typeof entry['imageManifest'] === 'string')
        children.set(digest, readChildren(entry['imageManifest']));
    }
    for (const image of chunk) {
      const known = children.get(image.digest);
      if (known !== undefined) image.children = known;
    }
  }
  return images;
}

function readImage(entry: JsonObject, where: string): ListedImage {
  const { imageDigest: digest, imageTags, imageSizeInBytes, imageManifestMediaType, subjectManifestDigest: subject } = entry;
  const pushedAt = readTime(entry['imagePushedAt']);
  if (typeof digest !== 'string' || !isDigest(digest) || pushedAt === undefined)
    throw new CommandFailure(`${where} has no imageDigest or no imagePushedAt.`);
  const [pulledAt, archivedAt, activatedAt] = [
    readTime(entry['lastRecordedPullTime']),
    readTime(entry['lastArchivedAt']),
    readTime(entry['lastActivatedAt']),
  ];
  return {
    digest,
    tags: Array.isArray(imageTags) ? imageTags.filter((tag) => typeof tag === 'string') : [],
    pushedAt,
    storageClass: entry['imageStatus'] === 'ARCHIVED' ? 'archive' : 'standard',
    imageBytes: typeof imageSizeInBytes === 'number' ? imageSizeInBytes : 0,
    isIndex: typeof imageManifestMediaType === 'string' && manifestShape(imageManifestMediaType) === 'index',
    ...(pulledAt === undefined ? {} : { pulledAt }),
    ...(archivedAt === undefined ? {} : { archivedAt }),
    ...(activatedAt === undefined ? {} : { activatedAt }),
    ...(typeof subject === 'string' && isDigest(subject) ? { subject } : {}),
  };
}

/** Seconds since the epoch as the API gives them, or ISO 8601 as the second aws command writes it. */
function readTime(value: Json | undefined): number | undefined {
  const time = typeof value === 'number' ? value * 1000 : typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isFinite(time) ? Math.round(time) : undefined;
}

function readChildren(manifest: string): Digest[] {
  const document = readJson(manifest, 'an index');
  const list = isJsonObject(document) ? document['manifests'] : undefined;
  return (Array.isArray(list) ? list : []).flatMap((entry) => {
    const digest = isJsonObject(entry) ? entry['digest'] : undefined;
    return typeof digest === 'string' && isDigest(digest) ? [digest] : [];
  });
}

function readJson(text: Uint8Array | string, what: string): Json {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof JsonError) throw new CommandFailure(`${what} is not JSON: ${error.message}`, { cause: error });
    throw error;
  }
}
