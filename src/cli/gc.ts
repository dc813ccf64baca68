import type { JsonObject } from '../core/json.ts';
import { CommandFailure, jsonOption, UsageError, writeJson, writeLine, type Command } from './command.ts';
import { formatBytes, printable } from './format.ts';
import { nameOperands } from './operands.ts';
import { connect } from './server-connection.ts';

/** What a collection did, in the order in which it is told: member, one of them, many of them. */
const COUNTS: [member: string, one: string, many: string][] = [
  ['imagesPurged', 'deleted image was', 'deleted images were'],
  ['referrersDeleted', 'image that referred to one of them was', 'images that referred to them were'],
  ['uploadsDiscarded', 'unfinished upload was', 'unfinished uploads were'],
  ['membershipsEnded', 'blob without an image was', 'blobs without an image were'],
  ['orphansDeleted', 'file of a crashed push was', 'files of crashed pushes were'],
  ['holdsExpired', 'hold that had run out was', 'holds that had run out were'],
  ['unpackedLayersRemoved', 'unpacked layer that nothing needs was', 'unpacked layers that nothing needs were'],
];

const scrub: Command = {
  name: 'scrub',
  summary: 'read every blob and compare it with its digest',
  usage: ['gc scrub [--json]'],
  options: { json: jsonOption },
  examples: [['holdfast gc scrub', 'takes as long as reading the whole disk; exit code 1 when something is corrupt']],
  async run(context, options, operands) {
    nameOperands(operands, []);
    const report = await (await connect(context)).post('/scrubs', {});
    const corrupt = Array.isArray(report['corrupt']) ? report['corrupt'].map(String) : [];
    if (options['json'] === true) writeJson(context.stdout, report);
    else {
      writeLine(
        context.stdout,
        `Read ${count(report, 'blobs')} blobs, ${formatBytes(count(report, 'bytes'))}: ${corrupt.length === 0 ? 'all are as they should be.' : `${corrupt.length} corrupt.`}`,
      );
      for (const digest of corrupt) writeLine(context.stdout, `  ${printable(digest)}`);
      if (corrupt.length > 0)
        writeLine(context.stdout, 'They are no longer served. Push the images again that need them; that replaces them.');
    }
    return corrupt.length === 0 ? 0 : 1;
  },
};

/** `holdfast gc`: frees space now instead of within minutes. */
export const gcCommand: Command = {
  name: 'gc',
  summary: 'free space now, beside all other work, and say what came free',
  usage: ['gc [--dry-run] [--purge] [--json]'],
  options: {
    'dry-run': { type: 'boolean', help: 'only say what would come free' },
    'purge': {
      type: 'boolean',
      help: 'end the grace period of everything that was deleted so far: it can no longer be restored; and keep no unpacked layer that nothing needs',
    },
    'json': jsonOption,
  },
  examples: [
    ['holdfast gc --dry-run', 'what would come free now'],
    ['holdfast gc --purge', 'also what was deleted a moment ago'],
  ],
  subcommands: [scrub],
  async run(context, options, operands) {
    if (operands[0] !== undefined)
      throw new UsageError(`There is no command "gc ${printable(operands[0].slice(0, 60))}". Did you mean: holdfast gc scrub`);
    const dryRun = options['dry-run'] === true;
    const report = await (await connect(context)).post('/collections', { dryRun, purge: options['purge'] === true });
    if (options['json'] === true) writeJson(context.stdout, report);
    else for (const line of describeCollection(report, dryRun)) writeLine(context.stdout, line);
    return 0;
  },
};

function describeCollection(report: JsonObject, dryRun: boolean): string[] {
  const blobs = count(report, 'blobsDeleted');
  const freed = formatBytes(count(report, 'bytesFreed') + count(report, 'unpackedBytesFreed'));
  const lines = COUNTS.flatMap(([member, one, many]) => {
    const number = count(report, member);
    const words = number === 1 ? one : many;
    return number === 0
      ? []
      : [`  ${number} ${dryRun ? words.replace(/ (?:was|were)$/, ' would be removed') : `${words} removed`}`];
  });
  return [
    `${dryRun ? 'Would free' : 'Freed'} ${freed}${blobs === 0 ? '' : ` in ${blobs} ${blobs === 1 ? 'blob' : 'blobs'}`}.`,
    ...lines,
  ];
}

function count(report: JsonObject, member: string): number {
  const value = report[member];
  if (typeof value !== 'number')
    throw new CommandFailure(`The server's report has no "${member}"; it is of another version.`, { kind: 'no-server' });
  return value;
}
