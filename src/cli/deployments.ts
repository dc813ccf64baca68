import { isDigest, shortDigest } from '../core/digest.ts';
import type { JsonObject } from '../core/json.ts';
import { lastPart, numberOf, objectsOf, openAwsApi, textOf, type AwsApi } from './aws-api.ts';
import { jsonOption, UsageError, writeJson, writeLine, type Command } from './command.ts';
import { clusterOf } from './find-service.ts';
import { formatDuration, printable } from './format.ts';
import { formatTable, tableWidth } from './table.ts';

/** A deployment with the images of its revision. */
export interface ShownDeployment {
  /** What `rollback` takes: the revision's number. */
  revision: string;
  taskDefinition: string;
  status: string;
  statusReason?: string;
  createdAt: number;
  finishedAt?: number;
  images: { container: string; image: string; digest?: string }[];
  current: boolean;
}

export const deployments: Command = {
  name: 'deployments',
  summary: 'show the deployments of a service, with the digests of each',
  usage: ['deployments SERVICE [--cluster NAME]'],
  options: {
    cluster: { type: 'string', value: 'NAME', help: 'the cluster of the service (default: the one that has it)' },
    json: jsonOption,
  },
  examples: [['holdfast deployments web', 'latest first; the digests are what every task of a deployment runs']],
  async run(context, options, operands) {
    const [service, extra] = operands;
    if (service === undefined || extra !== undefined) throw new UsageError('deployments takes one service');
    const api = await openAwsApi(context);
    try {
      const cluster = await clusterOf(api, service, options['cluster'] as string | undefined);
      const found = await listDeployments(api, cluster, service);
      if (options['json'] === true) {
        writeJson(context.stdout, { cluster, service, deployments: found });
        return 0;
      }
      if (found.length === 0) writeLine(context.stdout, 'There are no deployments.');
      const rows = found.flatMap((deployment) => {
        const images = deployment.images.length === 0 ? [{ container: '-', image: '-' }] : deployment.images;
        return images.map((image: ShownDeployment['images'][number], index) => [
          index === 0 ? `${deployment.current ? '* ' : '  '}${deployment.revision}` : '',
          index === 0 ? formatDuration(Math.max(0, context.now() - deployment.createdAt)) : '',
          index === 0 ? deployment.taskDefinition : '',
          index === 0 ? deployment.status : '',
          image.container,
          image.digest !== undefined && isDigest(image.digest) ? shortDigest(image.digest).replace(/^sha256:/, '') : '-',
        ]);
      });
      if (rows.length > 0) {
        const columns = [
          { header: '  REVISION', cut: 'never' as const },
          { header: 'AGE', cut: 'never' as const },
          { header: 'TASK DEFINITION', cut: 'middle' as const },
          { header: 'STATUS', cut: 'end' as const },
          { header: 'CONTAINER', cut: 'end' as const },
          { header: 'DIGEST', cut: 'never' as const },
        ];
        context.stdout.write(formatTable(columns, rows, tableWidth(context.stdout)));
      }
      for (const { statusReason, revision } of found)
        if (statusReason !== undefined) writeLine(context.stdout, `${revision}: ${printable(statusReason)}`);
      return 0;
    } finally {
      api.close();
    }
  },
};

/** Latest first. */
export async function listDeployments(api: AwsApi, cluster: string, service: string): Promise<ShownDeployment[]> {
  const briefs: JsonObject[] = [];
  let nextToken: string | undefined;
  do {
    const page = await api.ecs('ListServiceDeployments', { cluster, service, ...(nextToken === undefined ? {} : { nextToken }) });
    briefs.push(...objectsOf(page['serviceDeployments']));
    nextToken = textOf(page['nextToken']) || undefined;
  } while (nextToken !== undefined);
  const described = await api.ecs('DescribeServices', { cluster, services: [service] });
  const currentArns = new Set(
    objectsOf(objectsOf(described['services'])[0]?.['currentServiceRevisions']).map((one) => textOf(one['arn'])),
  );
  const revisions = new Map<string, JsonObject>();
  const arns = [...new Set(briefs.map((brief) => textOf(brief['targetServiceRevisionArn'])))];
  for (let from = 0; from < arns.length; from += 20) {
    const answer = await api.ecs('DescribeServiceRevisions', { serviceRevisionArns: arns.slice(from, from + 20) });
    for (const revision of objectsOf(answer['serviceRevisions'])) revisions.set(textOf(revision['serviceRevisionArn']), revision);
  }
  return briefs
    .map((brief): ShownDeployment => {
      const arn = textOf(brief['targetServiceRevisionArn']);
      const revision = revisions.get(arn);
      const reason = textOf(brief['statusReason']);
      const finished = numberOf(brief['finishedAt']);
      return {
        revision: lastPart(arn),
        taskDefinition: lastPart(textOf(revision?.['taskDefinition'])),
        status: textOf(brief['status']),
        createdAt: numberOf(brief['createdAt']) * 1000,
        current: currentArns.has(arn),
        images: objectsOf(revision?.['containerImages']).map((image) => {
          const digest = textOf(image['imageDigest']);
          return {
            container: textOf(image['containerName']),
            image: textOf(image['image']),
            ...(digest === '' ? {} : { digest }),
          };
        }),
        ...(reason === '' ? {} : { statusReason: reason }),
        ...(finished === 0 ? {} : { finishedAt: finished * 1000 }),
      };
    })
    .sort((a, b) => b.createdAt - a.createdAt)
    .map((deployment, index, all) => ({
      ...deployment,
      // A revision that was rolled back to has several deployments; the latest is the one that counts.
      current: deployment.current && all.findIndex((other) => other.revision === deployment.revision) === index,
    }));
}
