import type { Tag } from '@aws-sdk/client-ecs';
import type { Kysely } from 'kysely';
import { readEcsArn } from './arn.ts';
import { invalidParameter } from './ecs-faults.ts';
import type { OrchestratorTables } from './context.ts';

const MOST_TAGS = 50;
const CHUNK = 500;

/** Checks tags as AWS does everywhere: lengths, `aws:` reserved, a key once, 50 at most. Raises `ecs`. */
export function readTags(tags: Tag[] | undefined): Record<string, string> {
  const result = new Map<string, string>();
  for (const { key = '', value = '' } of tags ?? []) {
    if (key.length < 1 || key.length > 128) throw invalidParameter('A tag key has 1 to 128 characters.');
    if (value.length > 256) throw invalidParameter(`The value of the tag '${key}' has more than 256 characters.`);
    if (/^aws:/i.test(key)) throw invalidParameter(`The tag key '${key}' begins with 'aws:', which is reserved.`);
    if (result.has(key)) throw invalidParameter(`Duplicate tag keys found: '${key}'. Each tag key must be unique.`);
    result.set(key, value);
  }
  if (result.size > MOST_TAGS) throw invalidParameter(`A resource has at most ${MOST_TAGS} tags.`);
  return Object.fromEntries(result);
}

/** As the API lists them, by key. */
export function writeTags(tags: Record<string, string> | undefined): Tag[] {
  return Object.entries(tags ?? {})
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => ({ key, value }));
}

/** Adds tags to what an ARN names, over those of the same key. */
export async function putTags(database: Kysely<OrchestratorTables>, arn: string, tags: Record<string, string>): Promise<void> {
  const place = readEcsArn(arn);
  const entries = Object.entries(tags);
  if (place === undefined || entries.length === 0) return;
  await database
    .insertInto('resource_tag')
    .values(entries.map(([key, value]) => ({ account: place.account, region: place.region, arn, key, value })))
    .onConflict((conflict) => conflict.columns(['arn', 'key']).doUpdateSet((row) => ({ value: row.ref('excluded.value') })))
    .execute();
}

export async function dropTags(database: Kysely<OrchestratorTables>, arn: string): Promise<void> {
  await database.deleteFrom('resource_tag').where('arn', '=', arn).execute();
}

/** The tags of each of the ARNs that has any. */
export async function tagsOf(database: Kysely<OrchestratorTables>, arns: string[]): Promise<Map<string, Record<string, string>>> {
  const tags = new Map<string, Record<string, string>>();
  for (let at = 0; at < arns.length; at += CHUNK) {
    const rows = await database
      .selectFrom('resource_tag')
      .select(['arn', 'key', 'value'])
      .where('arn', 'in', arns.slice(at, at + CHUNK))
      .execute();
    for (const { arn, key, value } of rows) tags.set(arn, { ...tags.get(arn), [key]: value });
  }
  return tags;
}
