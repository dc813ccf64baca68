import { Fault } from '../core/fault.ts';
import { MAX_POLICY_LENGTH } from '../core/iam-policy.ts';

const READ = [
  'ecr:BatchCheckLayerAvailability',
  'ecr:BatchGet*',
  'ecr:Describe*',
  'ecr:Get*',
  'ecr:List*',
  'ecs:Describe*',
  'ecs:List*',
  'holdfast:Describe*',
  'holdfast:Get*',
  'holdfast:List*',
  'sts:GetCallerIdentity',
];
const LOG_IN = ['ecr:GetAuthorizationToken', 'sts:GetCallerIdentity'];
const PULL = [
  'ecr:BatchCheckLayerAvailability',
  'ecr:BatchGetImage',
  'ecr:DescribeImage*',
  'ecr:DescribeRepositories',
  'ecr:GetDownloadUrlForLayer',
  'ecr:ListImage*',
  'ecr:ListTagsForResource',
];
const PUSH = ['ecr:InitiateLayerUpload', 'ecr:UploadLayerPart', 'ecr:CompleteLayerUpload', 'ecr:PutImage'];
const ON_REPOSITORIES: ReadonlyMap<string, string[]> = new Map([
  ['pull', PULL],
  ['push', [...PULL, ...PUSH]],
  ['delete', ['ecr:BatchDeleteImage']],
  ['hold', ['holdfast:CreateHold', 'holdfast:ListHolds', 'holdfast:ReleaseHold']],
  ['create', ['ecr:CreateRepository', 'ecr:TagResource']],
  ['manage', ['ecr:*', 'holdfast:*']],
]);
const PATTERN = /^[a-z0-9._/*-]{1,256}$/;
const MAX_ENTRIES = 100;
const FORMS =
  '"full", "read-only", or "pull:", "push:", "delete:", "hold:", "create:" or "manage:" and a repository pattern such as team/*';

/**
 * What a key may do, as a person writes it; several together add up. Each becomes a part of an IAM policy, so that there
 * is one engine that decides:
 *
 *   full             everything, everywhere
 *   read-only        every question, no change
 *   pull:PATTERN     log in; pull and list the images of matching repositories
 *   push:PATTERN     pull, and push
 *   delete:PATTERN   delete images and tags (not repositories)
 *   hold:PATTERN     hold images and release them, as a cluster elsewhere does for what it runs
 *   create:PATTERN   create repositories, by hand or by a first push
 *   manage:PATTERN   everything that is done to a repository, its deletion and its policies included
 *
 * PATTERN is a repository name in which `*` stands for any run of characters, `/` included. It holds in every region.
 * Gives the policy document's text; raises `parameter-invalid` naming `allow`.
 */
export function compileAllow(allow: readonly string[], account: string): string {
  if (allow.length === 0) invalid(`must have at least one of ${FORMS}`);
  if (allow.length > MAX_ENTRIES) invalid(`must have at most ${MAX_ENTRIES} entries`);
  const statements: object[] = [];
  const patterns = new Map<string, string[]>();
  for (const entry of allow) {
    if (entry === 'full') statements.push(allowing(['*'], ['*']));
    else if (entry === 'read-only') statements.push(allowing(READ, ['*']));
    else {
      const [verb, pattern] = parseEntry(entry);
      patterns.set(verb, [...(patterns.get(verb) ?? []), `arn:aws:ecr:*:${account}:repository/${pattern}`]);
    }
  }
  if (patterns.size > 0) statements.push(allowing(LOG_IN, ['*']));
  for (const [verb, resources] of patterns) statements.push(allowing(ON_REPOSITORIES.get(verb) ?? [], resources));
  const text = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  if (text.length > MAX_POLICY_LENGTH)
    invalid(`makes a policy longer than ${MAX_POLICY_LENGTH} characters; use fewer or shorter patterns`);
  return text;
}

function parseEntry(entry: string): [verb: string, pattern: string] {
  const colon = entry.indexOf(':');
  const verb = entry.slice(0, Math.max(colon, 0));
  if (!ON_REPOSITORIES.has(verb)) invalid(`"${entry.slice(0, 100)}" is not ${FORMS}`);
  const pattern = entry.slice(colon + 1);
  if (!PATTERN.test(pattern))
    invalid(`"${pattern.slice(0, 100)}" is not a repository pattern: lower-case letters, digits and . _ - / *`);
  return [verb, pattern];
}

function allowing(actions: string[], resources: string[]): object {
  return { Effect: 'Allow', Action: actions, Resource: resources };
}

function invalid(constraint: string): never {
  throw new Fault('parameter-invalid', { member: 'allow', constraint });
}
