import type {
  CapacityProvider,
  CreateCapacityProviderRequest,
  CreateCapacityProviderResponse,
  DeleteCapacityProviderRequest,
  DeleteCapacityProviderResponse,
  DescribeCapacityProvidersRequest,
  DescribeCapacityProvidersResponse,
  UpdateCapacityProviderRequest,
  UpdateCapacityProviderResponse,
} from '@aws-sdk/client-ecs';
import type { Kysely, Selectable } from 'kysely';
import type { Place } from '../core/place.ts';
import { ecsArn, nameOf } from './arn.ts';
import { FARGATE_PROVIDERS } from './capacity-strategy.ts';
import type { OrchestratorContext, OrchestratorTables } from './context.ts';
import { clientException, invalidParameter, unsupported } from './ecs-faults.ts';
import type { Operation } from './model.ts';
import { decodeToken, pageOf, readLimit } from './paging.ts';
import { dropTags, putTags, readTags, tagsOf, writeTags } from './resource-tags.ts';
import type { TaskTables } from './schema.ts';

export interface CapacityProviderOperations {
  CreateCapacityProvider: Operation<CreateCapacityProviderRequest, CreateCapacityProviderResponse>;
  DescribeCapacityProviders: Operation<DescribeCapacityProvidersRequest, DescribeCapacityProvidersResponse>;
  UpdateCapacityProvider: Operation<UpdateCapacityProviderRequest, UpdateCapacityProviderResponse>;
  DeleteCapacityProvider: Operation<DeleteCapacityProviderRequest, DeleteCapacityProviderResponse>;
}

const MANAGED = 'Managed instances are not there. Tasks run on the hosts of this server; leave managedInstancesProvider out.';
const NAME = /^[a-zA-Z0-9_-]{1,255}$/;
/** Terraform looks for these words to know that a provider is gone. */
const NOT_FOUND = 'The specified capacity provider does not exist. Specify a valid name or ARN and try again.';

/**
 * Capacity providers by name, for tools that want them: the hosts of this server are one pool, so which of them a task is
 * started by changes nothing but what it says.
 */
export function createCapacityProviders(context: OrchestratorContext): CapacityProviderOperations {
  const { meta, clock } = context;

  return {
    async CreateCapacityProvider(caller, input) {
      const { name, autoScalingGroupProvider } = input;
      if (input.managedInstancesProvider !== undefined) throw unsupported(MANAGED);
      if (!NAME.test(name) || /^(?:aws|ecs|fargate)/i.test(name))
        throw invalidParameter(
          "A capacity provider's name has up to 255 letters, digits, hyphens and underscores, and does not begin with aws, ecs or fargate.",
        );
      if (autoScalingGroupProvider === undefined) throw clientException('Specify autoScalingGroupProvider.');
      const tags = readTags(input.tags);
      const arn = providerArn(caller, name);
      const { account, region } = caller;
      const row = await meta.transact(async (transaction) => {
        const existing = await findProvider(transaction, caller, name);
        if (existing !== undefined)
          throw clientException(
            `A capacity provider with the name '${name}' already exists. Use UpdateCapacityProvider to change it.`,
          );
        const { managedScaling, ...rest } = autoScalingGroupProvider;
        const document = {
          managedTerminationProtection: 'DISABLED',
          managedDraining: 'ENABLED',
          ...rest,
          managedScaling: {
            status: 'DISABLED',
            targetCapacity: 100,
            minimumScalingStepSize: 1,
            maximumScalingStepSize: 10_000,
            instanceWarmupPeriod: 300,
            ...managedScaling,
          },
        };
        await putTags(transaction, arn, tags);
        return transaction
          .insertInto('capacity_provider')
          .values({ account, region, name, status: 'ACTIVE', document: JSON.stringify(document), created_at: clock.now() })
          .returningAll()
          .executeTakeFirstOrThrow();
      });
      return { capacityProvider: { ...describe(row), tags: writeTags(tags) } };
    },

    async DescribeCapacityProviders(caller, { capacityProviders, include = [], maxResults, nextToken }) {
      const limit = readLimit(maxResults, 10, 10);
      const rows = await meta.read
        .selectFrom('capacity_provider')
        .selectAll()
        .where('account', '=', caller.account)
        .where('region', '=', caller.region)
        .orderBy('name')
        .execute();
      const all = [...FARGATE_PROVIDERS.map((name) => builtIn(caller, name)), ...rows.map(describe)];
      const asked = capacityProviders?.map((given) => ({ given, name: nameOf(caller, 'capacity-provider', given) }));
      const chosen =
        asked === undefined || asked.length === 0 ? all : all.filter(({ name }) => asked.some((one) => one.name === name));
      const after = nextToken === undefined ? 0 : decodeToken('capacity-providers', nextToken, [0])[0];
      const page = pageOf(
        'capacity-providers',
        chosen.map((provider, index) => ({ provider, index })).slice(after),
        limit,
        ({ index }) => [index + 1],
      );
      const tags = include.includes('TAGS')
        ? await tagsOf(
            meta.read,
            page.rows.map(({ provider }) => provider.capacityProviderArn ?? ''),
          )
        : new Map<string, Record<string, string>>();
      return {
        capacityProviders: page.rows.map(({ provider }) => ({
          ...provider,
          tags: writeTags(tags.get(provider.capacityProviderArn ?? '')),
        })),
        failures: (asked ?? [])
          .filter(({ name }) => !all.some((provider) => provider.name === name))
          .map(({ given }) => ({ arn: given.startsWith('arn:') ? given : providerArn(caller, given), reason: 'MISSING' })),
        ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }),
      };
    },

    async UpdateCapacityProvider(caller, { name: given, autoScalingGroupProvider, managedInstancesProvider }) {
      if (managedInstancesProvider !== undefined) throw unsupported(MANAGED);
      if (autoScalingGroupProvider === undefined) throw clientException('Specify autoScalingGroupProvider.');
      const name = nameOf(caller, 'capacity-provider', given) ?? given;
      const row = await meta.transact(async (transaction) => {
        const found = await findProvider(transaction, caller, name);
        if (found === undefined) throw clientException(NOT_FOUND);
        const before = JSON.parse(found.document) as ProviderDocument;
        const document: ProviderDocument = {
          ...before,
          ...autoScalingGroupProvider,
          managedScaling: { ...before.managedScaling, ...autoScalingGroupProvider.managedScaling },
          updateStatus: 'UPDATE_COMPLETE',
        };
        await transaction
          .updateTable('capacity_provider')
          .set({ document: JSON.stringify(document) })
          .where('account', '=', caller.account)
          .where('region', '=', caller.region)
          .where('name', '=', name)
          .execute();
        return { ...found, document: JSON.stringify(document) };
      });
      return { capacityProvider: describe(row) };
    },

    async DeleteCapacityProvider(caller, { capacityProvider }) {
      const name = nameOf(caller, 'capacity-provider', capacityProvider) ?? capacityProvider;
      if (FARGATE_PROVIDERS.includes(name))
        throw clientException('The FARGATE and FARGATE_SPOT capacity providers cannot be deleted.');
      const row = await meta.transact(async (transaction) => {
        const found = await findProvider(transaction, caller, name);
        if (found === undefined) throw clientException(NOT_FOUND);
        const clusters = await transaction
          .selectFrom('cluster')
          .select('document')
          .where('account', '=', caller.account)
          .where('region', '=', caller.region)
          .where('status', '=', 'ACTIVE')
          .execute();
        if (
          clusters.some(({ document }) =>
            (JSON.parse(document) as { capacityProviders: string[] }).capacityProviders.includes(name),
          )
        )
          throw clientException(
            'The specified capacity provider is in use and cannot be removed from service. Take it from its clusters with PutClusterCapacityProviders first.',
          );
        await transaction
          .deleteFrom('capacity_provider')
          .where('account', '=', caller.account)
          .where('region', '=', caller.region)
          .where('name', '=', name)
          .execute();
        await dropTags(transaction, providerArn(caller, name));
        return found;
      });
      return { capacityProvider: { ...describe(row), status: 'INACTIVE', updateStatus: 'DELETE_COMPLETE' } };
    },
  };
}

