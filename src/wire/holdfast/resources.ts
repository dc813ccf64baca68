import type { AccessKeySummary } from '../../access/keys.ts';
import type { SecretSummary } from '../../access/secrets.ts';
import type { LifecycleRun, StoredPolicy } from '../../lifecycle/lifecycle.ts';
import type { PolicyWarning } from '../../lifecycle/warn-policy.ts';
import type { CollectedImages } from '../../orchestrator/ports.ts';
import type { AuditEvent, CollectionReport, DeletedImage, Hold, Repository, TagEvent } from '../../registry/registry.ts';
import { isoTime } from './time.ts';

/** What answers are made of: each member and what it says, for the documentation; a test holds the answers against it. */
export const RESOURCES = {
  Key: {
    'accessKeyId': 'names the key',
    'userName': 'whose it is',
    'arn': 'as policies and the audit log name its user',
    'allow': 'what it may do: list of strings',
    'createdAt': 'time',
    'revokedAt?': 'time; such a key is refused for ever',
    'lastUsedAt?': 'time, to the minute or so',
  },
  NewKey: {
    'accessKeyId': 'names the key',
    'secretAccessKey': 'shown here and never again',
    'userName': 'whose it is',
    'arn': 'as policies and the audit log name its user',
    'allow': 'what it may do: list of strings',
    'createdAt': 'time',
  },
  Secret: { 'name': 'names the secret', 'createdAt': 'time', 'updatedAt': 'time at which its value was set last' },
  LogLine: {
    'container': 'which of the task',
    'stream': 'stdout or stderr',
    'at?': 'time, where it is known',
    'text': 'without its line end',
  },
  Rollback: {
    'revision': 'the service revision that is deployed again: its number',
    'deploymentId': 'ecs-svc/ and that number',
    'taskDefinition': 'ARN',
  },
  Hold: {
    'id': 'names the hold',
    'repository': 'where the image is',
    'digest': 'what may not be deleted, with all that it needs',
    'kind': 'what sort of holder',
    'holder': 'who holds it',
    'note?': 'why',
    'since': 'time',
    'expiresAt?': 'time; absent: until it is released',
    'principal': 'who took it',
  },
  TagEvent: {
    'tag': 'which tag moved',
    'at': 'time',
    'oldDigest?': 'absent: the tag was new',
    'newDigest?': 'absent: the tag was taken away',
    'principal': 'who did it',
    'cause': 'by what: push, delete, restore, …',
  },
  TagTarget: { 'repository': '', 'tag': '', 'time': 'as it was asked', 'digest?': 'what the tag pointed at; absent: nothing' },
  RestoredTag: { 'repository': '', 'tag': '', 'digest': 'what the tag points at now' },
  DeletedImage: {
    'digest': '',
    'mediaType': 'of the manifest',
    'tags': 'that it had: list of strings',
    'pushedAt': 'time',
    'deletedAt': 'time',
    'purgeAt': 'time at which it is gone for good',
    'principal': 'who deleted it',
    'cause': 'by what: delete, expire, …',
    'run?': 'which run of a lifecycle policy',
  },
  RestoredImage: {
    'repository': '',
    'digest': '',
    'tags': 'that it has again: list of strings',
    'tagsTaken': 'that point at another image by now: list of strings',
  },
  LifecyclePolicy: {
    'repository': '',
    'policy': "ECR's JSON, as a string",
    'updatedAt': 'time',
    'updatedBy': 'who put it',
    'lastEvaluatedAt?': 'time of the last run',
    'off': 'true: it runs on demand only',
    'warnings': 'what is probably not meant: list of { rule, kind, message }',
  },
  LifecyclePreview: {
    'repository': '',
    'policy': 'which was evaluated',
    'evaluatedAt': 'time',
    'summary':
      'images, expiring, archiving, held, keeping, tagsGoing, sharePercent, waits, bytesFreed, referrersGoing, entriesLeft, bytesFreedWithEntries, findingsGoing: object',
    'warnings': 'what is probably not meant: list of { rule, kind, message }',
    'images':
      'oldest first: list of { digest, tags, verdict, wouldBe, rule, why, reason, holders, pushedAt, pulledAt, storageClass, imageBytes }',
  },
  LifecycleRun: {
    'id': 'names the run, for undoing it',
    'repository': '',
    'startedAt': 'time',
    'finishedAt': 'time',
    'status': 'done, waiting, running, interrupted, undone',
    'principal': 'who asked for it',
    'images': 'how many it looked at',
    'expired': 'how many it deleted',
    'archived': 'how many it put into the archive',
    'held': 'how many it left alone, because somebody needs them',
    'waits?': 'why it waits, and how to go on',
    'left': 'images that changed while it ran, or that could not go: list of { digest, reason }',
  },
  UndoneLifecycleRun: {
    'run': '',
    'restored': 'digests that are back: list of strings',
    'activated': 'digests that are back from the archive: list of strings',
    'tagsTaken': 'tags that point at another image by now: list of strings',
    'lost': 'what could not be brought back: list of { digest, reason }',
    'policyOff': 'true: the policy is switched off, so that it does not do the same again',
  },
  Collection: {
    'startedAt': 'time',
    'durationMs': 'milliseconds',
    'imagesPurged': 'deleted images whose grace period was over',
    'referrersDeleted': 'images that followed their subject',
    'uploadsDiscarded': 'uploads that nobody finished',
    'membershipsEnded': 'blobs that left a repository',
    'blobsDeleted': 'blobs removed from the disk',
    'bytesFreed': 'bytes that came free',
    'orphansDeleted': 'files that a crash had left behind',
    'holdsExpired': 'holds whose time was over',
    'unpackedImagesRemoved': 'images that were unpacked for tasks and that nothing needs',
    'unpackedLayersRemoved': 'their layers, where no other image has them',
    'unpackedBytesFreed': 'bytes of these, beside bytesFreed',
  },
  Scrub: {
    'blobs': 'how many were read',
    'bytes': 'in all',
    'corrupt': 'digests whose bytes are no longer right; they are out of the way: list of strings',
  },
  Repository: {
    'name': '',
    'createdAt': 'time',
    'tagMutability': 'as in the ECR API',
    'publicPull': 'true when anybody may pull without a login',
  },
  AuditEvent: {
    'at': 'time',
    'principal': 'who',
    'action': 'what was done',
    'repository?': 'where',
    'detail': 'digests, tags and counts: object',
  },
  Usage: {
    'repositories': '',
    'images': '',
    'blobs': '',
    'blobBytes': 'on the disk',
    'deletedImages': 'that can still be restored',
    'holds': '',
  },
} as const;

