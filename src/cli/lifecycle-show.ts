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
  const staying = preview.images.filter(({ verdict }) => verdict === 'keep');
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
    row.verdict,
    row.rule === undefined ? '-' : String(row.rule),
    isDigest(row.digest) ? shortDigest(row.digest).replace(/^sha256:/, '') : row.digest,
    row.tags.length === 0 ? '-' : row.tags.join(' '),
    `${Math.max(0, Math.floor((now - Date.parse(row.pushedAt)) / DAY))} d`,
    row.why,
  ];
}

/** What a preview comes to, in sentences. */
export function summaryLines({ repository, summary, images }: PreviewDocument): string[] {
  const { expiring, archiving, held, keeping, tagsGoing, bytesFreed, bytesFreedWithEntries, entriesLeft = 0 } = summary;
  const declared = images.reduce((sum, row) => sum + (row.verdict === 'expire' ? row.imageBytes : 0), 0);
  const bytes =
    bytesFreed === undefined
      ? `up to ${formatBytes(declared)} (shared layers are not known here)`
      : `${formatBytes(bytesFreed)} (as declared: ${formatBytes(declared)})`;
  return [
    `${printable(repository)}: ${summary.images} images; ${expiring} expire with ${tagsGoing} tags, ${archiving} go into the archive, ${held} are held, ${keeping} stay.`,
    ...(expiring > 0 ? [`Comes free: ${bytes}.`] : []),
    ...(entriesLeft > 0
      ? [
          `${entriesLeft} entries of indexes that go become plain images, which the next run judges; with them ${formatBytes(bytesFreedWithEntries ?? 0)} come free.`,
        ]
      : []),
    ...((summary.referrersGoing ?? 0) > 0 ? [`${summary.referrersGoing} referrers follow their subjects.`] : []),
    ...(summary.findingsGoing === undefined ? [] : [`${summary.findingsGoing} findings go with them.`]),
    ...(summary.waits === undefined
      ? []
      : [`${summary.waits} ${bytesFreed === undefined ? 'Amazon ECR would not ask.' : 'A run by itself waits for your word.'}`]),
  ];
}
