import { digestOf, type Digest } from '../core/digest.ts';
import { findReferences } from './find/find-references.ts';
import type { FileFindings, FindOptions } from './find/types.ts';
import type { Edit, FilePlan } from './plan-edits.ts';
import type { FileReplacer, StagedFile } from './ports.ts';

/** The bytes with every edit made and nothing else touched. Edits are in rising order and do not overlap; anything else is a bug. */
export function spliceBytes(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const { start, end, text } of edits) {
    if (start < from || end < start || end > bytes.length) throw new Error(`edits overlap at byte ${start}`);
    pieces.push(bytes.subarray(from, start), Buffer.from(text, 'latin1'));
    from = end;
  }
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}

/**
 * Reads the new bytes as any file, holds them against what the file said before, and compares with what was meant: every planned place says its new reference, every
 * other place says what it said before. Gives the first disagreement as a sentence, `undefined` when there is none.
 */
export function disagreement(
  path: string,
  old: FileFindings,
  after: Uint8Array,
  plan: FilePlan,
  options: FindOptions,
): string | undefined {
  const now = findReferences(path, after, options);
  if (now === undefined || now.problems.length > 0) return 'the file no longer reads as what it was';
  if (old.references.length !== now.references.length)
    return `${now.references.length} references would be there instead of ${old.references.length}`;
  const meant = new Map(plan.changes.map(({ found, after: text }) => [placeOf(found), text]));
  for (const [index, found] of old.references.entries()) {
    const is = now.references[index]!;
    const should = meant.get(placeOf(found)) ?? found.reference;
    if (is.reference !== should || is.skip !== found.skip)
      return `line ${is.line} would say ${is.reference} instead of ${should}`;
  }
  return undefined;
}

const placeOf = (found: { position: string; parts: { start: number; role: string }[] }): string =>
  `${found.position}|${found.parts.map(({ role, start }) => `${role}@${start}`).join()}`;

export type ApplyOutcome = { path: string; result: 'written' } | { path: string; result: 'changed' | 'refused'; reason: string };

export interface PreparedFile {
  path: string;
  /** Of the bytes that the edit was planned on. */
  before: Digest;
  staged: StagedFile;
}

/**
 * Splices, reads the result again, and stages it beside the file. A file that must be left alone is an outcome. `path` is what
 * the file is called (its kind follows from it), `location` where it lies.
 */
export async function prepareFile(
  replacer: FileReplacer,
  { path, location }: { path: string; location: string },
  before: Uint8Array,
  findings: FileFindings,
  plan: FilePlan,
  options: FindOptions,
): Promise<PreparedFile | ApplyOutcome> {
  const after = spliceBytes(before, plan.edits);
  const reason = disagreement(path, findings, after, plan, options);
  if (reason !== undefined) return { path, result: 'refused', reason: `the edit was not made, because after it ${reason}` };
  return { path, before: digestOf(before), staged: await replacer.stage(location, after) };
}

/** Puts a prepared file in place, unless somebody else has written it since it was read. */
export async function commitFile(file: PreparedFile): Promise<ApplyOutcome> {
  const result = await file.staged.commit(file.before);
  if (result === 'replaced') return { path: file.path, result: 'written' };
  return { path: file.path, result: 'changed', reason: 'it was changed by somebody else in the meantime and is left alone' };
}
