import { lastPart, listAll, type AwsApi } from './aws-api.ts';
import { CommandFailure } from './command.ts';
import { printable } from './format.ts';
import { suggest } from './suggest.ts';

/** All clusters, or the one that is named (by its name or ARN). Raises CommandFailure when there is none of that name. */
export async function listClusters(api: AwsApi, named: string | undefined): Promise<string[]> {
  const all = (await listAll((input) => api.ecs('ListClusters', input), {}, 'clusterArns')).map(lastPart);
  if (named === undefined) return all;
  const name = lastPart(named);
  if (all.includes(name)) return [name];
  const near = suggest(name, all);
  throw new CommandFailure(`There is no cluster ${printable(name)}.`, {
    kind: 'cluster-unknown',
    ...(near.length === 0 ? {} : { advice: `Did you mean ${near.map(printable).join(' or ')}?` }),
  });
}

/** The clusters that have the service. Raises CommandFailure when none has. */
export async function clustersWith(api: AwsApi, service: string, named: string | undefined): Promise<string[]> {
  const having: string[] = [];
  const others = new Set<string>();
  for (const cluster of await listClusters(api, named)) {
    const arns = await listAll((input) => api.ecs('ListServices', input), { cluster, maxResults: 100 }, 'serviceArns');
    const names = arns.map(lastPart);
    if (names.includes(service)) having.push(cluster);
    else for (const name of names) others.add(name);
  }
  if (having.length > 0) return having;
  const near = suggest(service, [...others]);
  const where = named === undefined ? '' : ` in the cluster ${printable(lastPart(named))}`;
  throw new CommandFailure(`There is no service ${printable(service)}${where}.`, {
    kind: 'service-unknown',
    advice: near.length === 0 ? 'See: holdfast ps' : `Did you mean ${near.map(printable).join(' or ')}?`,
  });
}

/** The one cluster that has the service. Raises CommandFailure when none has, or several. */
export async function clusterOf(api: AwsApi, service: string, named: string | undefined): Promise<string> {
  const having = await clustersWith(api, service, named);
  const [only = '', second] = having;
  if (second !== undefined)
    throw new CommandFailure(`Several clusters have a service ${printable(service)}: ${having.join(', ')}.`, {
      kind: 'ambiguous',
      advice: 'Choose one with --cluster.',
    });
  return only;
}
