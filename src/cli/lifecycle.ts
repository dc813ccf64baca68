import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { PreviewDocument } from '../lifecycle/preview-document.ts';
import { openAwsAccount } from './aws-account.ts';
import { readRegistryHosts, repositoryWithoutHost } from './aws-hosts.ts';
import {
  CommandFailure,
  jsonOption,
  UsageError,
  writeJson,
  writeLine,
  type Command,
  type CommandContext,
  type CommandOption,
} from './command.ts';
import { confirm } from './confirm.ts';
import { printable } from './format.ts';
import { countBlindIndexes, previewElsewhere, readAwsImages, readSavedImages } from './lifecycle-elsewhere.ts';
import { renderPreviewHtml } from './lifecycle-html.ts';
import { showPreview, summaryLines } from './lifecycle-show.ts';
import { countOption, nameOperands, parseRepository, textOption } from './operands.ts';
import { connect } from './server-connection.ts';
import { cell, DEFAULT_ROWS, limitOption, MOST_ROWS, showList, showResult, timeCell, userCell } from './server-show.ts';

const policyOption: CommandOption = { type: 'string', value: 'FILE', help: "the policy to try (default: the repository's own)" };
const htmlOption: CommandOption = { type: 'string', value: 'FILE', help: 'write it as one HTML file, with a picture' };

const preview: Command = {
  name: 'preview',
  summary: 'say what a policy would do to every image, and why; nothing is changed',
  usage: [
    'lifecycle preview REPOSITORY [--policy FILE] [--all] [--json] [--html FILE]',
    'lifecycle preview REPOSITORY --aws [--policy FILE]',
    'lifecycle preview [REPOSITORY] --from FILE --policy FILE',
  ],
  options: {
    policy: policyOption,
    all: { type: 'boolean', help: 'show every image that stays, too' },
    aws: { type: 'boolean', help: 'a repository of Amazon ECR, with the keys and the region of the aws command; reads only' },
    from: { type: 'string', value: 'FILE', help: 'what aws ecr describe-images wrote' },
    html: htmlOption,
    json: jsonOption,
  },
  examples: [
    ['holdfast lifecycle preview team/app', 'what its policy would do now'],
    ['holdfast lifecycle preview team/app --policy new.json --html preview.html', 'try a policy, and send the result'],
    ['holdfast lifecycle preview team/app --aws --policy new.json', 'try it on Amazon ECR'],
  ],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['REPOSITORY?']);
    const document = await readPreview(context, options, name);
    await writeHtml(context, options, document);
    if (options['json'] === true) writeJson(context.stdout, document);
    else showPreview(context, document, { all: options['all'] === true });
    return 0;
  },
};

const apply: Command = {
  name: 'apply',
  summary: 'show the preview, ask, and carry it out',
  usage: ['lifecycle apply REPOSITORY [--policy FILE] [--yes] [--json] [--html FILE]'],
  options: {
    policy: { ...policyOption, help: 'put this policy first' },
    yes: { type: 'boolean', help: 'do not ask; also where nearly everything would go' },
    html: htmlOption,
    json: jsonOption,
  },
  examples: [
    ['holdfast lifecycle apply team/app', 'the word that a waiting run waits for'],
    ['holdfast lifecycle apply team/app --policy new.json --yes', 'put a policy and run it at once'],
  ],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['REPOSITORY']);
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    const document = await readPreview(context, options, name);
    await writeHtml(context, options, document);
    const isJson = options['json'] === true;
    if (!isJson) showPreview(context, document, { all: false });
    if (document.summary.expiring + document.summary.archiving === 0 && options['policy'] === undefined)
      return showResult(context, options, { repository, expired: 0, archived: 0 }, 'Nothing to do.');
    if (options['yes'] !== true) {
      if (isJson) for (const line of summaryLines(document)) writeLine(context.stderr, line);
      if (!(await confirm(context, 'Carry this out?'))) {
        writeLine(context.stderr, 'Nothing was changed.');
        return 1;
      }
    }
    if (options['policy'] !== undefined)
      await server.put('/lifecycle-policies', { repository, policy: document.policy, run: false });
    const run = await server.post('/lifecycle-runs', { repository, confirm: true, policy: document.policy });
    const left = Array.isArray(run['left']) ? run['left'].filter(isJsonObject) : [];
    const sentence = [
      `Done: ${cell(run, 'expired')} expired, ${cell(run, 'archived')} archived, ${cell(run, 'held')} held and left alone.`,
      ...left.map((entry) => `  left: ${cell(entry, 'digest')}: ${printable(cell(entry, 'reason'))}`),
      ...(cell(run, 'expired') === '0' && cell(run, 'archived') === '0'
        ? []
        : [`To bring them back: holdfast lifecycle undo ${repository} ${cell(run, 'id')}`]),
    ].join('\n');
    return showResult(context, options, run, sentence);
  },
};

