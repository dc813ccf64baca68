import { jsonOption, UsageError, writeJson, writeLine, type Command, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import { countOption, nameOperands } from './operands.ts';
import { connect } from './server-connection.ts';
import { cell, DEFAULT_ROWS, limitOption, MOST_ROWS, showList, showResult, timeCell } from './server-show.ts';

const LONGEST = 32 * 1024;

const set: Command = {
  name: 'set',
  summary: 'keep a value, read from standard input, under a name',
  usage: ['secret set NAME [--json] < FILE'],
  options: { json: jsonOption },
  examples: [
    [
      `printf '{"username":"robot","password":"%s"}' "$TOKEN" | holdfast secret set team/registry`,
      'for repositoryCredentials.credentialsParameter: team/registry',
    ],
  ],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['NAME']);
    const value = await readValue(context);
    const secret = await (await connect(context)).put('/secrets', { name, value });
    return showResult(context, options, secret, `${printable(cell(secret, 'name'))} is kept.`);
  },
};

const list: Command = {
  name: 'list',
  summary: 'show the names of the secrets, never their values',
  usage: ['secret list [--limit COUNT] [--json]'],
  options: { limit: limitOption, json: jsonOption },
  examples: [['holdfast secret list', 'and when each was set last']],
  async run(context, options, operands) {
    nameOperands(operands, []);
    const limit = countOption(options['limit'], 'limit', DEFAULT_ROWS, MOST_ROWS);
    const { items, more } = await (await connect(context)).list('/secrets', 'secrets', {}, limit);
    return showList(
      context,
      options,
      { name: 'secrets', items, more, empty: 'There are no secrets.' },
      ['NAME', 'MADE', 'SET LAST'],
      (secret) => [cell(secret, 'name'), timeCell(secret, 'createdAt'), timeCell(secret, 'updatedAt')],
    );
  },
};

const remove: Command = {
  name: 'remove',
  summary: 'delete a secret; what runs with it runs on',
  usage: ['secret remove NAME [--json]'],
  options: { json: jsonOption },
  examples: [['holdfast secret remove team/registry', 'tasks that need it fail to start from now on']],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['NAME']);
    await (await connect(context)).delete('/secrets', { name });
    if (options['json'] === true) writeJson(context.stdout, { name });
    else writeLine(context.stdout, `${printable(name)} is removed.`);
    return 0;
  },
};

/** One line end behind the value is the shell's, not the secret's. Raises UsageError. */
async function readValue({ stdin }: CommandContext): Promise<string> {
  if (stdin.isTTY === true)
    throw new UsageError('The value is read from standard input, so that no list of processes shows it: pipe it in.');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > LONGEST + 2) throw new UsageError(`The value has more than ${LONGEST} bytes.`);
    chunks.push(part);
  }
  const value = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (value === '') throw new UsageError('Standard input has no value.');
  return value;
}

/** `holdfast secret`: what services need and nobody is shown again. */
export const secretCommand: Command = {
  name: 'secret',
  summary: 'keep, list and remove what services need and nobody is shown again',
  usage: [],
  options: {},
  examples: [],
  subcommands: [set, list, remove],
  run: () => Promise.resolve(2),
};
