import type { CapacityProviderStrategyItem } from '@aws-sdk/client-ecs';
import { nameOf } from './arn.ts';
import type { Cluster } from './cluster-rows.ts';
import { invalidParameter } from './ecs-faults.ts';
import type { Given } from './model.ts';

export const FARGATE_PROVIDERS: readonly string[] = ['FARGATE', 'FARGATE_SPOT'];

/** Checks a capacity provider strategy against the providers of its cluster. Raises `ecs`. */
export function checkStrategy(
  strategy: Given<CapacityProviderStrategyItem>[],
  providers: readonly string[],
): Given<CapacityProviderStrategyItem>[] {
  if (strategy.length > 20) throw invalidParameter('A capacity provider strategy can have at most 20 items.');
  if (strategy.filter(({ base = 0 }) => base > 0).length > 1)
    throw invalidParameter('Only one capacity provider of a strategy can have a base value defined.');
  for (const { capacityProvider } of strategy) {
    if (!providers.includes(capacityProvider))
      throw invalidParameter(
        `The specified capacity provider '${capacityProvider}' is not associated with the cluster. Associate it with PutClusterCapacityProviders and try again.`,
      );
  }
  const fargate = strategy.filter(({ capacityProvider }) => FARGATE_PROVIDERS.includes(capacityProvider));
  if (fargate.length > 0 && fargate.length < strategy.length)
    throw invalidParameter(
      'A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate.',
    );
  return strategy;
}

/** What tasks run on: a launch type, or the capacity providers of a strategy, one for each task by base and weight. */
export interface Capacity {
  launchType: 'EC2' | 'FARGATE';
  strategy?: Given<CapacityProviderStrategyItem>[];
  /** For the `count` next tasks when there are `before` already. */
  providersFor(count: number, before?: number): (string | undefined)[];
}

/** What `launchType`, `capacityProviderStrategy` and the cluster's default strategy come to. Raises `ecs`. */
export function decideCapacity(
  cluster: Cluster,
  input: { launchType?: string; capacityProviderStrategy?: Given<CapacityProviderStrategyItem>[] },
): Capacity {
  const given = input.capacityProviderStrategy ?? [];
  if (input.launchType !== undefined && given.length > 0)
    throw invalidParameter('Specify either Launch Type or Capacity Provider Strategy, but not both.');
  if (input.launchType === 'EXTERNAL' || input.launchType === 'MANAGED_INSTANCES')
    throw invalidParameter(
      `The launch type ${input.launchType} is not there. Use FARGATE or EC2: both run on this server's own hosts.`,
    );
  const strategy =
    input.launchType === undefined
      ? given.length > 0
        ? given
        : (cluster.defaultCapacityProviderStrategy as Given<CapacityProviderStrategyItem>[])
      : [];
  if (strategy.length === 0)
    return {
      launchType: input.launchType === 'FARGATE' ? 'FARGATE' : 'EC2',
      providersFor: (count) => Array.from({ length: count }, () => undefined),
    };
  const known = strategy.map((item) => ({
    ...item,
    capacityProvider: nameOf(cluster, 'capacity-provider', item.capacityProvider) ?? item.capacityProvider,
  }));
  checkStrategy(known, [...FARGATE_PROVIDERS, ...cluster.capacityProviders]);
  if (known.every(({ weight = 0, base = 0 }) => weight === 0 && base === 0) && known.length > 1)
    throw invalidParameter('At least one capacity provider of a strategy must have a weight greater than 0.');
  const isFargate = known.every(({ capacityProvider }) => FARGATE_PROVIDERS.includes(capacityProvider));
  return {
    launchType: isFargate ? 'FARGATE' : 'EC2',
    strategy: known,
    providersFor: (count, before = 0) => Array.from({ length: count }, (_, index) => providerOf(known, before + index)),
  };
}

/** The provider of the n-th task (from 0): bases first, then by weight. Pure. */
function providerOf(strategy: Given<CapacityProviderStrategyItem>[], index: number): string | undefined {
  let left = index;
  for (const { base = 0, capacityProvider } of strategy) {
    if (left < base) return capacityProvider;
    left -= base;
  }
  const total = strategy.reduce((sum, { weight = 0 }) => sum + weight, 0);
  if (total === 0) return strategy[0]?.capacityProvider;
  let place = left % total;
  for (const { weight = 0, capacityProvider } of strategy) {
    if (place < weight) return capacityProvider;
    place -= weight;
  }
  return undefined;
}
