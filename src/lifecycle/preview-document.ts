import type { BytesFreed } from './bytes-freed.ts';
import { describeVerdict } from './describe-verdict.ts';
import type { ImageVerdict, JudgedImage, LifecycleImage, Verdict } from './evaluate.ts';
import type { VerdictCounts } from './summarize.ts';
import type { PolicyWarning } from './warn-policy.ts';

/** A preview as it goes over a wire or into a file: plain data, times as ISO 8601. What is `undefined` is left out. */
export interface PreviewDocument {
  repository: string;
  policy: string;
  evaluatedAt: string;
  summary: VerdictCounts & {
    bytesFreed?: number | undefined;
    referrersGoing?: number | undefined;
    entriesLeft?: number | undefined;
    bytesFreedWithEntries?: number | undefined;
    findingsGoing?: number | undefined;
  };
  warnings: PolicyWarning[];
  images: PreviewRow[];
}

export interface PreviewRow {
  digest: string;
  tags: readonly string[];
  verdict: Verdict;
  wouldBe?: 'expire' | 'archive' | undefined;
  rule?: number | undefined;
  why: string;
  reason: ImageVerdict['reason'];
  holders?: readonly string[] | undefined;
  pushedAt: string;
  pulledAt?: string | undefined;
  storageClass: 'standard' | 'archive';
  imageBytes: number;
}

/** What a preview document is made of. */
export interface PreviewFacts {
  repository: string;
  policyText: string;
  evaluatedAt: number;
  images: readonly JudgedImage<LifecycleImage & { imageBytes: number }>[];
  counts: VerdictCounts;
  /** Absent where only sizes as declared are known. */
  freed?: BytesFreed;
  findings?: number;
  warnings: PolicyWarning[];
}

export function createPreviewDocument(preview: PreviewFacts): PreviewDocument {
  const { repository, policyText, evaluatedAt, images, counts, freed, findings, warnings } = preview;
  return {
    repository,
    policy: policyText,
    evaluatedAt: isoTime(evaluatedAt),
    summary: {
      ...counts,
      bytesFreed: freed?.bytes,
      referrersGoing: freed?.referrers,
      entriesLeft: freed?.entries,
      bytesFreedWithEntries: freed?.bytesWithEntries,
      findingsGoing: findings,
    },
    warnings,
    images: images.map(createRow),
  };
}

/** Rows that are written at once. */
const PART = 500;

/** The same document as JSON text, part by part: the whole of a large repository's is tens of megabytes. */
export function* writePreviewDocument(preview: PreviewFacts): Generator<string> {
  const { images } = preview;
  const frame = JSON.stringify(createPreviewDocument({ ...preview, images: [] }));
  yield frame.slice(0, -']}'.length);
  for (let from = 0; from < images.length; from += PART) {
    const rows = images.slice(from, from + PART).map((image) => JSON.stringify(createRow(image)));
    yield `${from === 0 ? '' : ','}${rows.join(',')}`;
  }
  yield ']}';
}

function createRow({ image, verdict }: PreviewFacts['images'][number]): PreviewRow {
  return {
    digest: image.digest,
    tags: image.tags,
    verdict: verdict.verdict,
    wouldBe: verdict.wouldBe,
    rule: verdict.rule,
    why: describeVerdict(verdict),
    reason: verdict.reason,
    holders: verdict.holders,
    pushedAt: isoTime(image.pushedAt),
    pulledAt: image.pulledAt === undefined ? undefined : isoTime(image.pulledAt),
    storageClass: image.storageClass,
    imageBytes: image.imageBytes,
  };
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
