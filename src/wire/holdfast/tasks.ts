import type { LogLine } from '../../orchestrator/ports.ts';
import { countField, flagField, optional, textField } from './field.ts';
import { onRegistry, onService, type ApiOperation } from './operation.ts';
import { isoTime } from './time.ts';

const clusterField = textField("the cluster's name or ARN");

export const taskOperations: ApiOperation[] = [
  onRegistry(
    {
      name: 'GetTaskLogs',
      method: 'GET',
      path: '/task-logs',
      summary: 'Gives what the containers of a task have written, oldest first, as far as it is kept.',
      fields: {
        task: textField("the task's id, or the first characters of it", { max: 40 }),
        cluster: optional(clusterField),
        container: optional(textField('only of this one', { max: 255 })),
        tail: optional(countField('only so many lines, the last ones', 0, 1_000_000)),
        follow: optional(flagField('true: also what comes, until the task has stopped')),
      },
      answer: { lines: 'LogLine' },
    },
    async ({ task, cluster, container, tail, follow }, { orchestrator, caller, signal }) =>
      showLines(
        await orchestrator.readLogs(caller, {
          task,
          signal,
          ...(cluster === undefined ? {} : { cluster }),
          ...(container === undefined ? {} : { container }),
          ...(tail === undefined ? {} : { tail }),
          ...(follow === undefined ? {} : { follow }),
        }),
      ),
  ),
  onService(
    {
      name: 'CreateRollback',
      method: 'POST',
      path: '/rollbacks',
      summary:
        'Deploys an earlier revision of a service again, with the digests that it had, wherever its tags point by now. A deployment that is under way is stopped.',
      fields: {
        cluster: clusterField,
        service: textField("the service's name or ARN"),
        revision: optional(
          textField('one of the last successful ones, by its number or ARN (default: the one before the present one)', {
            max: 300,
          }),
        ),
      },
      answer: { kind: 'Rollback' },
    },
    ({ cluster, service }) => ({ cluster, service }),
    async ({ cluster, service, revision }, { orchestrator, caller }) =>
      orchestrator.rollBack(caller, { cluster, service, ...(revision === undefined ? {} : { revision }) }),
  ),
];

async function* showLines(lines: AsyncIterable<LogLine>): AsyncGenerator<object> {
  for await (const { container, stream, at, text } of lines)
    yield { container, stream, ...(at === undefined ? {} : { at: isoTime(at) }), text };
}