const undo: Command = {
  name: 'undo',
  summary: 'bring back what a run took, and switch the policy off',
  usage: ['lifecycle undo REPOSITORY RUN [--json]'],
  options: { json: jsonOption },
  examples: [
    ['holdfast lifecycle undo team/app 5f8f2a52', 'the first characters are enough, as holdfast lifecycle runs shows them'],
  ],
  async run(context, options, operands) {
    const [name, typed] = nameOperands(operands, ['REPOSITORY', 'RUN']);
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    const { items } = await server.list('/lifecycle-runs', 'runs', { repository }, MOST_ROWS);
    const found = items.map((run) => cell(run, 'id')).filter((id) => typed.length >= 6 && id.startsWith(typed));
    if (found.length > 1) throw new CommandFailure(`${found.length} runs begin with ${typed}; write more of it.`);
    const undone = await server.post('/lifecycle-undos', { repository, run: found[0] ?? typed });
    const count = (member: string): number => (Array.isArray(undone[member]) ? undone[member].length : 0);
    const lost = Array.isArray(undone['lost']) ? undone['lost'].filter(isJsonObject) : [];
    const sentence = [
      `${count('restored')} images are back, ${count('activated')} from the archive.`,
      ...(count('tagsTaken') > 0 ? [`These tags point at another image by now, and stay: ${cell(undone, 'tagsTaken')}`] : []),
      ...lost.map((entry) => `  not back: ${cell(entry, 'digest')}: ${printable(cell(entry, 'reason'))}`),
      ...(undone['policyOff'] === true
        ? [`The policy is off, so that it does not do the same again. On again: holdfast lifecycle on ${repository}`]
        : []),
    ].join('\n');
    showResult(context, options, undone, sentence);
    return lost.length > 0 ? 1 : 0;
  },
};

const runs: Command = {
  name: 'runs',
  summary: 'show the runs that changed something or that wait for a word',
  usage: ['lifecycle runs REPOSITORY [--limit COUNT] [--json]'],
  options: { limit: limitOption, json: jsonOption },
  examples: [['holdfast lifecycle runs team/app', 'latest first']],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['REPOSITORY']);
    const limit = countOption(options['limit'], 'limit', DEFAULT_ROWS, MOST_ROWS);
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    const { items, more } = await server.list('/lifecycle-runs', 'runs', { repository }, limit);
    const code = showList(
      context,
      options,
      { name: 'runs', items, more, empty: `No lifecycle run has changed anything in ${repository}.` },
      [
        { header: 'RUN', cut: 'never' },
        { header: 'TIME', cut: 'never' },
        'STATUS',
        { header: 'IMAGES', align: 'right' },
        { header: 'EXPIRED', align: 'right' },
        { header: 'ARCHIVED', align: 'right' },
        { header: 'HELD', align: 'right' },
        'WHO',
      ],
      (run) => [
        cell(run, 'id').slice(0, 8),
        timeCell(run, 'startedAt'),
        cell(run, 'status'),
        cell(run, 'images'),
        cell(run, 'expired'),
        cell(run, 'archived'),
        cell(run, 'held'),
        userCell(run, 'principal'),
      ],
    );
    if (options['json'] !== true)
      for (const run of items) if (run['waits'] !== undefined) writeLine(context.stdout, printable(cell(run, 'waits')));
    return code;
  },
};

const put: Command = {
  name: 'put',
  summary: 'keep a policy, which then runs by the hour, and warn of what is probably not meant',
  usage: ['lifecycle put REPOSITORY --policy FILE [--json]'],
  options: { policy: { ...policyOption, help: "ECR's JSON" }, json: jsonOption },
  examples: [['holdfast lifecycle put team/app --policy policy.json', 'the first run begins at once']],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['REPOSITORY']);
    const policy = await readPolicyFile(context, options);
    if (policy === undefined) throw new UsageError('--policy is missing.');
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    return showPolicy(context, options, await server.put('/lifecycle-policies', { repository, policy }));
  },
};

const get: Command = {
  name: 'get',
  summary: 'show a policy, and what in it is probably not meant',
  usage: ['lifecycle get REPOSITORY [--json]'],
  options: { json: jsonOption },
  examples: [['holdfast lifecycle get team/app', 'exit code 1 when there is none']],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['REPOSITORY']);
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    const found = await server.get('/lifecycle-policies', { repository });
    if (options['json'] !== true) writeLine(context.stdout, printableText(cell(found, 'policy')));
    return showPolicy(context, options, found);
  },
};

