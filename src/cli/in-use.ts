import { isDigest, shortDigest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import { createAccount, openAwsAccount } from './aws-account.ts';
import { readRegistryHosts, repositoryWithoutHost } from './aws-hosts.ts';
import { CommandFailure, jsonOption, UsageError, writeJson, writeLine, type Command, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import { readEcsUses, type Use } from './in-use-ecs.ts';
import { readDockerUses, readKubernetesUses } from './in-use-elsewhere.ts';
import { compareUses, type RegistryOf, type UsedImage } from './in-use-registry.ts';
import { tagAll } from './in-use-tags.ts';
import { nameOperands, parseRepository, textOption } from './operands.ts';
import { keysOf } from './pin-client.ts';
import { connect, type ServerConnection } from './server-connection.ts';
import { cell, MOST_ROWS } from './server-show.ts';
import { formatTable, tableWidth } from './table.ts';
import { parseTimeSpan } from './times.ts';

const DAY = 86_400_000;
const DEFAULT_TTL = '24h';
/** Sentences about risks below the table. */
const RISKS_SHOWN = 50;

/** `holdfast in-use`: what runs, and what of it is at risk. */
export const inUseCommand: Command = {
  name: 'in-use',
  summary: 'show every digest that services, tasks and holds need, and what is at risk',
  usage: [
    'in-use [REPOSITORY] [--kubernetes] [--docker] [--hold [--ttl TIME]] [--tag PATTERN] [--json]',
    'in-use [REPOSITORY] --aws [--tag PATTERN] [--json]',
  ],
  options: {
    aws: { type: 'boolean', help: 'the ECS services and tasks of an AWS account, compared with its ECR' },
    kubernetes: { type: 'boolean', help: 'the pods of the current context of kubectl' },
    docker: { type: 'boolean', help: 'the containers of a Docker host (DOCKER_HOST)' },
    hold: { type: 'boolean', help: 'hold here what was found, so that nothing deletes it' },
    ttl: { type: 'string', value: 'TIME', help: `how long to hold it (default ${DEFAULT_TTL}); again: renewed` },
    tag: {
      type: 'string',
      value: 'PATTERN',
      help: 'tag what was found: Prod-{tag}, or Prod- and its digest where it has no tag; also {environment}',
    },
    json: jsonOption,
  },
  examples: [
    ['holdfast in-use', 'exit code 1 when something that runs is at risk'],
    ['holdfast in-use team/app --kubernetes --hold --ttl 2h', 'every hour from a cron job, and no pod loses its image'],
    ["holdfast in-use team/app --aws --tag 'Prod-{tag}'", 'tag what runs on ECS, before a policy that looks for such tags'],
  ],
  async run(context, options, operands) {
    const [name] = nameOperands(operands, ['REPOSITORY?']);
    const pattern = textOption(options, 'tag');
    if (pattern !== undefined && !pattern.includes('{tag}'))
      throw new UsageError('--tag needs {tag} in it, for what the image is tagged by now: Prod-{tag}');
    const ttl = parseTimeSpan(textOption(options, 'ttl') ?? DEFAULT_TTL);
    const isAws = options['aws'] === true;
    if (isAws && (options['kubernetes'] === true || options['docker'] === true))
      throw new UsageError('--aws compares with the ECR of the account; the others with this server. Give one or the others.');
    if (isAws && options['hold'] === true)
      throw new UsageError('Amazon ECR knows no holds. Tag what runs with --tag, and let a policy keep such tags.');

    const registry = isAws ? await openAws(context) : await openOwn(context);
    try {
      const only = name === undefined ? undefined : repositoryIn(registry, name);
      const uses = await readUses(context, options, registry);
      const images = await compareUses(uses, registry, only, context.now());
      const done = {
        held: options['hold'] === true && registry.server !== undefined ? await holdAll(registry.server, images, ttl) : [],
        tagged: pattern === undefined ? [] : await tagAll(registry.account, images, pattern),
      };
      show(context, options, images, done);
      return images.some(({ risks }) => risks.length > 0) ? 1 : 0;
    } finally {
      registry.account.close();
    }
  },
};

function repositoryIn({ server, isHost }: RegistryOf, name: string): string {
  return server === undefined ? repositoryWithoutHost(name, isHost) : parseRepository(name, server.registryHost);
}

async function openAws(context: CommandContext): Promise<RegistryOf> {
  const account = await openAwsAccount(context);
  try {
    return { account, isHost: await readRegistryHosts(context, account) };
  } catch (error) {
    account.close();
    throw error;
  }
}

async function openOwn(context: CommandContext): Promise<RegistryOf & { server: ServerConnection }> {
  const server = await connect(context);
  const keys = keysOf(server);
  if (keys === undefined)
    throw new CommandFailure(`No access key was found for ${server.url.origin} (${server.foundIn}).`, {
      kind: 'unauthenticated',
    });
  const account = createAccount(context, keys, server.region, { ecr: server.url, ecs: server.url });
  return { account, server, isHost: (host) => host === server.registryHost || host === server.url.host };
}

async function readUses(context: CommandContext, options: Record<string, unknown>, registry: RegistryOf): Promise<Use[]> {
  const uses: Use[] = [];
  if (options['kubernetes'] === true) uses.push(...(await readKubernetesUses(context)));
  if (options['docker'] === true) uses.push(...(await readDockerUses(context)));
  if (options['kubernetes'] === true || options['docker'] === true) return uses;
  const { server } = registry;
  if (server === undefined) return readEcsUses(registry.account);
  try {
    uses.push(...(await readEcsUses(registry.account)));
  } catch (error) {
    // A server without a runtime has no services; what holds say is still true.
    if (!(error instanceof CommandFailure) || !/UnknownOperation/.test(error.message)) throw error;
    writeLine(context.stderr, 'holdfast: this server runs no services; holds are what is shown.');
  }
  const { items } = await server.list('/holds', 'holds', {}, MOST_ROWS);
  for (const hold of items) {
    const digest = cell(hold, 'digest');
    if (!isDigest(digest)) continue;
    uses.push({
      kind: 'hold',
      // ECS's holders are ARNs; what follows their type is what everybody says.
      name: `${cell(hold, 'kind')} ${cell(hold, 'holder').replace(/^arn:aws:ecs:[^/]*\//, '')}`,
      image: `${server.registryHost}/${cell(hold, 'repository')}@${digest}`,
      digest,
    });
  }
  return uses;
}

/** One hold for each digest and user. What is gone cannot be held, and is told as a risk already. */
async function holdAll(server: ServerConnection, images: readonly UsedImage[], ttlMs: number): Promise<JsonObject[]> {
  const holds: JsonObject[] = [];
  for (const { repository, digest, usedBy, risks } of images) {
    if (digest === undefined || risks.some(({ kind }) => kind === 'gone')) continue;
    for (const user of usedBy) {
      if (user.startsWith('hold: ')) continue;
      const [kind = 'cluster', ...words] = user.split(' ');
      holds.push(
        await server.post('/holds', {
          repository,
          digest,
          kind,
          holder: words.join(' ').slice(0, 512),
          note: 'found by holdfast in-use',
          timeToLiveSeconds: Math.ceil(ttlMs / 1000),
        }),
      );
    }
  }
  return holds;
}

function show(
  context: CommandContext,
  options: Record<string, unknown>,
  images: readonly UsedImage[],
  done: { held: JsonObject[]; tagged: JsonObject[] },
): void {
  const atRisk = images.filter(({ risks }) => risks.length > 0).length;
  if (options['json'] === true) {
    writeJson(context.stdout, { images, atRisk, ...done });
    return;
  }
  if (images.length === 0) writeLine(context.stdout, 'Nothing here is in use.');
  else {
    context.stdout.write(
      formatTable(
        [
          { header: 'REPOSITORY', cut: 'middle' },
          { header: 'DIGEST', cut: 'never' },
          { header: 'TAGS', cut: 'middle' },
          { header: 'AGE', align: 'right', cut: 'never' },
          { header: 'USED BY', cut: 'end' },
          { header: 'RISK', cut: 'never' },
        ],
        images.map(({ repository, digest, tags, pushedAt, usedBy, risks }) => [
          repository,
          digest === undefined ? '-' : shortDigest(digest).replace(/^sha256:/, ''),
          tags.length === 0 ? '-' : tags.join(' '),
          pushedAt === undefined ? '-' : `${Math.max(0, Math.floor((context.now() - Date.parse(pushedAt)) / DAY))} d`,
          usedBy.join(', '),
          risks.length === 0 ? '-' : risks.map(({ kind }) => kind.replace('-', ' ')).join(', '),
        ]),
        tableWidth(context.stdout),
      ),
    );
  }
  const risky = images.flatMap((image) => image.risks.map(({ message }) => `  ${nameOf(image)}: ${message}`));
  for (const line of risky.slice(0, RISKS_SHOWN)) writeLine(context.stdout, printable(line));
  if (risky.length > RISKS_SHOWN) writeLine(context.stdout, `  … and ${risky.length - RISKS_SHOWN} more; --json shows them.`);
  for (const entry of done.tagged)
    writeLine(context.stdout, `Tagged ${cell(entry, 'repository')}:${cell(entry, 'tag')} ${cell(entry, 'digest')}`);
  if (done.held.length > 0) writeLine(context.stdout, `Held: ${done.held.length}.`);
  if (atRisk > 0) writeLine(context.stdout, `At risk: ${atRisk} of ${images.length}.`);
}

function nameOf({ repository, digest, tag }: UsedImage): string {
  return digest === undefined ? `${repository}:${tag ?? '?'}` : `${repository}@${shortDigest(digest).replace(/^sha256:/, '')}`;
}
