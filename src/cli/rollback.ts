import { isDigest, shortDigest } from '../core/digest.ts';
import { lastPart, openAwsApi, textOf } from './aws-api.ts';
import { jsonOption, UsageError, writeJson, writeLine, type Command } from './command.ts';
import { listDeployments } from './deployments.ts';
import { clusterOf } from './find-service.ts';
import { printable } from './format.ts';
import { connect } from './server-connection.ts';

export const rollback: Command = {
  name: 'rollback',
  summary: 'deploy an earlier revision of a service again, with the digests that it had',
  usage: ['rollback SERVICE [REVISION] [--cluster NAME]'],
  options: {
    cluster: { type: 'string', value: 'NAME', help: 'the cluster of the service (default: the one that has it)' },
    json: jsonOption,
  },
  examples: [
    ['holdfast rollback web', 'to the revision before, wherever its tags point by now'],
    ['holdfast rollback web 4506290861204002986', 'to one that deployments shows'],
  ],
  async run(context, options, operands) {
    const [service, revision, extra] = operands;
    if (service === undefined || extra !== undefined)
      throw new UsageError('rollback takes a service, and the revision to go back to if not the one before');
    const api = await openAwsApi(context);
    try {
      const cluster = await clusterOf(api, service, options['cluster'] as string | undefined);
      const server = await connect(context);
      const result = await server.post('/rollbacks', { cluster, service, ...(revision === undefined ? {} : { revision }) });
      const number = textOf(result['revision']);
      const target = (await listDeployments(api, cluster, service)).find((one) => one.revision === number);
      const images = target?.images ?? [];
      if (options['json'] === true) {
        writeJson(context.stdout, { cluster, service, ...result, images });
        return 0;
      }
      writeLine(context.stderr, `${printable(service)} goes back to ${lastPart(textOf(result['taskDefinition']))}:`);
      for (const { container, digest } of images)
        writeLine(
          context.stderr,
          `  ${printable(container)} ${digest !== undefined && isDigest(digest) ? shortDigest(digest) : 'by its tag: no digest was recorded'}`,
        );
      // Alone, so that a script can keep it.
      writeLine(context.stdout, number);
      return 0;
    } finally {
      api.close();
    }
  },
};