const remove: Command = {
  name: 'delete',
  summary: 'remove a policy',
  usage: ['lifecycle delete REPOSITORY [--json]'],
  options: { json: jsonOption },
  examples: [['holdfast lifecycle delete team/app', 'what it took stays deleted; see holdfast lifecycle undo']],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['REPOSITORY']);
    const server = await connect(context);
    const repository = parseRepository(name, server.registryHost);
    await server.delete('/lifecycle-policies', { repository });
    return showResult(context, options, { repository, deleted: true }, `${repository} has no lifecycle policy any more.`);
  },
};

function switchCommand(word: 'on' | 'off', summary: string, example: string): Command {
  return {
    name: word,
    summary,
    usage: [`lifecycle ${word} REPOSITORY [--json]`],
    options: { json: jsonOption },
    examples: [[`holdfast lifecycle ${word} team/app`, example]],
    async run(context, options, operands) {
      const [name] = nameOperands(operands, ['REPOSITORY']);
      const server = await connect(context);
      const repository = parseRepository(name, server.registryHost);
      return showPolicy(context, options, await server.put('/lifecycle-switches', { repository, off: word === 'off' }));
    },
  };
}

/** `holdfast lifecycle`: cleaning up by a policy, with an explained preview. */
export const lifecycleCommand: Command = {
  name: 'lifecycle',
  summary: 'clean up by a policy: preview with reasons, apply, undo',
  usage: [],
  options: {},
  examples: [],
  subcommands: [
    preview,
    apply,
    undo,
    runs,
    put,
    get,
    switchCommand('off', 'let a policy run on demand only', 'holdfast lifecycle apply still runs it'),
    switchCommand('on', 'let a policy run by the hour again', 'the next run is due within the hour'),
    remove,
  ],
  run: () => Promise.resolve(2),
};

async function readPreview(
  context: CommandContext,
  options: Record<string, unknown>,
  name: string | undefined,
): Promise<PreviewDocument> {
  const policy = await readPolicyFile(context, options);
  const from = textOption(options, 'from');
  if (from !== undefined) {
    if (options['aws'] === true) throw new UsageError('--from reads a file and --aws an account: give one of them.');
    if (policy === undefined) throw new UsageError('--from needs a --policy to try.');
    const saved = await readSavedImages(context, from);
    const blind = countBlindIndexes(saved.images);
    if (blind > 0)
      writeLine(
        context.stderr,
        `holdfast: the file does not say what its indexes list (it has ${blind}), so their entries are taken for images of their own. --aws knows better.`,
      );
    return previewElsewhere(name ?? saved.repository, policy, saved.images, context.now());
  }
  if (name === undefined) throw new UsageError('REPOSITORY is missing.');
  if (options['aws'] === true) {
    const account = await openAwsAccount(context);
    try {
      const repositoryName = repositoryWithoutHost(name, await readRegistryHosts(context, account));
      const text = policy ?? cell(await account.call('ecr', 'GetLifecyclePolicy', { repositoryName }), 'lifecyclePolicyText');
      return previewElsewhere(repositoryName, text, await readAwsImages(account, repositoryName), context.now());
    } finally {
      account.close();
    }
  }
  const server = await connect(context);
  const repository = parseRepository(name, server.registryHost);
  const answer = await server.post('/lifecycle-previews', { repository, ...(policy === undefined ? {} : { policy }) });
  return answer as unknown as PreviewDocument;
}

async function readPolicyFile(context: CommandContext, options: Record<string, unknown>): Promise<string | undefined> {
  const file = textOption(options, 'policy');
  if (file === undefined) return undefined;
  try {
    return await readFile(resolve(context.cwd, file.replace(/^file:\/\//, '')), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new CommandFailure(`${printable(file)} cannot be read (${code}).`, { cause: error });
  }
}

async function writeHtml(context: CommandContext, options: Record<string, unknown>, document: PreviewDocument): Promise<void> {
  const file = textOption(options, 'html');
  if (file === undefined) return;
  await writeFile(resolve(context.cwd, file), renderPreviewHtml(document));
  writeLine(context.stderr, `Wrote ${printable(file)}`);
}

function showPolicy(context: CommandContext, options: Record<string, unknown>, policy: JsonObject): number {
  const warnings = Array.isArray(policy['warnings']) ? policy['warnings'].filter(isJsonObject) : [];
  const sentence = [
    ...warnings.map((warning) => `Warning: ${printable(cell(warning, 'message'))}`),
    policy['off'] === true
      ? `The policy of ${cell(policy, 'repository')} is off: it runs by holdfast lifecycle apply only.`
      : policy['lastEvaluatedAt'] === undefined
        ? `The policy of ${cell(policy, 'repository')} is on; its first run begins now.`
        : `The policy of ${cell(policy, 'repository')} is on; last run: ${timeCell(policy, 'lastEvaluatedAt')}.`,
  ].join('\n');
  return showResult(context, options, policy, sentence);
}

/** Of many lines, each made harmless. */
function printableText(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
