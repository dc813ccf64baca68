import type {
  CreateRepositoryCreationTemplateRequest,
  CreateRepositoryCreationTemplateResponse,
  DeleteRepositoryCreationTemplateRequest,
  DeleteRepositoryCreationTemplateResponse,
  DescribeRepositoryCreationTemplatesRequest,
  DescribeRepositoryCreationTemplatesResponse,
  EncryptionConfigurationForRepositoryCreationTemplate,
  RepositoryCreationTemplate,
  UpdateRepositoryCreationTemplateRequest,
  UpdateRepositoryCreationTemplateResponse,
} from '@aws-sdk/client-ecr';
import { Fault } from '../../core/fault.ts';
import { isRepositoryName } from '../../core/repository-name.ts';
import type { RepositoryTemplate } from '../../registry/registry.ts';
import { decodePageToken, encodePageToken } from '../aws/page-token.ts';
import type { Input, ListShape, StructureShape, Wire } from '../aws/shape.ts';
import { checkTemplatePolicy } from './lifecycle.ts';
import { onRegistry, seconds } from './operation.ts';
import { checkPolicy } from './policies.ts';
import { readResourceTags } from './resource-tags.ts';
import {
  DEFAULT_PAGE,
  EXCLUSION_FILTERS,
  MAX_RESULTS,
  NEXT_TOKEN,
  pattern,
  POLICY_TEXT,
  RESOURCE_TAGS,
  TAG_MUTABILITY,
} from './shapes.ts';
import { checkExclusionFilters } from './tag-mutability.ts';

const ROOT = 'ROOT';
const PREFIX_PATTERN = '^([a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(\\/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*\\/?|ROOT)$';
const PREFIX = {
  type: 'string',
  min: 1,
  max: 256,
  pattern: { text: PREFIX_PATTERN, matches: (value: string) => value === ROOT || isPathPrefix(value.replace(/\/$/, '')) },
} as const;
const KEY_PATTERN = /^(?:|arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:[0-9]{12}:key\/[a-z0-9-]+)$/;
const ENCRYPTION: StructureShape<EncryptionConfigurationForRepositoryCreationTemplate> = {
  type: 'structure',
  members: {
    encryptionType: { type: 'string', enum: ['AES256', 'KMS', 'KMS_DSSE'], required: true },
    kmsKey: {
      type: 'string',
      min: 0,
      max: 2048,
      pattern: pattern(KEY_PATTERN, '^$|arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:[0-9]{12}:key\\/[a-z0-9-]+'),
    },
  },
};
type AppliedFor = 'REPLICATION' | 'PULL_THROUGH_CACHE' | 'CREATE_ON_PUSH';
const APPLIED_FOR: ListShape<AppliedFor> = {
  type: 'list',
  of: { type: 'string', enum: ['REPLICATION', 'PULL_THROUGH_CACHE', 'CREATE_ON_PUSH'] },
  max: 10,
};

/** What a template says besides its prefix; also what the registry keeps of it. */
const SETTINGS = {
  description: { type: 'string', max: 256 },
  encryptionConfiguration: ENCRYPTION,
  resourceTags: RESOURCE_TAGS,
  imageTagMutability: TAG_MUTABILITY,
  imageTagMutabilityExclusionFilters: EXCLUSION_FILTERS,
  repositoryPolicy: POLICY_TEXT,
  lifecyclePolicy: { type: 'string', min: 0, max: 30_720 },
  customRoleArn: { type: 'string', max: 2048 },
} as const;
type Settings = Omit<Input<UpdateRepositoryCreationTemplateRequest>, 'prefix'>;

const createTemplate = onRegistry<CreateRepositoryCreationTemplateRequest, CreateRepositoryCreationTemplateResponse>(
  'CreateRepositoryCreationTemplate',
  {
    type: 'structure',
    members: { prefix: { ...PREFIX, required: true }, ...SETTINGS, appliedFor: { ...APPLIED_FOR, required: true } },
  },
  async ({ prefix, ...settings }, call) => {
    // The prefix as it was written is told again, so that a client's plan shows no drift.
    const document = { ...checkSettings(settings), prefix };
    const template = await call.registry.templates.create(call.caller, storedPrefix(prefix), document);
    return { registryId: call.caller.account, repositoryCreationTemplate: describeTemplate(template) };
  },
);

