import type { CapacityProviderStrategyItem } from '@aws-sdk/client-ecs';
import { nameOf } from './arn.ts';
import type { Place } from '../core/place.ts';
import type { Cluster } from './cluster-rows.ts';
import { invalidParameter } from './ecs-faults.ts';
import type { Given } from './model.ts';

export const FARGATE_PROVIDERS: readonly string[] = ['FARGATE', 'FARGATE_SPOT'];

/** A capacity provider, by its name, with its base and weight as they count. */
type StrategyItem = Given<CapacityProviderStrategyItem> & { base: number; weight: number };

interface StrategyInput {
  launchType?: string;
  capacityProviderStrategy?: Given<CapacityProviderStrategyItem>[];
}

/** A capacity provider strategy, checked against the providers of its cluster, its defaults filled in. Raises `ecs`. */
export function readStrategy(
  place: Place,
  given: Given<CapacityProviderStrategyItem>[],
  providers: readonly string[],
): StrategyItem[] {
  const strategy = given.map(({ capacityProvider, weight = 0, base = 0 }) => ({
    capacityProvider: nameOf(place, 'capacity-provider', capacityProvider) ?? capacityProvider,
    weight,
    base,
  }));
  if (strategy.length > 20) throw invalidParameter('A capacity provider strategy can have at most 20 items.');
  if (strategy.filter(({ base }) => base > 0).length > 1)
    throw invalidParameter('Only one capacity provider of a strategy can have a base value defined.');
  for (const { capacityProvider } of strategy) {
    if (!providers.includes(capacityProvider))
      throw invalidParameter(
        `The specified capacity provider '${capacityProvider.slice(0, 255)}' is not associated with the cluster. Associate it with PutClusterCapacityProviders and try again.`,
      );
  }
  const fargate = strategy.filter(({ capacityProvider }) => FARGATE_PROVIDERS.includes(capacityProvider));
  if (fargate.length > 0 && fargate.length < strategy.length)
    throw invalidParameter(
      'A capacity provider strategy cannot contain a mix of capacity providers using Auto Scaling groups and Fargate.',
    );
  return strategy;
}

/** What a task, a service or a task set is to run on: Fargate's providers are there for everybody. Raises `ecs`. */
export function readClusterStrategy(cluster: Cluster, given: Given<CapacityProviderStrategyItem>[]): StrategyItem[] {
  const strategy = readStrategy(cluster, given, [...FARGATE_PROVIDERS, ...cluster.capacityProviders]);
  if (strategy.length > 1 && strategy.every(({ weight, base }) => weight === 0 && base === 0))
    throw invalidParameter('At least one capacity provider of a strategy must have a weight greater than 0.');
  return strategy;
}

/** The strategy that a request comes to: its own, or the cluster's when it has no launch type either. Raises `ecs`. */
export function chooseStrategy(
  cluster: Cluster,
  { launchType, capacityProviderStrategy: given = [] }: StrategyInput,
): StrategyItem[] {
  if (launchType === undefined)
    return readClusterStrategy(
      cluster,
      given.length > 0 ? given : (cluster.defaultCapacityProviderStrategy as Given<CapacityProviderStrategyItem>[]),
    );
  if (given.length > 0) throw invalidParameter('Specify either Launch Type or Capacity Provider Strategy, but not both.');
  return [];
}

/** What tasks run on: a launch type, or the capacity providers of a strategy, one for each task by base and weight. */
export interface Capacity {
  launchType: 'EC2' | 'FARGATE';
  /** For the tasks, in turn. */
  providersFor(count: number): (string | undefined)[];
}

/** What `launchType`, `capacityProviderStrategy` and the cluster's default strategy come to. Raises `ecs`. */
export function decideCapacity(cluster: Cluster, input: StrategyInput): Capacity {
  const known = chooseStrategy(cluster, input);
  if (input.launchType === 'EXTERNAL' || input.launchType === 'MANAGED_INSTANCES')
    throw invalidParameter(
      `The launch type ${input.launchType} is not there. Use FARGATE or EC2: both run on this server's own hosts.`,
    );
  if (known.length === 0)
    return {
      launchType: input.launchType === 'FARGATE' ? 'FARGATE' : 'EC2',
      providersFor: (count) => Array.from({ length: count }, () => undefined),
    };
  const isFargate = known.every(({ capacityProvider }) => FARGATE_PROVIDERS.includes(capacityProvider));
  return {
    launchType: isFargate ? 'FARGATE' : 'EC2',
    providersFor: (count) => Array.from({ length: count }, (_, index) => providerOf(known, index)),
  };
}

/** The provider of the n-th task (from 0): bases first, then by weight. Pure. */
export function providerOf(strategy: Given<CapacityProviderStrategyItem>[], index: number): string | undefined {
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
