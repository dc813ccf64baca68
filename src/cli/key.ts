import { jsonOption, UsageError, writeJson, writeLine, type Command } from './command.ts';
import { printable } from './format.ts';
import { countOption, nameOperands, textOption } from './operands.ts';
import { connect } from './server-connection.ts';
import { cell, DEFAULT_ROWS, limitOption, MOST_ROWS, showList, showResult, timeCell } from './server-show.ts';

const create: Command = {
  name: 'create',
  summary: 'make an access key; its secret is shown once',
  usage: ['key create --allow WHAT [--allow WHAT ...] [--user NAME]'],
  options: {
    allow: {
      type: 'string',
      multiple: true,
      value: 'WHAT',
      help: 'full, read-only, or pull:, push:, delete:, hold:, create: or manage: and a repository pattern',
    },
    user: { type: 'string', value: 'NAME', help: 'whose key it is; the audit log and tag history name it' },
    json: jsonOption,
  },
  examples: [
    ['holdfast key create --allow "push:team/*" --user ci', 'may log in, pull and push below team/'],
    ['holdfast key create --allow "hold:team/*" --user prod-eu', 'for a cluster elsewhere, which holds what it runs'],
    ['holdfast key create --allow read-only', 'may look at everything and change nothing'],
  ],
  async run(context, options, operands) {
    nameOperands(operands, []);
    const allow = options['allow'] as string[] | undefined;
    if (allow === undefined) throw new UsageError('Say what the key may do with --allow.');
    const userName = textOption(options, 'user');
    const server = await connect(context);
    const key = await server.post('/keys', { allow, ...(userName === undefined ? {} : { userName }) });
    if (options['json'] === true) {
      writeJson(context.stdout, key);
      return 0;
    }
    for (const [name, member] of [
      ['Access key', 'accessKeyId'],
      ['Secret', 'secretAccessKey'],
      ['User', 'userName'],
      ['May', 'allow'],
    ] as const) {
      writeLine(context.stdout, `${name.padEnd(11)} ${printable(cell(key, member))}`);
    }
    writeLine(context.stderr, 'The secret is shown here and never again.');
    return 0;
  },
};

const list: Command = {
  name: 'list',
  summary: 'show the access keys, and when each was used last',
  usage: ['key list [--limit COUNT] [--json]'],
  options: { limit: limitOption, json: jsonOption },
  examples: [['holdfast key list', 'all of them, revoked ones too']],
  async run(context, options, operands) {
    nameOperands(operands, []);
    const limit = countOption(options['limit'], 'limit', DEFAULT_ROWS, MOST_ROWS);
    const { items, more } = await (await connect(context)).list('/keys', 'keys', {}, limit);
    return showList(
      context,
      options,
      { name: 'keys', items, more, empty: 'There are no keys.' },
      [{ header: 'KEY', cut: 'never' }, 'USER', 'MAY', 'LAST USED', 'STATE'],
      (key) => [
        cell(key, 'accessKeyId'),
        cell(key, 'userName'),
        cell(key, 'allow'),
        timeCell(key, 'lastUsedAt'),
        key['revokedAt'] === undefined ? 'active' : 'revoked',
      ],
    );
  },
};

const revoke: Command = {
  name: 'revoke',
  summary: 'refuse a key, and every token made with it, for ever',
  usage: ['key revoke KEY [--json]'],
  options: { json: jsonOption },
  examples: [['holdfast key revoke AKIAIOSFODNN7EXAMPLE', 'from now on']],
  async run(context, options, operands) {
    const [id] = nameOperands(operands, ['KEY']);
    const key = await (await connect(context)).delete(`/keys/${encodeURIComponent(id)}`);
    return showResult(
      context,
      options,
      key,
      `${printable(cell(key, 'accessKeyId'))} of ${printable(cell(key, 'userName'))} is revoked.`,
    );
  },
};

/** `holdfast key`: who may do what. */
export const keyCommand: Command = {
  name: 'key',
  summary: 'make, show and revoke access keys',
  usage: [],
  options: {},
  examples: [],
  subcommands: [create, list, revoke],
  run: () => Promise.resolve(2),
};