const updateTemplate = onRegistry<UpdateRepositoryCreationTemplateRequest, UpdateRepositoryCreationTemplateResponse>(
  'UpdateRepositoryCreationTemplate',
  { type: 'structure', members: { prefix: { ...PREFIX, required: true }, ...SETTINGS, appliedFor: APPLIED_FOR } },
  async ({ prefix, ...changes }, call) => {
    const stored = storedPrefix(prefix);
    const page = await call.registry.templates.list(call.caller, { limit: 1, prefixes: [stored] });
    const before = page.items[0];
    if (before === undefined) throw new Fault('template-unknown', { prefix });
    // What the request does not name stays; the mode and its filters are one setting.
    const kept: Settings = { ...(before.document as Settings) };
    if (changes.imageTagMutability !== undefined) delete kept.imageTagMutabilityExclusionFilters;
    const template = await call.registry.templates.update(call.caller, stored, checkSettings({ ...kept, ...changes }));
    return { registryId: call.caller.account, repositoryCreationTemplate: describeTemplate(template) };
  },
);

const deleteTemplate = onRegistry<DeleteRepositoryCreationTemplateRequest, DeleteRepositoryCreationTemplateResponse>(
  'DeleteRepositoryCreationTemplate',
  { type: 'structure', members: { prefix: { ...PREFIX, required: true } } },
  async ({ prefix }, call) => {
    const template = await call.registry.templates.delete(call.caller, storedPrefix(prefix));
    return { registryId: call.caller.account, repositoryCreationTemplate: describeTemplate(template) };
  },
);

const describeTemplates = onRegistry<DescribeRepositoryCreationTemplatesRequest, DescribeRepositoryCreationTemplatesResponse>(
  'DescribeRepositoryCreationTemplates',
  {
    type: 'structure',
    members: { prefixes: { type: 'list', of: PREFIX, max: 100 }, nextToken: NEXT_TOKEN, maxResults: MAX_RESULTS },
  },
  async (input, call) => {
    const prefixes = input.prefixes?.map(storedPrefix);
    const scope = `DescribeRepositoryCreationTemplates ${JSON.stringify(prefixes ?? [])}`;
    const [next] = input.nextToken === undefined ? [] : decodePageToken(scope, input.nextToken);
    const page = await call.registry.templates.list(call.caller, {
      limit: input.maxResults ?? DEFAULT_PAGE,
      ...(next === undefined ? {} : { next }),
      ...(prefixes === undefined || prefixes.length === 0 ? {} : { prefixes }),
    });
    return {
      registryId: call.caller.account,
      repositoryCreationTemplates: page.items.map(describeTemplate),
      ...(page.next === undefined ? {} : { nextToken: encodePageToken(scope, [page.next]) }),
    };
  },
);

export const templateOperations = {
  CreateRepositoryCreationTemplate: createTemplate,
  UpdateRepositoryCreationTemplate: updateTemplate,
  DeleteRepositoryCreationTemplate: deleteTemplate,
  DescribeRepositoryCreationTemplates: describeTemplates,
};

/** A template's trailing slash is implied (ECR User Guide, "Repository creation templates"). */
function storedPrefix(prefix: string): string {
  return prefix.replace(/\/$/, '');
}

/** A prefix of one character is fine where a whole name is not. */
function isPathPrefix(prefix: string): boolean {
  return /^[a-z0-9]$/.test(prefix) || isRepositoryName(prefix);
}

function checkSettings(settings: Settings): Record<string, unknown> {
  const { appliedFor, imageTagMutability = 'MUTABLE', repositoryPolicy } = settings;
  if (appliedFor !== undefined && appliedFor.length === 0)
    throw new Fault('parameter-invalid', {
      member: 'appliedFor',
      constraint: 'Member must have length greater than or equal to 1',
    });
  checkExclusionFilters(imageTagMutability, settings.imageTagMutabilityExclusionFilters);
  if (repositoryPolicy !== undefined && repositoryPolicy !== '') checkPolicy(repositoryPolicy, 'repository');
  checkTemplatePolicy(settings.lifecyclePolicy ?? '');
  readResourceTags(settings.resourceTags);
  return settings;
}

/** Everything that is not said by the template is what a repository has by default. */
function describeTemplate(template: RepositoryTemplate): Wire<RepositoryCreationTemplate> {
  const document = template.document as Settings;
  return {
    prefix: template.prefix,
    ...document,
    encryptionConfiguration: document.encryptionConfiguration ?? { encryptionType: 'AES256' },
    imageTagMutability: document.imageTagMutability ?? 'MUTABLE',
    createdAt: seconds(template.createdAt),
    updatedAt: seconds(template.updatedAt),
  };
}
