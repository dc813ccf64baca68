import { isDigest, shortDigest } from '../core/digest.ts';
import type { PreviewDocument, PreviewRow } from '../lifecycle/preview-document.ts';
import { writeLine, type CommandContext } from './command.ts';
import { formatBytes, printable } from './format.ts';
import { formatTable, tableWidth } from './table.ts';

/** Of images that stay, so many are shown by default: the newest, which people look for. */
const KEPT_ROWS = 20;
const DAY = 86_400_000;

/** A preview for a terminal: what it comes to, warnings, then each image with its verdict and why. */
export function showPreview(context: CommandContext, preview: PreviewDocument, options: { all: boolean }): void {
  const { stdout } = context;
  for (const line of summaryLines(preview)) writeLine(stdout, line);
  for (const { message } of preview.warnings) writeLine(stdout, `Warning: ${printable(message)}`);
  if (preview.images.length === 0) return;
  writeLine(stdout);
  const staying = preview.images.filter((row) => verdictWord(row) === 'keep');
  const hidden = options.all ? 0 : Math.max(0, staying.length - KEPT_ROWS);
  const skip = new Set(staying.slice(0, hidden));
  const now = Date.parse(preview.evaluatedAt);
  stdout.write(
    formatTable(
      [
        'VERDICT',
        { header: 'RULE', align: 'right' },
        { header: 'DIGEST', cut: 'never' },
        { header: 'TAGS', cut: 'middle' },
        { header: 'AGE', align: 'right', cut: 'never' },
        'WHY',
      ],
      preview.images.filter((row) => !skip.has(row)).map((row) => cells(row, now)),
      tableWidth(stdout),
    ),
  );
  if (hidden > 0) writeLine(stdout, `… and ${hidden} older images that stay; --all shows them.`);
}

function cells(row: PreviewRow, now: number): string[] {
  return [
    verdictWord(row),
    row.rule === undefined ? '-' : String(row.rule),
    isDigest(row.digest) ? shortDigest(row.digest).replace(/^sha256:/, '') : row.digest,
    row.tags.length === 0 ? '-' : row.tags.join(' '),
    `${Math.max(0, Math.floor((now - Date.parse(row.pushedAt)) / DAY))} d`,
    row.why,
  ];
}

/** `later`: it stays for now, and follows another that goes. */
export function verdictWord({ verdict, reason }: PreviewRow): PreviewRow['verdict'] | 'later' {
  return 'goes' in reason && reason.goes ? 'later' : verdict;
}

/** What a preview comes to, in sentences. */
export function summaryLines({ repository, summary, images }: PreviewDocument): string[] {
  const { expiring, archiving, held, keeping, tagsGoing, bytesFreed, bytesFreedWithEntries } = summary;
  const { entriesLeft = 0, referrersGoing = 0, findingsGoing } = summary;
  const declared = images.reduce((sum, row) => sum + (row.verdict === 'expire' ? row.imageBytes : 0), 0);
  const later = images.filter((row) => verdictWord(row) === 'later').length;
  const outcomes = [
    `${expiring} ${expiring === 1 ? 'expires' : 'expire'}${tagsGoing > 0 ? `, with ${many(tagsGoing, 'tag')}` : ''}`,
    ...(archiving > 0 ? [`${archiving} ${archiving === 1 ? 'goes' : 'go'} into the archive`] : []),
    ...(held > 0 ? [`${held} ${held === 1 ? 'is' : 'are'} held`] : []),
    `${keeping} ${keeping === 1 ? 'stays' : 'stay'}${later > 0 ? `, ${later} of them for now` : ''}`,
  ];
  return [
    `${printable(repository)}: ${many(summary.images, 'image')}. ${outcomes.join('; ')}.`,
    ...(expiring === 0
      ? []
      : bytesFreed === undefined
        ? [`At most ${formatBytes(declared)} come free: what layers they share is not known here.`]
        : [`${formatBytes(bytesFreed)} come free. The images add up to ${formatBytes(declared)}; what others need stays.`]),
    ...(entriesLeft > 0
      ? [
          `Of indexes that go, ${many(entriesLeft, 'entry', 'entries')} become plain images, which the next run judges; with them ${formatBytes(bytesFreedWithEntries ?? 0)} come free.`,
        ]
      : []),
    ...(referrersGoing > 0
      ? [`${many(referrersGoing, 'signature or other referrer', 'signatures and other referrers')} will follow.`]
      : []),
    ...(findingsGoing === undefined ? [] : [`${many(findingsGoing, 'finding')} of scans will go.`]),
    ...(summary.waits === undefined
      ? []
      : [`${summary.waits} ${bytesFreed === undefined ? 'Amazon ECR would not ask.' : 'A run by itself waits for your word.'}`]),
  ];
}

function many(count: number, one: string, others = `${one}s`): string {
  return `${count} ${count === 1 ? one : others}`;
}
