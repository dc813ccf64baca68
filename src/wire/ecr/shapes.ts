import type {
  EncryptionConfiguration,
  ImageIdentifier,
  ImageScanningConfiguration,
  ImageTagMutability,
  ImageTagMutabilityExclusionFilter,
  Tag,
} from '@aws-sdk/client-ecr';
import { isRepositoryName, REPOSITORY_NAME_PATTERN } from '../../core/repository-name.ts';
import type { ListShape, NumberShape, Pattern, StringShape, StructureShape } from '../aws/shape.ts';
import { IMAGE_DIGEST_PATTERN, IMAGE_TAG_PATTERN, LOOSE_DIGEST, LOOSE_TAG } from './faults.ts';

/** Members that many operations share (the ECR service model). */

export function pattern(regularExpression: RegExp, text: string): Pattern {
  return { text, matches: (value) => regularExpression.test(value) };
}

/** Any other account's has nothing here, however it is written. */
export const REGISTRY_ID = { type: 'string', max: 256 } as const satisfies StringShape;

export const REPOSITORY_NAME = {
  type: 'string',
  min: 2,
  max: 256,
  pattern: {
    text: REPOSITORY_NAME_PATTERN,
    matches: (value: string) => value.length < 2 || value.length > 256 || isRepositoryName(value),
  },
} as const satisfies StringShape;

/** What nearly every operation begins with. */
export const ON_REPOSITORY = { registryId: REGISTRY_ID, repositoryName: { ...REPOSITORY_NAME, required: true } } as const;

export const IMAGE_DIGEST = { type: 'string', max: 1000 } as const satisfies StringShape;
export const IMAGE_TAG = { type: 'string', min: 1, max: 300 } as const satisfies StringShape;
export const LAYER_DIGEST = {
  type: 'string',
  max: 1000,
  pattern: pattern(LOOSE_DIGEST, IMAGE_DIGEST_PATTERN),
} as const satisfies StringShape;

/** True for what the API lets through as a digest; only a sha256 or sha512 digest can name an image, though. */
export function looksLikeDigest(text: string): boolean {
  return LOOSE_DIGEST.test(text);
}

export function looksLikeTag(text: string): boolean {
  return LOOSE_TAG.test(text);
}

/** As an input of one image; lists answer each wrong entry with a failure row instead. */
export const CHECKED_IMAGE_TAG = { ...IMAGE_TAG, pattern: pattern(LOOSE_TAG, IMAGE_TAG_PATTERN) } as const satisfies StringShape;
export const CHECKED_IMAGE_DIGEST = {
  ...IMAGE_DIGEST,
  pattern: pattern(LOOSE_DIGEST, IMAGE_DIGEST_PATTERN),
} as const satisfies StringShape;

export const IMAGE_ID: StructureShape<ImageIdentifier> = {
  type: 'structure',
  members: { imageDigest: IMAGE_DIGEST, imageTag: IMAGE_TAG },
};
export const IMAGE_IDS: ListShape<ImageIdentifier> = { type: 'list', of: IMAGE_ID, min: 1, max: 100 };

export const TAG_STATUS = { type: 'string', enum: ['TAGGED', 'UNTAGGED', 'ANY'] } as const;
export const IMAGE_STATUS_FILTER = { type: 'string', enum: ['ACTIVE', 'ARCHIVED', 'ACTIVATING', 'ANY'] } as const;

export const NEXT_TOKEN = { type: 'string', max: 8192 } as const satisfies StringShape;
export const MAX_RESULTS = { type: 'integer', min: 1, max: 1000 } as const satisfies NumberShape;
export const DEFAULT_PAGE = 100;

// In the order in which AWS's own message lists them.
export const TAG_MUTABILITY: StringShape<ImageTagMutability> = {
  type: 'string',
  enum: ['IMMUTABLE', 'MUTABLE', 'MUTABLE_WITH_EXCLUSION', 'IMMUTABLE_WITH_EXCLUSION'],
};

export const EXCLUSION_FILTERS: ListShape<ImageTagMutabilityExclusionFilter> = {
  type: 'list',
  min: 1,
  max: 5,
  of: {
    type: 'structure',
    members: {
      filterType: { type: 'string', enum: ['WILDCARD'], required: true },
      filter: {
        type: 'string',
        min: 1,
        max: 128,
        pattern: pattern(/^[0-9a-zA-Z._*-]{1,128}$/, '^[0-9a-zA-Z._*-]{1,128}$'),
        required: true,
      },
    },
  },
};

export const RESOURCE_TAGS: ListShape<Tag> = {
  type: 'list',
  max: 200,
  of: { type: 'structure', members: { Key: { type: 'string', required: true }, Value: { type: 'string', required: true } } },
};

export const SCANNING_CONFIGURATION: StructureShape<ImageScanningConfiguration> = {
  type: 'structure',
  members: { scanOnPush: { type: 'boolean' } },
};

export const ENCRYPTION_CONFIGURATION: StructureShape<EncryptionConfiguration> = {
  type: 'structure',
  members: {
    encryptionType: { type: 'string', enum: ['AES256', 'KMS', 'KMS_DSSE'], required: true },
    kmsKey: { type: 'string', min: 1, max: 2048 },
  },
};

export const POLICY_TEXT = { type: 'string', min: 0, max: 10_240 } as const satisfies StringShape;
