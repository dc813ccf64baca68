import { isJsonObject } from '../core/json.ts';
import type { ExclusionFilter, Repositories, RepositoryTemplate, TagMutability } from './registry.ts';

/**
 * The settings that a creation template gives to a repository, out of the document that the API took (its
 * `RepositoryCreationTemplate`, which the wire has checked). Creating on push is no place to refuse a document, so a
 * member of another form counts as absent.
 */
export function readTemplateSettings({
  document,
}: Pick<RepositoryTemplate, 'document'>): NonNullable<Parameters<Repositories['create']>[2]> {
  const { imageTagMutability, imageTagMutabilityExclusionFilters, encryptionConfiguration, repositoryPolicy, resourceTags } =
    document;
  const encryption = isJsonObject(encryptionConfiguration) ? encryptionConfiguration : {};
  const { encryptionType, kmsKey } = encryption;
  return {
    ...(typeof imageTagMutability === 'string' ? { tagMutability: imageTagMutability as TagMutability } : {}),
    ...(Array.isArray(imageTagMutabilityExclusionFilters)
      ? { exclusionFilters: imageTagMutabilityExclusionFilters as ExclusionFilter[] }
      : {}),
    ...(encryptionType === 'AES256' || encryptionType === 'KMS' || encryptionType === 'KMS_DSSE' ? { encryptionType } : {}),
    ...(typeof kmsKey === 'string' ? { kmsKey } : {}),
    ...(typeof repositoryPolicy === 'string' && repositoryPolicy !== '' ? { policyText: repositoryPolicy } : {}),
    ...(Array.isArray(resourceTags) ? { resourceTags: readResourceTags(resourceTags) } : {}),
  };
}

function readResourceTags(list: unknown[]): Record<string, string> {
  const pairs = list.flatMap((entry): [string, string][] => {
    if (!isJsonObject(entry)) return [];
    const { Key, Value } = entry;
    return typeof Key === 'string' && typeof Value === 'string' ? [[Key, Value]] : [];
  });
  return Object.fromEntries(pairs);
}
