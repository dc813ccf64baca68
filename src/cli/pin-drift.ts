import { findAwsKeys, type AwsKeys } from '../client/credentials/aws-keys.ts';
import { isJsonObject, type Json } from '../core/json.ts';
import { childrenOf } from '../pinner/check.ts';
import { findDrift, type RunningContainer } from '../pinner/drift.ts';
import { createAccount, createAwsAccount, type AwsAccount } from './aws-account.ts';
import { CommandFailure, jsonOption, UsageError, writeJson, writeLine, type Command, type CommandContext } from './command.ts';
import { clientOptions, findOwnServer, keysOf, openClient } from './pin-client.ts';
import { scopeOptions } from './pin-options.ts';
import { scanFiles } from './pin-scan.ts';
import type { ServerAddress } from './server-connection.ts';
import { formatTable, tableWidth } from './table.ts';

/** DescribeTasks takes so many (ECS API reference). */
const TASKS_AT_ONCE = 100;

function ecsAccount(context: CommandContext, server: ServerAddress | undefined, keys: AwsKeys): AwsAccount {
  if (server !== undefined) return createAccount(context, keys, server.region, { ecs: server.url, ecr: server.url });
  return createAwsAccount(context, keys, context.env['AWS_REGION'] || context.env['AWS_DEFAULT_REGION'] || 'us-east-1');
}

/** Every container of every running task of the cluster, equal ones counted together. */
async function listRunning(account: AwsAccount, cluster: string): Promise<RunningContainer[]> {
  const arns = await account.listTexts('ecs', 'ListTasks', { cluster }, 'taskArns');
  const running = new Map<string, RunningContainer>();
  for (let from = 0; from < arns.length; from += TASKS_AT_ONCE) {
    const answer = await account.call('ecs', 'DescribeTasks', { cluster, tasks: arns.slice(from, from + TASKS_AT_ONCE) });
    for (const task of listOf(answer['tasks']).filter(isJsonObject)) {
      const taskDefinition = textOf(task['taskDefinitionArn']).replace(/^.*\//, '');
      for (const container of listOf(task['containers']).filter(isJsonObject)) {
        const [name, image, digest] = [textOf(container['name']), textOf(container['image']), textOf(container['imageDigest'])];
        const key = JSON.stringify([taskDefinition, name, image, digest]);
        const known = running.get(key) ?? { taskDefinition, container: name, image, ...(digest ? { digest } : {}), tasks: 0 };
        running.set(key, { ...known, tasks: known.tasks + 1 });
      }
    }
  }
  return [...running.values()].sort((a, b) =>
    `${a.taskDefinition}/${a.container}` < `${b.taskDefinition}/${b.container}` ? -1 : 1,
  );
}

const listOf = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');

export const pinDriftCommand: Command = {
  name: 'drift',
  summary: 'Compare what an ECS cluster runs with what the files say',
  usage: ['pin drift --cluster CLUSTER [PATH…]'],
  options: {
    cluster: { type: 'string', value: 'CLUSTER', help: 'name or ARN; of your own Holdfast, or of AWS where none is found' },
    json: jsonOption,
    ...scopeOptions,
    ...clientOptions,
  },
  examples: [['holdfast pin drift --cluster production deploy/', 'is what runs what deploy/ pins?']],
  async run(context, options, operands) {
    const { cluster } = options;
    if (typeof cluster !== 'string' || cluster === '') throw new UsageError('Name the cluster: --cluster CLUSTER');
    const server = await findOwnServer(context);
    const keys = server ? keysOf(server) : await findAwsKeys(context.env);
    if (keys === undefined)
      throw new CommandFailure('There are no AWS keys.', {
        kind: 'denied',
        advice: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or for a Holdfast: eval "$(holdfast env)"',
      });
    const scan = await scanFiles(context, options, operands);
    const places = scan.files.flatMap(({ path, findings }) => findings.references.map((found) => ({ path, found })));
    const ecs = ecsAccount(context, server, keys);
    const client = await openClient(context, options);
    try {
      const drifts = await findDrift(await listRunning(ecs, cluster), places, async (name, index, digest) => {
        const fetched = await client.getManifest({ ...name, digest: index });
        return (
          fetched.ok && (childrenOf(fetched.value.bytes, fetched.value.mediaType) ?? []).some((child) => child.digest === digest)
        );
      });
      if (options['json'] === true) {
        writeJson(context.stdout, { cluster, containers: drifts });
      } else if (drifts.length === 0) {
        writeLine(context.stderr, `Nothing runs in ${cluster}.`);
      } else {
        const columns = [
          'TASK DEFINITION',
          'CONTAINER',
          { header: 'STATE', cut: 'never' as const },
          { header: 'RUNS', cut: 'middle' as const },
          { header: 'PINNED IN', cut: 'middle' as const },
        ];
        const rows = drifts.map(({ taskDefinition, container, state, image, digest, places: at }) => {
          const name = image.split('@', 1)[0]!;
          return [taskDefinition, container, state, digest ? `${name}@${digest.slice(0, 19)}` : name, at.join(' ')];
        });
        context.stdout.write(formatTable(columns, rows, tableWidth(context.stdout)));
      }
      return drifts.some(({ state }) => state === 'drifted') ? 1 : 0;
    } finally {
      client.close();
      ecs.close();
    }
  },
};
