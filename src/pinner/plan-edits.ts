import { isDigest, type Digest } from '../core/digest.ts';
import type { Failure } from '../client/outcome.ts';
import type { FileFindings, FoundReference, ReferencePart } from './find/types.ts';
import type { Reference } from '../core/reference.ts';
import { editable, followed, keyOf } from './reference-key.ts';
import { isAdmitted, type RegistryFilter } from './registries.ts';
import type { Resolutions } from './resolve.ts';

/** `pin`: digests where there is none. `update`: also the digests (and, under a policy, tags) that are there. `remove`: takes digests away. */
export type PinMode = 'pin' | 'update' | 'remove';
/** `tag`: `name:tag@digest`. `digest`: `name@digest`. */
export type PinStyle = 'tag' | 'digest';

export interface PlanOptions {
  mode: PinMode;
  style: PinStyle;
  filter: RegistryFilter;
}

/** One splice: the bytes from `start` to `end` become `text`, which is ASCII. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

export interface PlannedChange {
  found: FoundReference;
  /** The whole reference, before and after. */
  before: string;
  after: string;
}

export interface FilePlan {
  /** In rising order, none overlapping another. */
  edits: Edit[];
  changes: PlannedChange[];
  /** Places that should have changed and could not. */
  failures: { found: FoundReference; failure: Failure }[];
}

/**
 * What to splice into a file so that its references say what was resolved. Pure: `bytes` are read only where a place's
 * spelling depends on what stands around it. A place whose reference was not resolved is a failure; no edit is made for it.
 */
export function planEdits(bytes: Uint8Array, findings: FileFindings, resolutions: Resolutions, options: PlanOptions): FilePlan {
  return planTargets(bytes, findings, options.style, (reference) => targetOf(reference, resolutions, options));
}

/** What a place shall say besides its name. Without a digest, the digest goes. */
export interface Target {
  tag?: string;
  digest?: Digest;
}

/** Plans with any rule: `decide` gives the target of a reference, a failure to report, or nothing to leave the place alone. */
export function planTargets(
  bytes: Uint8Array,
  findings: FileFindings,
  style: PinStyle,
  decide: (reference: Reference) => Target | { failure: Failure } | undefined,
): FilePlan {
  const plan: FilePlan = { edits: [], changes: [], failures: [] };
  if (findings.problems.length > 0) return plan;
  for (const found of findings.references) {
    const reference = editable(found);
    const target = reference && decide(reference);
    if (target === undefined) continue;
    if ('failure' in target) {
      plan.failures.push({ found, failure: target.failure });
      continue;
    }
    const parts = rewrite(bytes, found, target, style);
    const edits = parts.filter(({ part, text }) => part.text !== text).map(({ part, text }) => splice(part, text));
    if (edits.length === 0) continue;
    plan.changes.push({ found, before: found.reference, after: referenceWith(found, target, parts) });
    plan.edits.push(...edits);
  }
  plan.edits = inOrder(plan.edits);
  return plan;
}

function targetOf(
  reference: Reference,
  resolutions: Resolutions,
  { mode, filter }: PlanOptions,
): Target | { failure: Failure } | undefined {
  if (!isAdmitted(reference, filter)) return undefined;
  if (mode === 'remove') {
    // Without its digest, a reference that has no tag would mean another image.
    return reference.digest === undefined || reference.tag === undefined ? undefined : { tag: reference.tag };
  }
  if (reference.digest !== undefined && mode === 'pin') return undefined;
  const follows = followed(reference);
  if (follows === undefined) return undefined;
  const outcome = resolutions.get(keyOf(follows));
  if (outcome === undefined) return undefined;
  if (!outcome.ok) return { failure: outcome.failure };
  const { digest, tag = follows.tag } = outcome.value;
  return { digest, ...(tag ? { tag } : {}) };
}

type NewPart = { part: ReferencePart; text: string };

function rewrite(bytes: Uint8Array, found: FoundReference, target: Target, style: PinStyle): NewPart[] {
  const byRole = (role: ReferencePart['role']): ReferencePart | undefined => found.parts.find((part) => part.role === role);
  const whole = byRole('reference');
  const tag = byRole('tag');
  const digest = byRole('digest');
  if (whole !== undefined) {
    const dropTag = style === 'digest' && target.digest !== undefined;
    return [{ part: whole, text: `${nameIn(whole.text)}${suffix(dropTag ? { digest: target.digest! } : target)}` }];
  }
  if (digest !== undefined) {
    // Charts write the hexadecimal part alone below a key such as `sha`, and put `@sha256:` before it themselves.
    const hexOnly = isHexOnly(bytes, digest);
    const text = target.digest === undefined ? '' : hexOnly ? target.digest.slice(target.digest.indexOf(':') + 1) : target.digest;
    const parts: NewPart[] = [{ part: digest, text: spaced(bytes, digest, text) }];
    if (tag !== undefined && target.tag !== undefined) parts.push({ part: tag, text: target.tag });
    return parts;
  }
  // Split over keys without one for the digest: it goes behind the tag, where every template that joins them puts it right.
  if (tag === undefined) return [];
  return [
    { part: tag, text: suffix({ tag: target.tag ?? 'latest', ...(target.digest ? { digest: target.digest } : {}) }).slice(1) },
  ];
}

/** The registry and path as written. */
function nameIn(text: string): string {
  const name = text.split('@', 1)[0]!;
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') && !name.endsWith(']') ? name.slice(0, colon) : name;
}

function suffix({ tag, digest }: Target): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** As `findReferences` should read it once the edit is made. */
function referenceWith(found: FoundReference, target: Target, parts: NewPart[]): string {
  const whole = parts.find(({ part }) => part.role === 'reference');
  if (whole !== undefined) return whole.text;
  const tag = found.parts.some(({ role }) => role === 'tag') ? target.tag : undefined;
  return `${nameIn(found.reference)}${suffix({ ...(tag ? { tag } : {}), ...(target.digest ? { digest: target.digest } : {}) })}`;
}

function isHexOnly(bytes: Uint8Array, part: ReferencePart): boolean {
  if (part.text !== '') return !isDigest(part.text) && /^[a-f0-9]{64}$/.test(part.text);
  const before = Buffer.from(bytes.subarray(Math.max(0, part.start - 80), part.start)).toString('latin1');
  return /(?:^|[\s,{"'])(?:[\w-]*(?:sha|Sha|SHA)(?:256)?)["']?\s*[:=]\s*["']?$/.test(before);
}

/** A value that was empty stands right behind its colon; YAML wants a space between them. */
function spaced(bytes: Uint8Array, part: ReferencePart, text: string): string {
  return text !== '' && part.start === part.end && bytes[part.start - 1] === 0x3a ? ` ${text}` : text;
}

/** The smallest splice: what old and new text have in common at their start stays as it is. */
function splice(part: ReferencePart, text: string): Edit {
  let same = 0;
  while (same < part.text.length && same < text.length && part.text[same] === text[same]) same++;
  // Counted from the end: a JSON string may spell the name with escapes (`\/`), which make its bytes longer than its text.
  return { start: part.end - (part.text.length - same), end: part.end, text: text.slice(same) };
}

/** Two places may be the same bytes (an anchor and its alias): the splice is made once. */
function inOrder(edits: Edit[]): Edit[] {
  const sorted = edits.toSorted((a, b) => a.start - b.start || a.end - b.end);
  return sorted.filter((edit, index) => {
    const before = sorted[index - 1];
    return before === undefined || before.start !== edit.start || before.end !== edit.end || before.text !== edit.text;
  });
}
