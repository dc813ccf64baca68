import type { Page, PageRequest } from '../core/page.ts';
import type { Caller, Place } from '../core/place.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import type { Digest } from '../core/digest.ts';
import type { Repository } from '../registry/registry.ts';
import type { BytesFreed } from './bytes-freed.ts';
import type { JudgedImage } from './evaluate.ts';
import type { StoredLifecycleImage } from './read-images.ts';
import type { VerdictCounts } from './summarize.ts';
import type { PolicyWarning } from './warn-policy.ts';

/**
 * The room of lifecycle policies: keeps them, says what they would do, and does it. What a preview says and what a run does
 * come from one function, `evaluateLifecycle`.
 */
export interface Lifecycle {
  /** Raises `lifecycle-policy-unknown`. */
  get(repository: Repository): Promise<StoredPolicy>;
  /**
   * Checks and keeps a policy, switched on, and starts a run that nobody waits for, unless `run` is false. Raises
   * `parameter-invalid`.
   */
  put(caller: Caller, repository: Repository, text: string, options?: { run?: boolean }): Promise<StoredPolicy>;
  /** Gives what was there. Raises `lifecycle-policy-unknown`. */
  delete(caller: Caller, repository: Repository): Promise<StoredPolicy>;
  /** What in a policy is probably not meant, by the images that are there. Raises `parameter-invalid`. */
  warn(repository: Repository, text: string): Promise<PolicyWarning[]>;
  /** Off: the policy stays, and only a person's word runs it. Raises `lifecycle-policy-unknown`. */
  setOff(caller: Caller, repository: Repository, isOff: boolean): Promise<StoredPolicy>;

  /**
   * What a policy would do now, to every image, and why; nothing is kept. Without a text, the repository's own.
   * Raises `parameter-invalid`, `lifecycle-policy-unknown`.
   */
  explain(repository: Repository, text?: string): Promise<LifecyclePreview>;
  /** As the ECR API has it. Raises `parameter-invalid`, `lifecycle-policy-unknown`, `lifecycle-preview-running`. */
  startPreview(repository: Repository, text?: string): Promise<{ policyText: string }>;
  /** Raises `lifecycle-preview-unknown`. */
  getPreview(repository: Repository, request: PreviewRequest): Promise<StoredPreview>;

  /**
   * Evaluates the policy and carries it out. Without `confirmed`, a run that would take too much only leaves word that it
   * waits (status `waiting`). Raises `lifecycle-policy-unknown`, `repository-unknown`.
   */
  run(caller: Caller, repository: Repository, options?: { confirmed?: boolean }): Promise<LifecycleRun>;
  /** Latest first; runs that changed nothing are not kept. The repository may be gone. */
  runs(place: Place & { name: RepositoryName }, page: PageRequest): Promise<Page<LifecycleRun>>;
  /**
   * Brings back all that a run expired or archived and that can still be restored, and switches the policy off, which
   * would do the same again. Raises `lifecycle-run-unknown`.
   */
  undo(caller: Caller, repository: Repository, run: string): Promise<UndoneRun>;

  /** Runs what is due. Call it every minute or so. */
  tick(): Promise<void>;
  /** Resolves when no preview and no run is under way. */
  idle(): Promise<void>;
  /** Ends runs at their next step and waits for that; what they have not done is due again. */
  close(): Promise<void>;
}

export interface StoredPolicy {
  repository: RepositoryName;
  text: string;
  updatedAt: number;
  updatedBy: string;
  lastEvaluatedAt?: number;
  isOff: boolean;
}

export interface LifecyclePreview {
  repository: RepositoryName;
  policyText: string;
  evaluatedAt: number;
  /** Oldest first. */
  images: JudgedImage<StoredLifecycleImage>[];
  counts: VerdictCounts;
  freed: BytesFreed;
  findings?: number;
  warnings: PolicyWarning[];
}

export interface PreviewRequest extends PageRequest {
  tagStatus?: 'TAGGED' | 'UNTAGGED' | 'ANY';
  /** Only these; no paging then. */
  only?: { digest?: string; tag?: string }[];
}

export interface StoredPreview {
  policyText: string;
  status: 'IN_PROGRESS' | 'COMPLETE' | 'EXPIRED' | 'FAILED';
  images: PreviewedImage[];
  expiring: number;
  archiving: number;
  next?: string;
}

export interface PreviewedImage {
  digest: Digest;
  tags: string[];
  pushedAt: number;
  action: 'expire' | 'archive';
  rule: number;
  storageClass: 'standard' | 'archive';
}

export interface LifecycleRun {
  id: string;
  repository: RepositoryName;
  startedAt: number;
  finishedAt: number;
  /** `interrupted`: the server ended in the middle; what it had done is done, and the next run goes on. */
  status: 'done' | 'waiting' | 'running' | 'interrupted' | 'undone';
  principal: string;
  /** Images that it looked at. */
  images: number;
  expired: number;
  archived: number;
  /** Left alone, because somebody needs them. */
  held: number;
  /** Why it waits, and how to go on. */
  waits?: string;
  /** Images that changed while it ran, or that could not go. */
  left: { digest: Digest; reason: string }[];
}

export interface UndoneRun {
  run: string;
  restored: Digest[];
  /** Back from the archive. */
  activated: Digest[];
  /** Tags that point at another image by now, and stay there. */
  tagsTaken: string[];
  /** Could not be brought back. */
  lost: { digest: Digest; reason: string }[];
  policyOff: boolean;
}
