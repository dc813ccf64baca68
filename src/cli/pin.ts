import { resolve } from 'node:path';
import { formatReference, parseReference } from '../core/reference.ts';
import { planEdits, type PinMode, type PinStyle } from '../pinner/plan-edits.ts';
import { followed, keyOf } from '../pinner/reference-key.ts';
import { resolveReferences } from '../pinner/resolve.ts';
import { POLICIES, type Policy } from '../pinner/semantic-tag.ts';
import { jsonOption, UsageError, writeJson, writeLine, type Command, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import { pinCheckCommand } from './pin-check.ts';
import { clientOptions, openClient } from './pin-client.ts';
import { pinDriftCommand } from './pin-drift.ts';
import { openCheckout, type GitCheckout, type GitWish } from './pin-git.ts';
import { pinListCommand } from './pin-list.ts';
import { choiceOf, filterOf, lockOptions, lockPath, readLock, scopeOptions } from './pin-options.ts';
import {
  describeFailures,
  editFiles,
  alreadyPinned,
  resolveAll,
  shownPath,
  verifyPins,
  wanted,
  writeLock,
  type EditRun,
  type PinFacts,
} from './pin-run.ts';
import { scanFiles, type Scan } from './pin-scan.ts';

const writeOptions: Command['options'] = {
  write: { type: 'boolean', short: 'w', help: 'make the change instead of showing it' },
  atomic: { type: 'boolean', help: 'write all or nothing: one failure and no file changes' },
  commit: { type: 'string', value: 'MESSAGE', help: 'write, and commit what was written' },
  branch: { type: 'string', value: 'NAME', help: 'write on this branch, made if it is not there' },
  json: jsonOption,
};

const pinOptions: Command['options'] = {
  ...writeOptions,
  update: { type: 'boolean', help: 'also refresh digests that are there' },
  policy: { type: 'string', value: 'POLICY', help: 'digest, or patch, minor, major: how far tags move (implies --update)' },
  style: { type: 'string', value: 'STYLE', help: 'tag (name:tag@digest, the default) or digest (name@digest)' },
  lock: { type: 'boolean', help: 'keep what was resolved in the lock file' },
  frozen: { type: 'boolean', help: 'resolve from the lock file only' },
  verify: { type: 'boolean', help: 'fetch each manifest and check that its bytes have the digest' },
  ...lockOptions,
  ...scopeOptions,
  ...clientOptions,
};

async function runPin(context: CommandContext, options: Record<string, unknown>, operands: string[]): Promise<number> {
  const policy = choiceOf<Policy>(options['policy'], '--policy', POLICIES, 'digest');
  const mode: PinMode = options['update'] === true || options['policy'] !== undefined ? 'update' : 'pin';
  const frozen = options['frozen'] === true;
  if (frozen && options['lock'] === true)
    throw new UsageError('--frozen reads the lock file and --lock writes it: one or the other.');
  if (frozen && policy !== 'digest')
    throw new UsageError('--frozen takes digests from the lock file: tags cannot move by a policy.');
  const filter = filterOf(options);
  const style = choiceOf<PinStyle>(options['style'], '--style', ['tag', 'digest'], 'tag');
  const path = lockPath(context, options);
  const lock = await readLock(context, path);
  if (frozen && lock === undefined)
    throw new UsageError(`There is no lock file ${shownPath(context, path)}. Make one with: holdfast pin --write --lock`);
  const client = await openClient(context, options);
  try {
    const git = await prepareGit(context, options);
    const scan = await scanFiles(context, options, operands);
    const references = wanted(scan.files, mode, filter);
    let resolutions = await resolveAll(context, references, { client, policy, lock, frozen, fresh: mode === 'update' });
    const keeps = isWriting(options) && (options['lock'] === true || (lock !== undefined && !frozen));
    const facts: PinFacts = new Map();
    if (keeps || options['verify'] === true) {
      const verified = await verifyPins(
        client,
        references,
        resolutions,
        options['verify'] === true ? new Map() : (lock ?? new Map()),
      );
      resolutions = verified.resolutions;
      for (const [key, fact] of verified.facts) facts.set(key, fact);
    }
    if (keeps && options['lock'] === true) {
      const there = alreadyPinned(
        scan.files,
        filter,
        new Map([...(lock ?? []), ...facts].map(([key, pin]) => [key, { ...pin, resolvedAt: '' }])),
      );
      const verified = await verifyPins(client, there.references, there.resolutions, new Map());
      for (const [key, fact] of verified.facts) facts.set(key, fact);
      for (const [key, outcome] of verified.resolutions) {
        if (!outcome.ok)
          writeLine(context.stderr, printable(`warning: not locked: ${key}: ${outcome.failure.host}: ${outcome.failure.reason}`));
      }
    }
    return await carryOut(context, options, scan, {
      mode,
      plan: (bytes, file) => planEdits(bytes, file.findings, resolutions, { mode, style, filter }),
      git,
      lock: keeps ? { path, write: () => writeLock(context, path, lock ?? new Map(), facts) } : undefined,
    });
  } finally {
    client.close();
  }
}

async function runRemove(context: CommandContext, options: Record<string, unknown>, operands: string[]): Promise<number> {
  const filter = filterOf(options);
  const git = await prepareGit(context, options);
  const scan = await scanFiles(context, options, operands);
  const plan: Steps['plan'] = (bytes, file) =>
    planEdits(bytes, file.findings, new Map(), { mode: 'remove', style: 'tag', filter });
  return carryOut(context, options, scan, { mode: 'remove', plan, lock: undefined, git });
}

interface Steps {
  mode: PinMode;
  plan: Parameters<typeof editFiles>[2];
  lock: { path: string; write(): Promise<boolean> } | undefined;
  git: GitState;
}

interface GitState {
  checkout?: GitCheckout;
  message?: string;
  /** What a commit would take along. */
  uncommitted: ReadonlySet<string>;
}

/** Before anything is read: the branch decides what the files say. */
async function prepareGit(context: CommandContext, options: Record<string, unknown>): Promise<GitState> {
  const wish = gitWish(options);
  if (wish === undefined) return { uncommitted: new Set() };
  const checkout = await openCheckout(context.cwd);
  if (wish.branch !== undefined) await checkout.switchTo(wish.branch);
  if (wish.message === undefined) return { checkout, uncommitted: new Set() };
  return { checkout, message: wish.message, uncommitted: await checkout.listChanged() };
}

/** Shows or writes, keeps the lock, commits, and tells what happened. */
async function carryOut(context: CommandContext, options: Record<string, unknown>, scan: Scan, steps: Steps): Promise<number> {
  const json = options['json'] === true;
  const write = isWriting(options);
  const { checkout, message, uncommitted } = steps.git;

  const run = await editFiles(
    context,
    scan.files.filter(({ findings }) => findings.problems.length === 0),
    steps.plan,
    {
      write,
      atomic: options['atomic'] === true,
      refuse: (path) =>
        uncommitted.has(path) ? 'it has changes that are not committed, which this commit would take along' : undefined,
      ...(write || json ? {} : { onDiff: (diff: Buffer) => void context.stdout.write(diff) }),
    },
  );
  const held = options['atomic'] === true && (run.failures.length > 0 || run.left.length > 0);
  const paths = run.written.map((path) => resolve(context.cwd, path));
  if (!held && (await steps.lock?.write()) === true) paths.push(steps.lock!.path);
  const commit = message !== undefined && paths.length > 0 ? await checkout?.commit(paths, message) : undefined;

  const failed = run.failures.length > 0 || run.left.length > 0 || scan.problems.length > 0;
  if (json) writeJson(context.stdout, jsonResult(run, scan, write, commit));
  else report(context, run, scan, { write, held, mode: steps.mode, commit });
  return failed ? 1 : 0;
}

/** A commit or a branch is for what is written. */
function isWriting(options: Record<string, unknown>): boolean {
  return options['write'] === true || gitWish(options) !== undefined;
}

function gitWish(options: Record<string, unknown>): GitWish | undefined {
  const { commit: message, branch } = options;
  if (message === undefined && branch === undefined) return undefined;
  if (message === '') throw new UsageError('--commit wants a message.');
  return { ...(typeof message === 'string' ? { message } : {}), ...(typeof branch === 'string' ? { branch } : {}) };
}

interface Told {
  write: boolean;
  held: boolean;
  mode: PinMode;
  commit: string | undefined;
}

function report(context: CommandContext, run: EditRun, scan: Scan, { write, held, mode, commit }: Told): void {
  const say = (text: string): void => writeLine(context.stderr, printable(text));
  for (const { path, message } of scan.problems) say(`left alone: ${path}: ${message}`);
  for (const { path, reason } of run.left) say(`left alone: ${path}: ${reason}`);
  for (const line of describeFailures(run.failures)) say(line);
  const done = new Set(run.written);
  const shown = write ? run.changed.filter(({ path }) => done.has(path)) : run.changed;
  const count = shown.reduce((sum, { plan }) => sum + plan.changes.length, 0);
  const verb = mode === 'remove' ? 'unpinned' : 'pinned';
  if (held) say(`Nothing was written, because not everything could be (--atomic).`);
  else if (count === 0) say(run.failures.length > 0 ? 'Nothing else to do.' : 'Nothing to do.');
  else if (write) say(`${plural(count, 'reference')} in ${plural(shown.length, 'file')} ${verb}.`);
  else say(`${plural(count, 'reference')} in ${plural(shown.length, 'file')} would be ${verb}. Make the change with --write.`);
  if (commit !== undefined) say(`Committed as ${commit.slice(0, 12)}.`);
}

const plural = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function jsonResult(run: EditRun, scan: Scan, write: boolean, commit: string | undefined): unknown {
  return {
    written: write,
    files: run.changed.map(({ path, plan }) => ({
      path,
      written: run.written.includes(path),
      changes: plan.changes.map(({ found, before, after }) => ({
        line: found.line,
        column: found.column,
        position: found.position,
        before,
        after,
      })),
    })),
    failures: run.failures.map(({ path, found, failure }) => ({
      path,
      line: found.line,
      column: found.column,
      reference: found.reference,
      ...failure,
    })),
    leftAlone: [...scan.problems.map(({ path, message }) => ({ path, reason: message })), ...run.left],
    ...(commit === undefined ? {} : { commit }),
  };
}

async function runResolve(context: CommandContext, options: Record<string, unknown>, operands: string[]): Promise<number> {
  if (operands.length === 0) throw new UsageError('Name at least one image.');
  const references = operands.map((text) => ({ text, reference: parseReference(text) }));
  const policy = choiceOf<Policy>(options['policy'], '--policy', POLICIES, 'digest');
  const client = await openClient(context, options);
  try {
    const resolutions = await resolveReferences(
      client,
      references.map(({ reference }) => reference),
      { policy },
    );
    const results = references.map(({ text, reference }) => ({ text, reference, outcome: resolutions.get(keyOf(reference))! }));
    if (options['json'] === true) {
      writeJson(
        context.stdout,
        results.map(({ text, outcome }) => ({ reference: text, ...(outcome.ok ? outcome.value : { failure: outcome.failure }) })),
      );
    } else {
      for (const { text, reference, outcome } of results) {
        if (!outcome.ok) {
          writeLine(
            context.stderr,
            printable(`${outcome.failure.kind}: ${text}: ${outcome.failure.host}: ${outcome.failure.reason}`),
          );
          continue;
        }
        const tag = outcome.value.tag ?? followed(reference)?.tag;
        writeLine(context.stdout, formatReference({ ...reference, ...(tag ? { tag } : {}), digest: outcome.value.digest }));
      }
    }
    return results.every(({ outcome }) => outcome.ok) ? 0 : 1;
  } finally {
    client.close();
  }
}

const resolveCommand: Command = {
  name: 'resolve',
  summary: 'Print the digest that an image’s tag points to now',
  usage: ['pin resolve REF…'],
  options: { policy: pinOptions['policy']!, json: jsonOption, ...clientOptions },
  examples: [['holdfast pin resolve nginx:1.27 ghcr.io/acme/api:2', 'print both with their digests']],
  run: runResolve,
};

const removeCommand: Command = {
  name: 'remove',
  summary: 'Take digests away again where a tag stays',
  usage: ['pin remove [PATH…]'],
  options: { ...writeOptions, ...scopeOptions },
  examples: [['holdfast pin remove --write k8s/', 'turn name:tag@digest into name:tag below k8s/']],
  run: runRemove,
};

export const pinCommand: Command = {
  name: 'pin',
  summary: 'Pin image references in files to digests, without touching another byte',
  usage: ['pin [PATH…]', 'pin --write [PATH…]'],
  options: pinOptions,
  examples: [
    ['holdfast pin', 'show the diff for every image reference below this folder'],
    ['holdfast pin --write', 'make the change'],
    ['holdfast pin --policy minor --write --commit "Move images"', 'move tags within their major version, and commit'],
  ],
  subcommands: [pinCheckCommand, pinListCommand, resolveCommand, removeCommand, pinDriftCommand],
  run: runPin,
};
