import type { ECR } from '@aws-sdk/client-ecr';
import { authorizationOperations } from './authorization.ts';
import { imageListOperations } from './image-lists.ts';
import { imageOperations } from './images.ts';
import { layerOperations } from './layers.ts';
import { lifecycleOperations } from './lifecycle.ts';
import type { EcrOperation } from './operation.ts';
import { policyOperations } from './policies.ts';
import { repositoryOperations } from './repositories.ts';
import { settingOperations } from './settings.ts';
import { tagOperations } from './tags.ts';
import { templateOperations } from './templates.ts';

type MethodName = Exclude<
  keyof ECR,
  'config' | 'initConfig' | 'middlewareStack' | 'send' | 'destroy' | `${'paginate' | 'waitFor' | 'waitUntil'}${string}`
>;
/** Every operation that AWS's SDK knows. One that appears there and is not in the table below does not compile. */
export type EcrOperationName = Capitalize<MethodName & string>;

const REPLICATION =
  'It keeps one copy, where its storage is. Copy images with your own tool (skopeo sync, crane copy), or replicate the storage.';
const PULL_THROUGH =
  'It does not fetch from other registries by itself. Copy images into it (skopeo copy, crane copy) or pull them from where they are.';
const SIGNING =
  'It does not sign images by itself. Sign them with cosign or notation and push the signatures: they are kept as referrers of the image.';
const PULL_TIMES = 'Every pull counts. A pull that should not can read the image by ListImages and DescribeImages instead.';
const SCANNING = 'Images are not scanned yet. Pull the image and scan it with a tool of your own.';

/** Everything that the ECR API has: what each operation takes, which right it needs, and what does it. */
export const ECR_OPERATIONS = {
  ...authorizationOperations,
  ...repositoryOperations,
  ...imageOperations,
  ...imageListOperations,
  ...layerOperations,
  ...policyOperations,
  ...templateOperations,
  ...settingOperations,
  ...tagOperations,
  ...lifecycleOperations,

  DescribeImageScanFindings: refuse('DescribeImageScanFindings', SCANNING),
  StartImageScan: refuse('StartImageScan', SCANNING),

  PutReplicationConfiguration: refuse('PutReplicationConfiguration', REPLICATION),
  DescribeImageReplicationStatus: refuse('DescribeImageReplicationStatus', REPLICATION),
  StartReplicationBackfill: refuse('StartReplicationBackfill', REPLICATION),
  StopReplicationBackfill: refuse('StopReplicationBackfill', REPLICATION),
  ListReplicationBackfills: refuse('ListReplicationBackfills', REPLICATION),
  DescribeReplicationBackfillResults: refuse('DescribeReplicationBackfillResults', REPLICATION),
  CreatePullThroughCacheRule: refuse('CreatePullThroughCacheRule', PULL_THROUGH),
  UpdatePullThroughCacheRule: refuse('UpdatePullThroughCacheRule', PULL_THROUGH),
  DeletePullThroughCacheRule: refuse('DeletePullThroughCacheRule', PULL_THROUGH),
  DescribePullThroughCacheRules: refuse('DescribePullThroughCacheRules', PULL_THROUGH),
  ValidatePullThroughCacheRule: refuse('ValidatePullThroughCacheRule', PULL_THROUGH),
  PutSigningConfiguration: refuse('PutSigningConfiguration', SIGNING),
  GetSigningConfiguration: refuse('GetSigningConfiguration', SIGNING),
  DeleteSigningConfiguration: refuse('DeleteSigningConfiguration', SIGNING),
  DescribeImageSigningStatus: refuse('DescribeImageSigningStatus', SIGNING),
  RegisterPullTimeUpdateExclusion: refuse('RegisterPullTimeUpdateExclusion', PULL_TIMES),
  DeregisterPullTimeUpdateExclusion: refuse('DeregisterPullTimeUpdateExclusion', PULL_TIMES),
  ListPullTimeUpdateExclusions: refuse('ListPullTimeUpdateExclusions', PULL_TIMES),
} as const satisfies Record<EcrOperationName, EcrOperation>;

export function findOperation(name: string): EcrOperation | undefined {
  return Object.hasOwn(ECR_OPERATIONS, name) ? ECR_OPERATIONS[name as EcrOperationName] : undefined;
}

/** One row for each operation, by name, for the documentation. */
export function ecrCoverage(): { operation: string; status: 'implemented' | 'refused'; why?: string }[] {
  return Object.entries<EcrOperation>(ECR_OPERATIONS)
    .map(([operation, entry]) => ({ operation, status: entry.kind, ...(entry.kind === 'refused' ? { why: entry.instead } : {}) }))
    .sort((a, b) => (a.operation < b.operation ? -1 : 1));
}

function refuse(operation: string, instead: string): EcrOperation {
  return { kind: 'refused', action: `ecr:${operation}`, instead };
}
