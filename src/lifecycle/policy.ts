/**
 * A lifecycle policy as ECR's documents have it (lifecycle_policy_parameters), plus three things that ECR refuses and that
 * the switch `"holdfast": {"version": 1}` at the document's top allows:
 * - `keep` rules, which own what they select and never touch it;
 * - `sinceImagePulled` with `expire`;
 * - `"tagMatch": "any"`: one matching entry of the list is enough (ECR wants all of them).
 */
export interface LifecyclePolicy {
  /** By ascending priority. */
  rules: LifecycleRule[];
  /** Present when the document asks for what ECR refuses. */
  extension?: PolicyExtension;
}

export interface PolicyExtension {
  version: 1;
  /** A run that would expire more than this share of a repository, in percent, waits for a person's word. */
  confirmAbovePercent?: number;
}

export type CountType = 'imageCountMoreThan' | 'sinceImagePushed' | 'sinceImagePulled' | 'sinceImageTransitioned';
export type RuleAction = 'expire' | 'transition' | 'keep';
export type RuleStorageClass = 'standard' | 'archive';

export interface LifecycleRule {
  /** Lower goes first; unique in a policy. */
  priority: number;
  description?: string;
  tagStatus: 'tagged' | 'untagged' | 'any';
  /** For `tagged`: glob patterns, where `*` stands for any run of characters. A prefix is the pattern `prefix*`. */
  patterns: string[];
  /** As the document wrote them, for messages. */
  listMember?: 'tagPatternList' | 'tagPrefixList';
  /** Whether an image must match all patterns, each with any of its tags (as ECR), or one. */
  tagMatch: 'all' | 'any';
  storageClass: RuleStorageClass;
  action: RuleAction;
  /** Absent for `keep`. */
  countType?: CountType;
  /** Images to keep, or days. */
  countNumber?: number;
}

export const POLICY_LIMITS = { minCharacters: 100, maxCharacters: 30_720, rules: 50, wildcards: 4, archiveDays: 90 } as const;
