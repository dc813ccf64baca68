import { resolve } from 'node:path';
import { formatReference, type Reference } from '../core/reference.ts';
import type { Tag } from '../core/tag.ts';
import type { RegistryClient } from '../client/registry-client.ts';
import type { Outcome } from '../client/outcome.ts';
import { planTargets, type Target } from '../pinner/plan-edits.ts';
import { editable, keyOf, readReference } from '../pinner/reference-key.ts';
import { resolveReferences, type Resolution } from '../pinner/resolve.ts';
import { UsageError, writeLine, type Command, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import { clientOptions, openClient, strings } from './pin-client.ts';
import { machineFiles } from './pin-files.ts';
import { openCheckout } from './pin-git.ts';
import { describeFailures, editFiles } from './pin-run.ts';
import { scanFiles, type ScannedFile } from './pin-scan.ts';

/** The command lines and output lines of cru (github.com/binxio/cru), on the finding, resolving and editing of `pin`. */

/** As Go's log package begins a line. */
function logger(context: CommandContext): (text: string) => void {
  return (text) => {
    const time = new Date(context.now());
    const two = (value: number): string => String(value).padStart(2, '0');
    const day = `${time.getFullYear()}/${two(time.getMonth() + 1)}/${two(time.getDate())}`;
    writeLine(
      context.stderr,
      `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${printable(text)}`,
    );
  };
}

const nameOf = ({ host, path }: Reference): string => formatReference({ host, path });

/** cru's references have a tag or a digest. */
function references(file: ScannedFile): Reference[] {
  return file.findings.references.flatMap((found) => {
    const reference = editable(found);
    return reference && (reference.tag !== undefined || reference.digest !== undefined) ? [reference] : [];
  });
}

async function runList(context: CommandContext, options: Record<string, unknown>, operands: string[]): Promise<number> {
  if (await isMissing(context, operands)) return 1;
  const scan = await scanFiles(context, { ...options, shell: true }, operands);
  for (const file of scan.files) {
    const listed = file.findings.references.filter((found) => {
      const reference = editable(found);
      return reference !== undefined && (reference.tag !== undefined || reference.digest !== undefined);
    });
    for (const text of [...new Set(listed.map(({ reference }) => reference))].sort()) {
      writeLine(context.stdout, printable(options['no-filename'] === true ? text : `${file.path}:${text}`));
    }
  }
  for (const { path, message } of scan.problems) logger(context)(`WARNING: ${path} left alone: ${message}`);
  return 0;
}

/** True, and said, when a path that was given is not there. */
async function isMissing(context: CommandContext, operands: string[]): Promise<boolean> {
  for (const operand of operands) {
    if ((await machineFiles.stat(resolve(context.cwd, operand))) !== undefined) continue;
    logger(context)(`ERROR: ${operand} is not a file or directory`);
    return true;
  }
  return false;
}

/** What each name becomes, and with `--matching-tag` each name and tag. */
type Wishes = Map<string, Reference>;

function readWishes(options: Record<string, unknown>, files: readonly ScannedFile[]): Wishes {
  const matching = options['matching-tag'] === true;
  const wishes: Wishes = new Map();
  if (options['all'] === true) {
    for (const reference of files.flatMap(references)) {
      // A digest alone follows no tag, and its image must not become another one.
      if (matching && reference.tag === undefined) continue;
      const { host, path, tag } = reference;
      wishes.set(keyForPlace(reference, matching), { host, path, tag: matching ? tag! : ('latest' as Tag) });
    }
    return wishes;
  }
  for (const text of strings(options['image-reference'])) {
    const reference = readReference(text);
    if (reference === undefined) throw new UsageError(`'${text.slice(0, 300)}' is not a docker image reference`);
    const wish: Reference =
      reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' as Tag } : reference;
    const key = keyForPlace(wish, matching);
    const other = wishes.get(key);
    if (other !== undefined && keyOf(other) !== keyOf(wish))
      throw new UsageError(
        `--image-reference names ${nameOf(wish)} twice, with different tags. Add --matching-tag to update each of its own tag.`,
      );
    wishes.set(key, wish);
  }
  return wishes;
}

async function runUpdate(context: CommandContext, options: Record<string, unknown>, operands: string[]): Promise<number> {
  const log = logger(context);
  const all = options['all'] === true;
  if (all === strings(options['image-reference']).length > 0)
    throw new UsageError('Choose --all, or --image-reference=REFERENCE as often as needed.');
  const byDigest = options['resolve-digest'] === true;
  const byTag = options['resolve-tag'] === true;
  if (byDigest && byTag) throw new UsageError('Choose --resolve-digest or --resolve-tag, not both.');
  const message = options['commit'];
  const write = options['dry-run'] !== true;
  const matching = options['matching-tag'] === true;

  if (await isMissing(context, operands)) return 1;
  if (all && options['verbose'] === true) log('INFO: collecting all container references');
  const scan = await scanFiles(context, { ...options, shell: true }, operands);
  const wishes = readWishes(options, scan.files);
  if (all) log(`INFO: ${new Set(scan.files.flatMap(references).map(keyOf)).size} image references found`);
  const checkout = typeof message === 'string' && write ? await openCheckout(context.cwd) : undefined;
  const uncommitted = await checkout?.listChanged();

  // Only what some file names is worth a question.
  const named = new Set(scan.files.flatMap(references).map((reference) => keyForPlace(reference, matching)));
  const asked = [...wishes].filter(([key]) => named.has(key)).map(([, wish]) => wish);
  const targets =
    byDigest || byTag ? await resolveWishes(context, options, asked, byTag, log) : new Map<string, Outcome<Target>>();

  const run = await editFiles(
    context,
    scan.files.filter(({ findings }) => findings.problems.length === 0),
    (bytes, file) =>
      planTargets(bytes, file.findings, 'tag', (reference) => {
        const wish = wishes.get(keyForPlace(reference, matching));
        if (wish === undefined) return undefined;
        const outcome = targets.get(keyOf(wish));
        if (outcome?.ok === false) return { failure: outcome.failure };
        return outcome?.value ?? { ...(wish.tag ? { tag: wish.tag } : {}), ...(wish.digest ? { digest: wish.digest } : {}) };
      }),
    {
      write,
      atomic: false,
      refuse: (path) => (uncommitted?.has(path) === true ? 'it has changes that are not committed' : undefined),
    },
  );

  const left = new Set(run.left.map(({ path }) => path));
  const updated = run.changed.filter(({ path }) => !left.has(path));
  for (const { path, plan } of updated) {
    const lines = plan.changes.map(({ before, after }) => `INFO: updating reference ${before} to ${after} in ${path}`);
    for (const line of new Set(lines)) log(line);
  }
  for (const { path, reason } of run.left) log(`ERROR: ${path}: ${reason}`);
  for (const { path, message: problem } of scan.problems) log(`WARNING: ${path} left alone: ${problem}`);
  for (const line of describeFailures(run.failures)) log(`ERROR: ${line}`);
  log(updated.length > 0 ? `INFO: updated a total of ${updated.length} files` : 'INFO: no files were updated by cru');
  if (checkout !== undefined && run.written.length > 0) {
    const id = await checkout.commit(
      run.written.map((path) => resolve(context.cwd, path)),
      String(message),
    );
    log(`INFO: changes committed with ${id.slice(0, 7)}`);
  }
  return run.failures.length > 0 || run.left.length > 0 ? 1 : 0;
}

function keyForPlace(reference: Reference, matching: boolean): string {
  return matching ? `${nameOf(reference)}:${reference.tag ?? ''}` : nameOf(reference);
}

async function resolveWishes(
  context: CommandContext,
  options: Record<string, unknown>,
  wishes: Reference[],
  byTag: boolean,
  log: (text: string) => void,
): Promise<Map<string, Outcome<Target>>> {
  const client = await openClient(context, options);
  try {
    const resolutions = await resolveReferences(client, wishes);
    const targets = new Map<string, Outcome<Target>>();
    for (const wish of wishes) {
      const key = keyOf(wish);
      const outcome = resolutions.get(key)!;
      if (!outcome.ok) {
        log(
          `WARNING: could not get digest for image tag ${wish.tag ?? wish.digest} for ${nameOf(wish)}, ${outcome.failure.reason}`,
        );
        targets.set(key, outcome);
      } else if (byTag) {
        targets.set(key, await alternate(client, wish, outcome.value, log));
      } else {
        const { digest } = outcome.value;
        if (wish.digest === undefined) log(`resolving repository ${nameOf(wish)} Tag ${wish.tag} to Digest ${digest}`);
        targets.set(key, { ok: true, value: { digest, ...(wish.tag ? { tag: wish.tag } : {}) } });
      }
    }
    return targets;
  } finally {
    client.close();
  }
}

/** Another tag of the same digest: the one that says most, so a version with the most numbers before any word. */
async function alternate(
  client: RegistryClient,
  wish: Reference,
  { digest }: Resolution,
  log: (text: string) => void,
): Promise<Outcome<Target>> {
  const tags = await client.listTags(wish);
  if (!tags.ok) return tags;
  const others = tags.value
    .filter((tag) => tag !== wish.tag)
    .map((tag): Reference => ({ host: wish.host, path: wish.path, tag: tag as Tag }));
  const resolutions = await resolveReferences(client, others);
  const same = others.flatMap((other) => {
    const outcome = resolutions.get(keyOf(other));
    return outcome?.ok === true && outcome.value.digest === digest && other.tag ? [other.tag] : [];
  });
  const numbers = (tag: string): number => /^v?(\d+(?:\.\d+)*)/.exec(tag)?.[1]?.split('.').length ?? 0;
  const [best] = same.toSorted((a, b) => numbers(b) - numbers(a) || b.length - a.length || (a < b ? -1 : 1));
  if (same.length > 1) log(`WARNING: ${nameOf(wish)} has multiple tags, [${same.join(' ')}]`);
  if (best === undefined) return { ok: true, value: wish.tag ? { tag: wish.tag } : {} };
  log(`resolving repository ${nameOf(wish)} tag '${wish.tag ?? wish.digest}' to '${best}'`);
  return { ok: true, value: { tag: best } };
}

const shared: Command['options'] = { verbose: { type: 'boolean', help: 'say more' }, ...clientOptions };

const updateCommand: Command = {
  name: 'update',
  summary: 'Set image references to a tag, with its digest if wished',
  usage: ['cru update --image-reference=REFERENCE… [PATH…]', 'cru update --all [PATH…]'],
  options: {
    'image-reference': {
      type: 'string',
      multiple: true,
      value: 'REFERENCE',
      help: 'what every reference of the same name becomes',
    },
    all: { type: 'boolean', help: 'every reference: its tag becomes latest, unless --matching-tag' },
    'matching-tag': { type: 'boolean', help: 'only where the tag is the same; it stays' },
    'resolve-digest': { type: 'boolean', help: 'write name:tag@digest' },
    'resolve-tag': { type: 'boolean', help: 'write another tag of the same digest' },
    'dry-run': { type: 'boolean', help: 'change nothing' },
    commit: { type: 'string', value: 'MESSAGE', help: 'commit what was updated' },
    ...shared,
  },
  examples: [
    ['holdfast cru update --image-reference acme/api:3.4.0 --resolve-digest .', 'set every acme/api to 3.4.0 and its digest'],
  ],
  run: runUpdate,
};

const listCommand: Command = {
  name: 'list',
  summary: 'Print image references',
  usage: ['cru list [PATH…]'],
  options: { 'no-filename': { type: 'boolean', help: 'without the name of the file' }, ...shared },
  examples: [['holdfast cru list .', 'every reference with a tag or a digest, by file']],
  run: runList,
};

export const cruCommand: Command = {
  name: 'cru',
  summary: 'The command lines of cru, the container reference updater',
  usage: [],
  options: {},
  examples: [],
  subcommands: [updateCommand, listCommand],
  run: async () => 2,
};
