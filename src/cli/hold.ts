import type { JsonObject } from '../core/json.ts';
import { CommandFailure, jsonOption, UsageError, writeLine, type Command } from './command.ts';
import { formatTime, printable } from './format.ts';
import { countOption, nameOperands, parseImageName, textOption } from './operands.ts';
import { connect, type ServerConnection } from './server-connection.ts';
import { cell, DEFAULT_ROWS, digestCell, limitOption, MOST_ROWS, showList, showResult, timeCell } from './server-show.ts';
import { parseTimeSpan } from './times.ts';

const SHORT_ID = 8;

const add: Command = {
  name: 'add',
  summary: 'hold an image, so that nothing deletes it or what it needs',
  usage: ['hold add REPOSITORY[:TAG|@DIGEST] --holder NAME --kind KIND [--ttl TIME] [--note TEXT]'],
  options: {
    holder: { type: 'string', value: 'NAME', help: 'who holds it, as a refused deletion will say' },
    kind: { type: 'string', value: 'KIND', help: 'what sort of holder: cluster, service, person, …' },
    ttl: { type: 'string', value: 'TIME', help: 'when it ends by itself: 90s, 15m, 2h, 7d (default: never)' },
    note: { type: 'string', value: 'TEXT', help: 'why' },
    json: jsonOption,
  },
  examples: [
    [
      'holdfast hold add team/app:v1 --kind cluster --holder prod-eu --ttl 2h',
      'what the tag points at now, for two hours; again: renewed',
    ],
    [
      'HOLD=$(holdfast hold add team/app:v1 --kind cluster --holder prod-eu); holdfast hold release "$HOLD"',
      'the id is printed alone',
    ],
    ['holdfast hold add team/app@sha256:… --kind person --holder ann --note "audit 2026"', 'until it is released'],
  ],
  async run(context, options, operands) {
    const [image] = nameOperands(operands, ['REPOSITORY[:TAG|@DIGEST]']);
    const holder = textOption(options, 'holder');
    const kind = textOption(options, 'kind');
    if (holder === undefined || kind === undefined)
      throw new UsageError(`--${holder === undefined ? 'holder' : 'kind'} is missing.`);
    const ttl = textOption(options, 'ttl');
    const note = textOption(options, 'note');
    const timeToLiveSeconds = ttl === undefined ? undefined : parseTimeSpan(ttl) / 1000;
    const server = await connect(context);
    const { repository, tag, digest } = parseImageName(image, server.registryHost);
    const hold = await server.post('/holds', {
      repository,
      ...(digest === undefined ? { tag: tag ?? 'latest' } : { digest, ...(tag === undefined ? {} : { tag }) }),
      kind,
      holder,
      ...(note === undefined ? {} : { note }),
      ...(timeToLiveSeconds === undefined ? {} : { timeToLiveSeconds }),
    });
    const until =
      hold['expiresAt'] === undefined ? 'until it is released' : `until ${formatTime(Date.parse(cell(hold, 'expiresAt')))}`;
    // The id alone is the result, so that a script can keep it; the sentence is for whoever reads along.
    if (options['json'] !== true) writeLine(context.stderr, `Held ${until}: ${cell(hold, 'digest')}`);
    return showResult(context, options, hold, cell(hold, 'id'));
  },
};

const list: Command = {
  name: 'list',
  summary: 'show who holds what, and since when',
  usage: ['hold list [REPOSITORY[@DIGEST]] [--kind KIND] [--holder NAME] [--json]'],
  options: {
    kind: { type: 'string', value: 'KIND', help: 'only of this sort' },
    holder: { type: 'string', value: 'NAME', help: 'only of this holder' },
    limit: limitOption,
    json: jsonOption,
  },
  examples: [
    ['holdfast hold list', 'all of them, oldest first'],
    ['holdfast hold list team/app --kind cluster', 'what clusters hold in one repository'],
  ],
  async run(context, options, operands) {
    const [image] = nameOperands(operands, ['REPOSITORY[@DIGEST]?']);
    const limit = countOption(options['limit'], 'limit', DEFAULT_ROWS, MOST_ROWS);
    const server = await connect(context);
    const named = image === undefined ? undefined : parseImageName(image, server.registryHost);
    if (named?.tag !== undefined) throw new UsageError('Holds are on digests: name the repository, or a digest of it.');
    const query = {
      repository: named?.repository,
      digest: named?.digest,
      kind: textOption(options, 'kind'),
      holder: textOption(options, 'holder'),
    };
    const { items, more } = await server.list('/holds', 'holds', query, limit);
    return showList(
      context,
      options,
      { name: 'holds', items, more, empty: 'Nothing is held.' },
      [
        { header: 'HOLD', cut: 'never' },
        { header: 'REPOSITORY', cut: 'middle' },
        { header: 'DIGEST', cut: 'never' },
        'KIND',
        { header: 'HOLDER', cut: 'middle' },
        'SINCE',
        'UNTIL',
      ],
      (hold) => [
        cell(hold, 'id').slice(0, SHORT_ID),
        cell(hold, 'repository'),
        digestCell(hold, 'digest').replace(/^sha256:/, ''),
        cell(hold, 'kind'),
        cell(hold, 'holder'),
        timeCell(hold, 'since').slice(0, 16),
        timeCell(hold, 'expiresAt').slice(0, 16),
      ],
    );
  },
};

const release: Command = {
  name: 'release',
  summary: 'end a hold',
  usage: ['hold release ID [--repository NAME] [--json]'],
  options: {
    repository: {
      type: 'string',
      value: 'NAME',
      help: 'where the hold is; needed with a key that may act on some repositories only',
    },
    json: jsonOption,
  },
  examples: [['holdfast hold release 5f8f2a52', 'the first characters are enough, as holdfast hold list shows them']],
  async run(context, options, operands) {
    const [typed] = nameOperands(operands, ['ID']);
    const repository = textOption(options, 'repository');
    const server = await connect(context);
    const id = await completeId(server, typed, repository);
    await server.delete(`/holds/${encodeURIComponent(id)}`, { repository });
    return showResult(context, options, { id, released: true } satisfies JsonObject, `Released ${printable(id)}.`);
  },
};

/** Ids are UUIDs; tables show the first part. */
async function completeId(server: ServerConnection, typed: string, repository: string | undefined): Promise<string> {
  if (!/^[0-9a-f-]{6,35}$/.test(typed)) return typed;
  const { items } = await server.list('/holds', 'holds', { repository }, MOST_ROWS);
  const found = items.map((hold) => cell(hold, 'id')).filter((id) => id.startsWith(typed));
  if (found.length > 1)
    throw new CommandFailure(`${found.length} holds begin with ${typed}; write more of it.`, { kind: 'hold-unknown' });
  return found[0] ?? typed;
}

/** `holdfast hold`: what keeps images from being deleted. */
export const holdCommand: Command = {
  name: 'hold',
  summary: 'keep images from being deleted, and say who needs them',
  usage: [],
  options: {},
  examples: [],
  subcommands: [add, list, release],
  run: () => Promise.resolve(2),
};
