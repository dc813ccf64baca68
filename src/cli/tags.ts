import { isDigest, type Digest } from '../core/digest.ts';
import type { RepositoryName } from '../core/repository-name.ts';
import { parseTag } from '../core/tag.ts';
import { CommandFailure, jsonOption, UsageError, type Command } from './command.ts';
import { formatTime, printable } from './format.ts';
import { completeDigest, countOption, nameOperands, parseRepository, textOption } from './operands.ts';
import { connect, type ServerConnection } from './server-connection.ts';
import {
  cell,
  DEFAULT_ROWS,
  digestCell,
  limitOption,
  MOST_ROWS,
  showList,
  showResult,
  timeCell,
  userCell,
} from './server-show.ts';
import { parseMoment } from './times.ts';

const history: Command = {
  name: 'history',
  summary: 'show every move of a tag, or of all tags of a repository',
  usage: ['tags history REPOSITORY [TAG] [--limit COUNT] [--json]'],
  options: { limit: limitOption, json: jsonOption },
  examples: [
    ['holdfast tags history team/app latest', 'latest first: when, from what to what, by what and by whom'],
    ['holdfast tags history team/app --json', 'with whole digests'],
  ],
  async run(context, options, operands) {
    const [name, tag] = nameOperands(operands, ['REPOSITORY', 'TAG?']);
    const limit = countOption(options['limit'], 'limit', DEFAULT_ROWS, MOST_ROWS);
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    const query = { repository, tag: tag === undefined ? undefined : parseTag(tag) };
    const { items, more } = await server.list('/tag-history', 'events', query, limit);
    return showList(
      context,
      options,
      {
        name: 'events',
        items,
        more,
        empty: tag === undefined ? `No tag of ${repository} was ever moved.` : `The tag ${tag} of ${repository} was never moved.`,
      },
      [{ header: 'TIME', cut: 'never' }, 'TAG', { header: 'FROM', cut: 'never' }, { header: 'TO', cut: 'never' }, 'BY', 'WHO'],
      (event) => [
        timeCell(event, 'at'),
        cell(event, 'tag'),
        digestCell(event, 'oldDigest'),
        digestCell(event, 'newDigest'),
        cell(event, 'cause'),
        userCell(event, 'principal'),
      ],
    );
  },
};

const at: Command = {
  name: 'at',
  summary: 'say what a tag pointed at at some time',
  usage: ['tags at REPOSITORY TAG TIME [--json]'],
  options: { json: jsonOption },
  examples: [
    ['holdfast tags at team/app latest "2h ago"', 'prints the digest'],
    ['holdfast tags at team/app latest "2026-03-01 14:05"', "in this machine's time zone"],
    ['holdfast tags at team/app latest 2026-03-01T14:05:00Z', 'in UTC'],
  ],
  async run(context, options, operands) {
    const [name, tag, when] = nameOperands(operands, ['REPOSITORY', 'TAG', 'TIME']);
    const time = new Date(parseMoment(when, context.now())).toISOString();
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    const target = await server.get('/tag-at', { repository, tag: parseTag(tag), time });
    if (target['digest'] === undefined) {
      throw new CommandFailure(`The tag "${tag}" of "${repository}" pointed at nothing at ${formatTime(Date.parse(time))}.`, {
        kind: 'image-unknown',
        advice: `See when it did with: holdfast tags history ${repository} ${tag}`,
      });
    }
    return showResult(context, options, target, cell(target, 'digest'));
  },
};

const restore: Command = {
  name: 'restore',
  summary: 'point a tag at what it pointed at before',
  usage: ['tags restore REPOSITORY TAG --at TIME', 'tags restore REPOSITORY TAG --digest DIGEST'],
  options: {
    at: { type: 'string', value: 'TIME', help: 'what it pointed at then: "2h ago", 2026-03-01, 2026-03-01T14:05:00Z' },
    digest: {
      type: 'string',
      value: 'DIGEST',
      help: 'this image; its first characters are enough if the history of the tag has it',
    },
    json: jsonOption,
  },
  examples: [
    ['holdfast tags restore team/app latest --at "1d ago"', 'yesterday’s; the image comes back if it was deleted meanwhile'],
    ['holdfast tags restore team/app latest --digest 9f86d081884c', 'one that the history shows'],
  ],
  async run(context, options, operands) {
    const [name, tagText] = nameOperands(operands, ['REPOSITORY', 'TAG']);
    const [when, digestText] = [textOption(options, 'at'), textOption(options, 'digest')];
    if ((when === undefined) === (digestText === undefined)) throw new UsageError('Give either --at or --digest.');
    const moment = when === undefined ? undefined : new Date(parseMoment(when, context.now())).toISOString();
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    const tag = parseTag(tagText);
    const target =
      moment === undefined
        ? { digest: await completeDigest(digestText ?? '', () => digestsOf(server, repository, tag)) }
        : { at: moment };
    const restored = await server.post('/tag-restores', { repository, tag, ...target });
    return showResult(context, options, restored, `${repository}:${tag} points at ${printable(cell(restored, 'digest'))}.`);
  },
};

async function digestsOf(server: ServerConnection, repository: RepositoryName, tag: string): Promise<Digest[]> {
  const { items } = await server.list('/tag-history', 'events', { repository, tag }, MOST_ROWS);
  return items.flatMap((event) => [cell(event, 'oldDigest'), cell(event, 'newDigest')]).filter(isDigest);
}

/** `holdfast tags`: what tags pointed at, and how to bring it back. */
export const tagsCommand: Command = {
  name: 'tags',
  summary: 'see what tags pointed at, and put them back',
  usage: [],
  options: {},
  examples: [],
  subcommands: [history, at, restore],
  run: () => Promise.resolve(2),
};
