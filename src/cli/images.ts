import { isDigest } from '../core/digest.ts';
import { jsonOption, type Command } from './command.ts';
import { printable } from './format.ts';
import { completeDigest, countOption, nameOperands, parseRepository } from './operands.ts';
import { connect } from './server-connection.ts';
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

const deleted: Command = {
  name: 'deleted',
  summary: 'show the deleted images that can still be restored',
  usage: ['images deleted REPOSITORY [--limit COUNT] [--json]'],
  options: { limit: limitOption, json: jsonOption },
  examples: [['holdfast images deleted team/app', 'latest first; the repository itself may be gone']],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['REPOSITORY']);
    const limit = countOption(options['limit'], 'limit', DEFAULT_ROWS, MOST_ROWS);
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    const { items, more } = await server.list('/deleted-images', 'images', { repository }, limit);
    return showList(
      context,
      options,
      { name: 'images', items, more, empty: `No deleted image of ${repository} can be restored.` },
      [
        { header: 'DIGEST', cut: 'never' },
        'TAGS',
        { header: 'DELETED', cut: 'never' },
        'BY',
        'WHO',
        { header: 'GONE AT', cut: 'never' },
      ],
      (image) => [
        digestCell(image, 'digest'),
        cell(image, 'tags'),
        timeCell(image, 'deletedAt'),
        cell(image, 'cause'),
        userCell(image, 'principal'),
        timeCell(image, 'purgeAt'),
      ],
    );
  },
};

const restore: Command = {
  name: 'restore',
  summary: 'put a deleted image back, with its tags',
  usage: ['images restore REPOSITORY DIGEST [--json]'],
  options: { json: jsonOption },
  examples: [['holdfast images restore team/app sha256:9f86d081884c', 'the first characters are enough']],
  async run(context, options, operands) {
    const [name, text] = nameOperands(operands, ['REPOSITORY', 'DIGEST']);
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    const digest = await completeDigest(text, async () => {
      const { items } = await server.list('/deleted-images', 'images', { repository }, MOST_ROWS);
      return items.map((image) => cell(image, 'digest')).filter(isDigest);
    });
    const restored = await server.post('/image-restores', { repository, digest });
    const tags = cell(restored, 'tags');
    const taken = cell(restored, 'tagsTaken');
    const sentence = [
      `${digest} is back in ${repository}${tags === '-' ? '' : `, as ${printable(tags)}`}.`,
      ...(taken === '-' ? [] : [`These tags point at another image by now, and stay: ${printable(taken)}`]),
    ].join('\n');
    return showResult(context, options, restored, sentence);
  },
};

/** `holdfast images`: what was deleted, and how to bring it back. */
export const imagesCommand: Command = {
  name: 'images',
  summary: 'see deleted images, and put them back',
  usage: [],
  options: {},
  examples: [],
  subcommands: [deleted, restore],
  run: () => Promise.resolve(2),
};
