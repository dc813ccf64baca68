import { isDigest, shortDigest } from '../core/digest.ts';
import { openAwsApi, type AwsApi } from './aws-api.ts';
import { jsonOption, UsageError, writeJson, writeLine, type Command, type CommandContext } from './command.ts';
import { clustersWith, listClusters } from './find-service.ts';
import { formatDuration, printable } from './format.ts';
import { readLog } from './log-lines.ts';
import { listTasks, type ShownContainer, type ShownTask } from './running-tasks.ts';
import { formatTable, tableWidth } from './table.ts';

/** A failed task brings the end of its output with it. */
const LAST_LINES = 10;
const FAILED_SHOWN = 3;

export const ps: Command = {
  name: 'ps',
  summary: 'show what runs: tasks, their images, and whether a tag has moved since',
  usage: ['ps [SERVICE] [--cluster NAME] [--all]'],
  options: {
    cluster: { type: 'string', value: 'NAME', help: 'of this cluster only (default: all)' },
    all: { type: 'boolean', short: 'a', help: 'stopped tasks, too' },
    json: jsonOption,
  },
  examples: [
    ['holdfast ps', 'every task of every cluster'],
    ['holdfast ps web', 'the tasks of the service web, and why the last ones failed'],
  ],
  async run(context, options, operands) {
    const [service, extra] = operands;
    if (extra !== undefined) throw new UsageError(`ps takes one service: "${printable(extra)}" is too much`);
    const api = await openAwsApi(context);
    try {
      const named = options['cluster'] as string | undefined;
      const clusters = service === undefined ? await listClusters(api, named) : await clustersWith(api, service, named);
      const found: (ShownTask & { cluster: string })[] = [];
      for (const cluster of clusters) {
        const scope = {
          cluster,
          stopped: options['all'] === true || service !== undefined,
          ...(service === undefined ? {} : { service }),
        };
        found.push(...(await listTasks(api, scope)).map((task) => ({ ...task, cluster })));
      }
      const tasks = options['all'] === true ? found : found.filter(({ state }) => state !== 'STOPPED');
      const failures = service === undefined ? [] : await readFailures(context, api, found);
      if (options['json'] === true) {
        writeJson(context.stdout, { tasks, ...(service === undefined ? {} : { failures }) });
        return 0;
      }
      if (tasks.length === 0) writeLine(context.stdout, options['all'] === true ? 'There are no tasks.' : 'No task runs.');
      else showTasks(context, tasks);
      for (const { task, reason, log } of failures) {
        writeLine(context.stdout);
        writeLine(context.stdout, `Task ${task.slice(0, 8)} failed: ${printable(reason)}`);
        for (const line of log) writeLine(context.stdout, `  ${printable(line)}`);
      }
      return 0;
    } finally {
      api.close();
    }
  },
};

function showTasks(context: CommandContext, tasks: ShownTask[]): void {
  const rows = tasks.flatMap((task) =>
    task.containers.map((container, index) => [
      index === 0 ? task.id.slice(0, 8) : '',
      index === 0 ? (task.service ?? '-') : '',
      container.name,
      tagOf(container),
      digestOf(container),
      stateOf(task, container),
      index === 0 ? age(context, task.since) : '',
      container.tagMovedTo === undefined ? '' : short(container.tagMovedTo),
    ]),
  );
  const columns = [
    'TASK',
    { header: 'SERVICE', cut: 'middle' as const },
    { header: 'CONTAINER', cut: 'end' as const },
    { header: 'IMAGE', cut: 'middle' as const },
    { header: 'DIGEST', cut: 'never' as const },
    'STATE',
    'AGE',
    { header: 'TAG MOVED TO', cut: 'never' as const, whenFilled: true },
  ];
  context.stdout.write(formatTable(columns, rows, tableWidth(context.stdout)));
}

/** The last tasks that failed, each with the end of what it wrote. */
async function readFailures(
  context: CommandContext,
  api: AwsApi,
  tasks: (ShownTask & { cluster: string })[],
): Promise<{ task: string; reason: string; log: string[] }[]> {
  const failed = tasks.filter(hasFailed).slice(-FAILED_SHOWN);
  return Promise.all(
    failed.map(async (task) => ({
      task: task.id,
      reason: failureOf(task),
      log: await readLog(context, api.server, { task: task.id, cluster: task.cluster, tail: LAST_LINES }),
    })),
  );
}

/** Stopped by itself: not because it was scaled in or somebody said so. */
function hasFailed(task: ShownTask): boolean {
  if (task.state !== 'STOPPED') return false;
  return task.containers.some(
    ({ exitCode, reason }) =>
      reason !== undefined || (exitCode !== undefined && exitCode !== 0 && exitCode !== 143 && exitCode !== 137),
  );
}

function failureOf(task: ShownTask): string {
  const reason = task.containers.find((container) => container.reason !== undefined)?.reason;
  const exited = task.containers.find(({ exitCode }) => exitCode !== undefined && exitCode !== 0);
  return [task.stoppedReason, reason, exited === undefined ? undefined : `${exited.name} exited with ${exited.exitCode}`]
    .filter((part) => part !== undefined)
    .join('; ');
}

function tagOf({ image }: ShownContainer): string {
  return image.split('@')[0]?.replace(/^[^/]*[.:][^/]*\//, '') ?? image;
}

function digestOf({ digest }: ShownContainer): string {
  return digest === undefined ? '-' : short(digest);
}

function short(digest: string): string {
  return isDigest(digest) ? shortDigest(digest).replace(/^sha256:/, '') : digest;
}

function stateOf(task: ShownTask, container: ShownContainer): string {
  if (container.exitCode !== undefined) return `EXITED ${container.exitCode}`;
  return task.health === undefined ? task.state : `${task.state}, ${task.health}`;
}

function age(context: CommandContext, since: number): string {
  return since === 0 ? '-' : formatDuration(Math.max(0, context.now() - since));
}