export type ResourceName = keyof typeof RESOURCES;

export function showKey(key: AccessKeySummary): object {
  const { accessKeyId, userName, arn, allow, createdAt, revokedAt, lastUsedAt } = key;
  return {
    accessKeyId,
    userName,
    arn,
    allow,
    createdAt: isoTime(createdAt),
    revokedAt: maybeTime(revokedAt),
    lastUsedAt: maybeTime(lastUsedAt),
  };
}

export function showSecret({ name, createdAt, updatedAt }: SecretSummary): object {
  return { name, createdAt: isoTime(createdAt), updatedAt: isoTime(updatedAt) };
}

export function showHold({ id, repository, digest, kind, holder, note, since, expiresAt, principal }: Hold): object {
  return { id, repository, digest, kind, holder, note, since: isoTime(since), expiresAt: maybeTime(expiresAt), principal };
}

export function showTagEvent({ tag, at, oldDigest, newDigest, principal, cause }: TagEvent): object {
  return { tag, at: isoTime(at), oldDigest, newDigest, principal, cause };
}

export function showDeletedImage({
  digest,
  mediaType,
  tags,
  pushedAt,
  deletedAt,
  purgeAt,
  principal,
  cause,
  run,
}: DeletedImage): object {
  return {
    digest,
    mediaType,
    tags,
    pushedAt: isoTime(pushedAt),
    deletedAt: isoTime(deletedAt),
    purgeAt: isoTime(purgeAt),
    principal,
    cause,
    run,
  };
}

export function showLifecyclePolicy(policy: StoredPolicy, warnings: PolicyWarning[]): object {
  const { repository, text, updatedAt, updatedBy, lastEvaluatedAt, isOff } = policy;
  return {
    repository,
    policy: text,
    updatedAt: isoTime(updatedAt),
    updatedBy,
    lastEvaluatedAt: maybeTime(lastEvaluatedAt),
    off: isOff,
    warnings,
  };
}

export function showLifecycleRun(run: LifecycleRun): object {
  return { ...run, startedAt: isoTime(run.startedAt), finishedAt: isoTime(run.finishedAt) };
}

export function showCollection(report: CollectionReport, unpacked: CollectedImages): object {
  return {
    ...report,
    startedAt: isoTime(report.startedAt),
    durationMs: Math.round(report.durationMs),
    unpackedImagesRemoved: unpacked.images,
    unpackedLayersRemoved: unpacked.layers,
    unpackedBytesFreed: unpacked.bytes,
  };
}

export function showRepository({ name, createdAt, tagMutability, publicPull }: Repository): object {
  return { name, createdAt: isoTime(createdAt), tagMutability, publicPull };
}

export function showAuditEvent({ at, principal, action, repository, detail }: AuditEvent): object {
  return { at: isoTime(at), principal, action, repository, detail };
}

function maybeTime(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : isoTime(milliseconds);
}
