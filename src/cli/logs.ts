import { findServer } from './server-connection.ts';
import { CommandFailure, UsageError, writeJson, writeLine, type Command } from './command.ts';
import { printable } from './format.ts';
import { streamLog } from './log-lines.ts';

export const logs: Command = {
  name: 'logs',
  summary: 'show what the containers of a task have written',
  usage: ['logs TASK [--follow] [--container NAME] [--tail COUNT]'],
  options: {
    follow: { type: 'boolean', short: 'f', help: 'go on until the task stops' },
    container: { type: 'string', value: 'NAME', help: 'of this container only' },
    cluster: { type: 'string', value: 'NAME', help: 'the cluster of the task (default: any)' },
    tail: { type: 'string', short: 'n', value: 'COUNT', help: 'only the last COUNT lines' },
    json: { type: 'boolean', help: 'one JSON object a line: container, stream, at, text' },
  },
  examples: [
    ['holdfast logs 4f2c81aa', 'a task by the first characters of its id, as ps shows it'],
    ['holdfast logs 4f2c81aa --follow --tail 20', 'the last lines, and what comes'],
  ],
  async run(context, options, operands) {
    const [task, extra] = operands;
    if (task === undefined || extra !== undefined)
      throw new UsageError('logs takes one task: its id, or the first characters of it');
    const tail = options['tail'] === undefined ? undefined : Number(options['tail']);
    if (tail !== undefined && !(Number.isInteger(tail) && tail >= 0 && tail <= 1_000_000))
      throw new UsageError('--tail takes a count of lines');
    const server = await findServer(context);
    if (server.accessKeyId === undefined)
      throw new CommandFailure(`No access key was found for ${server.url.origin} (${server.foundIn}).`, {
        kind: 'unauthenticated',
      });
    const query = {
      task: task.includes('/') ? task.slice(task.lastIndexOf('/') + 1) : task,
      ...(options['cluster'] === undefined ? {} : { cluster: options['cluster'] as string }),
      ...(options['container'] === undefined ? {} : { container: options['container'] as string }),
      ...(tail === undefined ? {} : { tail }),
      ...(options['follow'] === true ? { follow: true } : {}),
    };
    for await (const line of streamLog(context, server, query)) {
      if (options['json'] === true) {
        writeJson(context.stdout, line);
        continue;
      }
      const stream = line.stream === 'stderr' ? context.stderr : context.stdout;
      writeLine(
        stream,
        options['container'] === undefined ? `${line.container} | ${printable(line.text)}` : printable(line.text),
      );
    }
    return 0;
  },
};
