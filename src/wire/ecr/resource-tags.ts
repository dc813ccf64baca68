import { Fault } from '../../core/fault.ts';

/** At most this many on one repository (ECR quotas). */
export const MAX_RESOURCE_TAGS = 50;

/** Checks tags as AWS does everywhere: lengths, `aws:` reserved, a key once. Raises `resource-tag-invalid`, `too-many-resource-tags`. */
export function readResourceTags(tags: { Key: string; Value: string }[] | undefined): Record<string, string> {
  const result: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const { Key: key, Value: value } of tags ?? []) {
    if (key.length < 1 || key.length > 128) invalid('A tag key has 1 to 128 characters');
    if (value.length > 256) invalid(`The value of the tag '${key}' has more than 256 characters`);
    if (/^aws:/i.test(key)) invalid(`The tag key '${key}' begins with 'aws:', which is reserved`);
    if (Object.hasOwn(result, key)) invalid(`The tag key '${key}' is given twice`);
    result[key] = value;
  }
  if (Object.keys(result).length > MAX_RESOURCE_TAGS) throw new Fault('too-many-resource-tags', { limit: MAX_RESOURCE_TAGS });
  return result;
}

/** As the API lists them, by key. */
export function writeResourceTags(tags: Record<string, string>): { Key: string; Value: string }[] {
  return Object.entries(tags)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([Key, Value]) => ({ Key, Value }));
}

function invalid(reason: string): never {
  throw new Fault('resource-tag-invalid', { reason });
}
