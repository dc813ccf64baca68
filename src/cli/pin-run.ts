import { relative, resolve } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { digestOf } from '../core/digest.ts';
import { DOCKER_HUB, type Reference } from '../core/reference.ts';
import type { Failure, Outcome } from '../client/outcome.ts';
import type { RegistryClient } from '../client/registry-client.ts';
import { commitFile, prepareFile, type ApplyOutcome, type PreparedFile } from '../pinner/apply-edits.ts';
import { childrenOf, platformOf } from '../pinner/check.ts';
import { findReferences } from '../pinner/find/find-references.ts';
import type { FileFindings, FoundReference } from '../pinner/find/types.ts';
import { extendLock, formatLock, resolveFromLock, type Lock, type LockedPin } from '../pinner/lock.ts';
import type { FilePlan, PinMode } from '../pinner/plan-edits.ts';
import { editable, followed, keyOf } from '../pinner/reference-key.ts';
import { isAdmitted, type RegistryFilter } from '../pinner/registries.ts';
import { inParallel, resolveReferences, type Resolution, type Resolutions } from '../pinner/resolve.ts';
import type { Policy } from '../pinner/semantic-tag.ts';
import { unifiedDiff } from '../pinner/unified-diff.ts';
import { CommandFailure, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import { createFileReplacer, machineFiles } from './pin-files.ts';
import { detached, type ScannedFile } from './pin-scan.ts';
import { createProgress } from './progress.ts';

/** The references that a mode wants resolved, each once. */
export function wanted(files: readonly ScannedFile[], mode: PinMode, filter: RegistryFilter): Map<string, Reference> {
  const references = new Map<string, Reference>();
  if (mode === 'remove') return references;
  for (const { findings } of files) {
    if (findings.problems.length > 0) continue;
    for (const found of findings.references) {
      const reference = editable(found);
      if (reference === undefined || !isAdmitted(reference, filter) || (mode === 'pin' && reference.digest !== undefined))
        continue;
      const follows = followed(reference);
      if (follows !== undefined) references.set(keyOf(follows), follows);
    }
  }
  return references;
}

export interface ResolveWish {
  client: RegistryClient;
  policy: Policy;
  lock: Lock | undefined;
  /** Only from the lock. */
  frozen: boolean;
  /** Ask even for what the lock has. */
  fresh: boolean;
}

/** From the lock where it has them and that is wished, from the registries otherwise. */
export async function resolveAll(
  context: CommandContext,
  references: Map<string, Reference>,
  wish: ResolveWish,
): Promise<Resolutions> {
  const { client, policy, lock = new Map(), frozen, fresh } = wish;
  if (frozen) return resolveFromLock(lock, references.values());
  const known = fresh ? [] : [...references].filter(([key]) => lock.has(key));
  const unknown = [...references].filter(([key]) => fresh || !lock.has(key));
  const progress = createProgress(context.stderr, { label: 'resolving', total: unknown.length, now: context.now });
  const asked = await resolveReferences(
    client,
    unknown.map(([, reference]) => reference),
    { policy, onResolved: (count) => progress.advance(count) },
  );
  if (context.stderr.isTTY === true && unknown.length > 0) progress.finish(`resolved ${unknown.length} references`);
  return new Map([
    ...resolveFromLock(
      lock,
      known.map(([, reference]) => reference),
    ),
    ...asked,
  ]);
}

export interface FileChange {
  path: string;
  plan: FilePlan;
}

export interface EditRun {
  /** Files with changes, by path; written if that was wished and they are not among `left`. */
  changed: FileChange[];
  /** Files that had to be left alone, and why. */
  left: { path: string; reason: string }[];
  written: string[];
  /** Places whose reference could not be resolved. */
  failures: { path: string; found: FoundReference; failure: Failure }[];
}

export interface EditWish {
  write: boolean;
  /** Why a file that would be written must be left alone. */
  refuse?(path: string): string | undefined;
  /** All files or none; any failure means none. */
  atomic: boolean;
  /** Receives the diff of each file, in order of paths. */
  onDiff?(diff: Buffer): void;
}

/** Plans every file anew from its bytes as they are now, and writes or shows what comes out. */
export async function editFiles(
  context: CommandContext,
  files: readonly ScannedFile[],
  planFile: (bytes: Uint8Array, file: ScannedFile) => FilePlan,
  wish: EditWish,
): Promise<EditRun> {
  const run: EditRun = { changed: [], left: [], written: [], failures: [] };
  const replacer = createFileReplacer(process.pid);
  const prepared: PreparedFile[] = [];
  const note = (outcome: ApplyOutcome): void => {
    if (outcome.result === 'written') run.written.push(outcome.path);
    else run.left.push({ path: outcome.path, reason: outcome.reason });
  };

  for (const file of files) await editOne(file);

  async function editOne(file: ScannedFile): Promise<void> {
    const location = resolve(context.cwd, file.path);
    try {
      const bytes = await machineFiles.readFile(location);
      const findings = findAgain(file, bytes);
      const plan = planFile(bytes, { ...file, findings });
      run.failures.push(...plan.failures.map((failure) => ({ path: file.path, ...failure })));
      if (plan.changes.length === 0) return;
      run.changed.push({ path: file.path, plan });
      wish.onDiff?.(unifiedDiff(file.path, bytes, plan.edits));
      if (!wish.write) return;
      const refused = wish.refuse?.(file.path);
      if (refused !== undefined) {
        run.left.push({ path: file.path, reason: refused });
        return;
      }
      const ready = await prepareFile(replacer, { path: file.path, location }, bytes, findings, plan, file.options);
      if ('result' in ready) note(ready);
      else if (wish.atomic) prepared.push(ready);
      else note(await commitFile(ready));
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      if (syscall === undefined) throw error;
      run.left.push({ path: file.path, reason: code === 'ENOENT' ? 'it is no longer there' : `it cannot be written (${code})` });
    }
  }

  if (wish.atomic) {
    const sound = run.left.length === 0 && run.failures.length === 0;
    for (const file of prepared) {
      if (sound) note(await commitFile(file));
      else await file.staged.discard();
    }
  }
  for (const list of [run.changed, run.left, run.failures]) list.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  run.written.sort();
  return run;
}

/** What the file says now: nearly always what it said when it was scanned. */
function findAgain(file: ScannedFile, bytes: Uint8Array): FileFindings {
  if (digestOf(bytes) === file.content) return file.findings;
  const findings = findReferences(file.path, bytes, file.options);
  return findings === undefined ? { fileType: file.findings.fileType, references: [], problems: [] } : detached(findings);
}

/** What a pin is, beyond its digest, by the reference that it follows. */
export type PinFacts = Map<string, Omit<LockedPin, 'resolvedAt'>>;

/**
 * Fetches the manifest under each digest and checks its bytes: a registry that answered with a digest which it does not have
 * is a failure. What the lock has already is not asked for again.
 */
export async function verifyPins(
  client: RegistryClient,
  references: Map<string, Reference>,
  resolutions: Resolutions,
  lock: Lock,
): Promise<{ resolutions: Resolutions; facts: PinFacts }> {
  const verified = new Map(resolutions);
  const facts: PinFacts = new Map();
  await inParallel(resolutions, 64, async ([asked, outcome]) => {
    const reference = references.get(asked);
    if (!outcome.ok || reference === undefined) return;
    const { digest, tag } = outcome.value;
    const key = keyOf({ ...reference, ...(tag ? { tag } : {}) });
    if (lock.get(key)?.digest === digest) return;
    const fetched = await client.getManifest({ host: reference.host, path: reference.path, digest });
    if (!fetched.ok) {
      verified.set(asked, {
        ok: false,
        failure: { ...fetched.failure, reason: `${digest} was told and cannot be had: ${fetched.failure.reason}` },
      });
      return;
    }
    const { bytes, mediaType } = fetched.value;
    const platforms = (childrenOf(bytes, mediaType) ?? []).map(platformOf).filter((platform) => platform !== undefined);
    facts.set(key, { digest, mediaType, ...(platforms.length > 0 ? { platforms: [...new Set(platforms)] } : {}) });
  });
  return { resolutions: verified, facts };
}

/** What files pin already and the lock does not have: it belongs into the lock as it is. */
export function alreadyPinned(
  files: readonly ScannedFile[],
  filter: RegistryFilter,
  lock: Lock,
): { references: Map<string, Reference>; resolutions: Resolutions } {
  const references = new Map<string, Reference>();
  const resolutions = new Map<string, Outcome<Resolution>>();
  for (const found of files.flatMap(({ findings }) => findings.references)) {
    const reference = editable(found);
    const follows = reference && followed(reference);
    if (reference?.digest === undefined || follows === undefined || !isAdmitted(reference, filter) || lock.has(keyOf(follows)))
      continue;
    references.set(keyOf(follows), follows);
    resolutions.set(keyOf(follows), { ok: true, value: { digest: reference.digest } });
  }
  return { references, resolutions };
}

/** Puts pins into the lock file, which stays as it is when they are all there. True when it has changed. */
export async function writeLock(context: CommandContext, path: string, lock: Lock, facts: PinFacts): Promise<boolean> {
  const text = Buffer.from(formatLock(extendLock(lock, facts, context.now())));
  if ((await machineFiles.stat(path)) === undefined) {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  }
  const before = await machineFiles.readFile(path);
  if (Buffer.compare(before, text) === 0) return false;
  const staged = await createFileReplacer(process.pid).stage(path, text);
  const result = await staged.commit(digestOf(before));
  if (result === 'changed')
    throw new CommandFailure(`${shownPath(context, path)} was changed by somebody else in the meantime.`, {
      kind: 'changed',
      advice: 'Run the command again.',
    });
  return true;
}

/** What could not be resolved, one line for each reference with the places that need it. */
export function describeFailures(failures: EditRun['failures']): string[] {
  const byReference = Map.groupBy(failures, ({ found, failure }) => `${found.reference}\n${failure.kind}\n${failure.reason}`);
  return [...byReference.values()].map((places) => {
    const { path, found, failure } = places[0]!;
    const more = places.length > 1 ? ` and ${places.length - 1} more` : '';
    return printable(
      `${failure.kind}: ${found.reference} (${path}:${found.line}${more}): ${failure.host === DOCKER_HUB ? 'Docker Hub' : failure.host}: ${failure.reason}`,
    );
  });
}

export function shownPath(context: CommandContext, path: string): string {
  return relative(context.cwd, path) || path;
}