/** Names of the providers, given by name or ARN. Raises `ecs` for one that is not there. */
export async function knownCapacityProviders(context: OrchestratorContext, place: Place, given: string[]): Promise<string[]> {
  if (given.length > 20) throw invalidParameter('A cluster can have at most 20 capacity providers.');
  const names: string[] = [];
  for (const one of given) {
    const name = nameOf(place, 'capacity-provider', one);
    if (
      name === undefined ||
      (!FARGATE_PROVIDERS.includes(name) && (await findProvider(context.meta.read, place, name)) === undefined)
    )
      throw invalidParameter(NOT_FOUND);
    names.push(name);
  }
  return [...new Set(names)];
}

/** For the tags of ARNs: is there such a provider? */
export async function findProvider(
  database: Kysely<OrchestratorTables>,
  place: Place,
  name: string,
): Promise<Selectable<TaskTables['capacity_provider']> | undefined> {
  return database
    .selectFrom('capacity_provider')
    .selectAll()
    .where('account', '=', place.account)
    .where('region', '=', place.region)
    .where('name', '=', name)
    .executeTakeFirst();
}

/** What is kept of a provider: its settings, and what the last change of them has come to. */
type ProviderDocument = NonNullable<CapacityProvider['autoScalingGroupProvider']> & Pick<CapacityProvider, 'updateStatus'>;

function describe(row: Selectable<TaskTables['capacity_provider']>): CapacityProvider {
  const { updateStatus = 'CREATE_COMPLETE', ...autoScalingGroupProvider } = JSON.parse(row.document) as ProviderDocument;
  return {
    capacityProviderArn: providerArn(row, row.name),
    name: row.name,
    status: row.status as 'ACTIVE',
    type: 'EC2_AUTOSCALING',
    autoScalingGroupProvider,
    updateStatus,
  };
}

function builtIn(place: Place, name: string): CapacityProvider {
  return { capacityProviderArn: providerArn(place, name), name, status: 'ACTIVE', type: name as 'FARGATE' };
}

function providerArn(place: Place, name: string): string {
  return ecsArn(place, `capacity-provider/${name}`);
}
