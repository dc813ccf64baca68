import { checkReference, findMembers, findPresence, pinnedOf, type CheckFinding, type Online } from '../pinner/check.ts';
import { editable, followed, keyOf } from '../pinner/reference-key.ts';
import { githubAnnotations } from '../pinner/report/github.ts';
import { sarifLog } from '../pinner/report/sarif.ts';
import { isAdmitted } from '../pinner/registries.ts';
import { resolveReferences } from '../pinner/resolve.ts';
import type { Reference } from '../core/reference.ts';
import { jsonOption, UsageError, writeJson, writeLine, type Command, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import { clientOptions, openClient } from './pin-client.ts';
import { filterOf, lockOptions, lockPath, readLock, scopeOptions } from './pin-options.ts';
import { scanFiles, type Scan } from './pin-scan.ts';
import { createProgress } from './progress.ts';
import { holdfastVersion } from './version.ts';

async function ask(context: CommandContext, options: Record<string, unknown>, scan: Scan): Promise<Online> {
  const filter = filterOf(options);
  const places: Reference[] = [];
  const tags = new Map<string, Reference>();
  const pinned = new Map<string, Reference>();
  for (const { findings } of scan.files) {
    for (const found of findings.references) {
      const reference = editable(found);
      if (reference?.digest === undefined || !isAdmitted(reference, filter)) continue;
      places.push(reference);
      const exact = pinnedOf(reference);
      pinned.set(keyOf(exact), exact);
      const follows = followed(reference);
      if (follows !== undefined) tags.set(keyOf(follows), follows);
    }
  }
  const client = await openClient(context, options);
  const progress = createProgress(context.stderr, { label: 'checking', total: tags.size + pinned.size, now: context.now });
  const onResolved = (count: number): void => progress.advance(count);
  try {
    const [now, presence] = await Promise.all([
      resolveReferences(client, tags.values(), { onResolved }),
      findPresence(client, pinned.values(), { onResolved }),
    ]);
    return { tags: now, presence, members: await findMembers(client, places, now) };
  } finally {
    if (context.stderr.isTTY === true) progress.finish(`checked ${tags.size + pinned.size} references`);
    client.close();
  }
}

function show(context: CommandContext, options: Record<string, unknown>, scan: Scan, findings: CheckFinding[]): void {
  const { stdout, stderr } = context;
  const total = scan.files.reduce((sum, file) => sum + file.findings.references.length, 0);
  if (options['sarif'] === true) {
    writeJson(stdout, sarifLog(findings, holdfastVersion()));
  } else if (options['json'] === true) {
    writeJson(stdout, {
      references: total,
      findings: findings.map(({ rule, path, found, message }) => ({
        rule,
        path,
        line: found.line,
        column: found.column,
        reference: found.reference,
        message,
      })),
      problems: scan.problems,
    });
  } else if (options['github'] === true) {
    stdout.write(githubAnnotations(findings));
  } else {
    for (const { rule, path, found, message } of findings)
      writeLine(stdout, printable(`${path}:${found.line}:${found.column}: ${rule}: ${message}`));
  }
  if (options['json'] === true) return;
  for (const { path, message } of scan.problems) writeLine(stderr, printable(`not checked: ${path}: ${message}`));
  const places = `${total} reference${total === 1 ? '' : 's'} in ${scan.files.length} file${scan.files.length === 1 ? '' : 's'}`;
  writeLine(
    stderr,
    findings.length === 0
      ? `${places}: nothing found.`
      : `${places}: ${findings.length} finding${findings.length === 1 ? '' : 's'}. See: holdfast help pin`,
  );
}

export const pinCheckCommand: Command = {
  name: 'check',
  summary: 'Fail if an image reference is unpinned, stale or vanished',
  usage: ['pin check [PATH…]'],
  options: {
    offline: { type: 'boolean', help: 'look at the files and the lock file only, without network' },
    json: jsonOption,
    sarif: { type: 'boolean', help: 'print SARIF 2.1.0, for code scanning' },
    github: { type: 'boolean', help: 'print GitHub workflow commands, for annotations' },
    ...lockOptions,
    ...scopeOptions,
    ...clientOptions,
  },
  examples: [
    ['holdfast pin check --offline', 'fail in a build if somebody has added an image without a digest'],
    ['holdfast pin check --sarif > pins.sarif', 'also ask the registries, and keep the result for code scanning'],
  ],
  async run(context, options, operands) {
    if (['json', 'sarif', 'github'].filter((format) => options[format] === true).length > 1)
      throw new UsageError('Choose one of --json, --sarif and --github.');
    const filter = filterOf(options);
    const lock = await readLock(context, lockPath(context, options));
    const scan = await scanFiles(context, options, operands);
    const online = options['offline'] === true ? undefined : await ask(context, options, scan);
    const findings = scan.files.flatMap(({ path, findings: { references } }) =>
      references.flatMap((found) =>
        checkReference(path, found, { filter, ...(lock ? { lock } : {}), ...(online ? { online } : {}) }),
      ),
    );
    show(context, options, scan, findings);
    return findings.length > 0 || scan.problems.length > 0 ? 1 : 0;
  },
};
