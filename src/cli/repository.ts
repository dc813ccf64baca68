import { jsonOption, type Command } from './command.ts';
import { countOption, nameOperands, parseRepository, textOption } from './operands.ts';
import { connect } from './server-connection.ts';
import { cell, DEFAULT_ROWS, limitOption, MOST_ROWS, showList, showResult, timeCell } from './server-show.ts';

const makePublic: Command = visibility(
  'public',
  true,
  'let anybody pull from a repository without a login',
  (name) => `Anybody may pull from ${name} now, without a login.`,
);
const makePrivate: Command = visibility(
  'private',
  false,
  'let nobody pull from a repository without a login',
  (name) => `${name} needs a login again.`,
);

function visibility(word: string, publicPull: boolean, summary: string, sentence: (name: string) => string): Command {
  return {
    name: word,
    summary,
    usage: [`repository ${word} REPOSITORY [--json]`],
    options: { json: jsonOption },
    examples: [
      [`holdfast repository ${word} team/app`, publicPull ? 'pushing needs a login still' : 'as every repository is at first'],
    ],
    async run(context, options, operands) {
      const [name] = nameOperands(operands, ['REPOSITORY']);
      const server = await connect(context);
      const repository = parseRepository(name, server.registryHost);
      return showResult(context, options, await server.put('/public-pull', { repository, publicPull }), sentence(repository));
    },
  };
}

const list: Command = {
  name: 'list',
  summary: 'show the repositories, and which anybody may pull from',
  usage: ['repository list [--prefix TEXT] [--json]'],
  options: { prefix: { type: 'string', value: 'TEXT', help: 'only names that begin so' }, limit: limitOption, json: jsonOption },
  examples: [['holdfast repository list --prefix team/', 'those of one team']],
  async run(context, options, operands) {
    nameOperands(operands, []);
    const limit = countOption(options['limit'], 'limit', DEFAULT_ROWS, MOST_ROWS);
    const { items, more } = await (
      await connect(context)
    ).list('/repositories', 'repositories', { prefix: textOption(options, 'prefix') }, limit);
    return showList(
      context,
      options,
      { name: 'repositories', items, more, empty: 'There are no repositories.' },
      [{ header: 'REPOSITORY', cut: 'middle' }, 'CREATED', 'TAGS', 'PULL'],
      (repository) => [
        cell(repository, 'name'),
        timeCell(repository, 'createdAt'),
        cell(repository, 'tagMutability'),
        repository['publicPull'] === true ? 'public' : 'private',
      ],
    );
  },
};

/** `holdfast repository`: what the ECR API has no words for. */
export const repositoryCommand: Command = {
  name: 'repository',
  summary: 'open repositories to everybody for pulling, or close them',
  usage: [],
  options: {},
  examples: [],
  subcommands: [list, makePublic, makePrivate],
  run: () => Promise.resolve(2),
};
