import type {
  DeleteTaskDefinitionsRequest,
  DeleteTaskDefinitionsResponse,
  DeregisterTaskDefinitionRequest,
  DeregisterTaskDefinitionResponse,
  DescribeTaskDefinitionRequest,
  DescribeTaskDefinitionResponse,
  ListTaskDefinitionFamiliesRequest,
  ListTaskDefinitionFamiliesResponse,
  ListTaskDefinitionsRequest,
  ListTaskDefinitionsResponse,
  RegisterTaskDefinitionRequest,
  RegisterTaskDefinitionResponse,
  TaskDefinition,
} from '@aws-sdk/client-ecs';
import { taskDefinitionArn } from './arn.ts';
import type { OrchestratorContext } from './context.ts';
import { clientException, invalidParameter } from './ecs-faults.ts';
import type { Operation } from './model.ts';
import { checkFamilyPrefix, normaliseTaskDefinition } from './normalise-task-definition.ts';
import { decodeToken, pageOf, readLimit } from './paging.ts';
import { dropTags, putTags, readTags, tagsOf, writeTags } from './resource-tags.ts';
import type { ServiceDirectory } from './service-directory.ts';
import {
  findTaskDefinition,
  readTaskDefinitionName,
  toTaskDefinition,
  type TaskDefinitionRecord,
} from './task-definition-rows.ts';

export interface TaskDefinitionOperations {
  RegisterTaskDefinition: Operation<RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse>;
  DescribeTaskDefinition: Operation<DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse>;
  ListTaskDefinitions: Operation<ListTaskDefinitionsRequest, ListTaskDefinitionsResponse>;
  ListTaskDefinitionFamilies: Operation<ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse>;
  DeregisterTaskDefinition: Operation<DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse>;
  DeleteTaskDefinitions: Operation<DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse>;
}

const MOST_REVISIONS = 1_000_000;
/** A deleted task definition is shown for so long, as with AWS, where deleting takes its time. */
const SHOW_DELETED_MS = 60 * 60 * 1000;

export function createTaskDefinitions(context: OrchestratorContext, services: ServiceDirectory): TaskDefinitionOperations {
  const { meta, clock } = context;

  return {
    async RegisterTaskDefinition(caller, input) {
      const document = normaliseTaskDefinition(input);
      const tags = readTags(input.tags);
      const { account, region } = caller;
      const row = await meta.transact(async (transaction) => {
        const { last_revision: revision } = await transaction
          .insertInto('task_definition_family')
          .values({ account, region, family: input.family, last_revision: 1 })
          .onConflict((conflict) =>
            conflict
              .columns(['account', 'region', 'family'])
              .doUpdateSet((builder) => ({ last_revision: builder('task_definition_family.last_revision', '+', 1) })),
          )
          .returning('last_revision')
          .executeTakeFirstOrThrow();
        if (revision > MOST_REVISIONS)
          throw clientException(`The family '${input.family}' has had ${MOST_REVISIONS} revisions, and can have no more.`);
        await putTags(transaction, taskDefinitionArn(caller, input.family, revision), tags);
        return transaction
          .insertInto('task_definition')
          .values({
            account,
            region,
            family: input.family,
            revision,
            status: 'ACTIVE',
            registered_at: clock.now(),
            registered_by: caller.principal,
            document: JSON.stringify(document),
          })
          .returningAll()
          .executeTakeFirstOrThrow();
      });
      return { taskDefinition: describeTaskDefinition(toTaskDefinition(row)), tags: writeTags(tags) };
    },

    async DescribeTaskDefinition(caller, { taskDefinition, include = [] }) {
      const found = await findTaskDefinition(meta.read, caller, taskDefinition);
      if (found === undefined) throw clientException('Unable to describe task definition.');
      return {
        taskDefinition: describeTaskDefinition(found),
        ...(include.includes('TAGS') ? { tags: writeTags((await tagsOf(meta.read, [found.arn])).get(found.arn)) } : {}),
      };
    },

    async ListTaskDefinitions(caller, { familyPrefix, status = 'ACTIVE', sort = 'ASC', maxResults, nextToken }) {
      const limit = readLimit(maxResults);
      checkFamilyPrefix(familyPrefix);
      const scope = `task-definitions ${status} ${sort} ${familyPrefix ?? ''}`;
      const [direction, beyond] = sort === 'ASC' ? (['asc', '>'] as const) : (['desc', '<'] as const);
      let query = meta.read
        .selectFrom('task_definition')
        .select(['family', 'revision'])
        .where('account', '=', caller.account)
        .where('region', '=', caller.region)
        .where('status', '=', status)
        .orderBy('family', direction)
        .orderBy('revision', direction)
        .limit(limit + 1);
      // Despite its name it is a whole family (API reference).
      if (familyPrefix !== undefined && familyPrefix !== '') query = query.where('family', '=', familyPrefix);
      if (nextToken !== undefined) {
        const [family, revision] = decodeToken(scope, nextToken, ['', 0]);
        query = query.where((builder) =>
          builder.or([
            builder('family', beyond, family),
            builder.and([builder('family', '=', family), builder('revision', beyond, revision)]),
          ]),
        );
      }
      const page = pageOf(scope, await query.execute(), limit, (row) => [row.family, row.revision]);
      return {
        taskDefinitionArns: page.rows.map((row) => taskDefinitionArn(caller, row.family, row.revision)),
        ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }),
      };
    },

    async ListTaskDefinitionFamilies(caller, { familyPrefix = '', status = 'ALL', maxResults, nextToken }) {
      const limit = readLimit(maxResults);
      checkFamilyPrefix(familyPrefix);
      const scope = `families ${status} ${familyPrefix}`;
      let query = meta.read
        .selectFrom('task_definition_family as one')
        .select('one.family')
        .where('one.account', '=', caller.account)
        .where('one.region', '=', caller.region)
        .where('one.family', '>=', familyPrefix)
        // Behind every name that begins so: names are of ASCII letters.
        .where('one.family', '<', `${familyPrefix}\u{7f}`)
        .orderBy('one.family')
        .limit(limit + 1);
      if (status !== 'ALL') {
        query = query.where(({ exists, not, selectFrom }) => {
          const active = exists(
            selectFrom('task_definition as revision')
              .select('revision.id')
              .whereRef('revision.account', '=', 'one.account')
              .whereRef('revision.region', '=', 'one.region')
              .whereRef('revision.family', '=', 'one.family')
              .where('revision.status', '=', 'ACTIVE'),
          );
          return status === 'ACTIVE' ? active : not(active);
        });
      }
      if (nextToken !== undefined) query = query.where('one.family', '>', decodeToken(scope, nextToken, [''])[0]);
      const page = pageOf(scope, await query.execute(), limit, ({ family }) => [family]);
      return {
        families: page.rows.map(({ family }) => family),
        ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }),
      };
    },

    async DeregisterTaskDefinition(caller, { taskDefinition }) {
      const name = readTaskDefinitionName(caller, taskDefinition);
      if (name !== undefined && name.revision === undefined) throw clientException('Revision is missing.');
      const changed = await meta.transact(async (transaction) => {
        const found = await findTaskDefinition(transaction, caller, taskDefinition);
        if (found === undefined) throw clientException('Unable to describe task definition.');
        if (found.status === 'DELETE_IN_PROGRESS')
          throw clientException('The specified task definition is in the process of being deleted.');
        if (found.status === 'INACTIVE') return found;
        const now = clock.now();
        await transaction
          .updateTable('task_definition')
          .set({ status: 'INACTIVE', deregistered_at: now })
          .where('id', '=', found.id)
          .execute();
        return { ...found, status: 'INACTIVE' as const, deregisteredAt: now };
      });
      return { taskDefinition: describeTaskDefinition(changed) };
    },

    async DeleteTaskDefinitions(caller, { taskDefinitions }) {
      if (taskDefinitions.length < 1 || taskDefinitions.length > 10)
        throw invalidParameter('taskDefinitions must have between 1 and 10 items.');
      const deleted: TaskDefinition[] = [];
      const failures: { arn: string; reason: string }[] = [];
      for (const identifier of taskDefinitions) {
        const name = readTaskDefinitionName(caller, identifier);
        if (name?.revision === undefined) {
          failures.push({
            arn: identifier,
            reason: 'The specified task definition identifier is invalid. Specify a valid name or ARN and try again.',
          });
          continue;
        }
        const outcome = await meta.transact(async (transaction) => {
          const found = await findTaskDefinition(transaction, caller, identifier);
          if (found === undefined)
            return 'The specified task definition does not exist. Specify a valid account, family, revision and try again.';
          if (found.status === 'ACTIVE')
            return 'The specified task definition is still in ACTIVE status. Please deregister the target and try again.';
          const deleteRequestedAt = found.deleteRequestedAt ?? clock.now();
          await transaction
            .updateTable('task_definition')
            .set({ status: 'DELETE_IN_PROGRESS', delete_requested_at: deleteRequestedAt })
            .where('id', '=', found.id)
            .execute();
          return { ...found, status: 'DELETE_IN_PROGRESS' as const, deleteRequestedAt };
        });
        if (typeof outcome === 'string') failures.push({ arn: identifier, reason: outcome });
        else deleted.push(describeTaskDefinition(outcome));
      }
      await removeDeleted(context, services);
      return { taskDefinitions: deleted, failures };
    },
  };
}

/** Removes task definitions whose deletion was asked for long enough ago, once no task and no service needs them. */
async function removeDeleted({ meta, clock }: OrchestratorContext, services: ServiceDirectory): Promise<void> {
  const rows = await meta.read
    .selectFrom('task_definition')
    .selectAll()
    .where('status', '=', 'DELETE_IN_PROGRESS')
    .where('delete_requested_at', '<=', clock.now() - SHOW_DELETED_MS)
    .limit(100)
    .execute();
  for (const found of rows.map(toTaskDefinition)) {
    if (await services.needsTaskDefinition(found.arn)) continue;
    await meta.transact(async (transaction) => {
      const task = await transaction
        .selectFrom('task')
        .select('id')
        .where('task_definition_id', '=', found.id)
        .limit(1)
        .executeTakeFirst();
      if (task !== undefined) return;
      await transaction.deleteFrom('task_definition').where('id', '=', found.id).execute();
      await dropTags(transaction, found.arn);
    });
  }
}

export function describeTaskDefinition(record: TaskDefinitionRecord): TaskDefinition {
  return {
    ...(record.document as TaskDefinition),
    taskDefinitionArn: record.arn,
    family: record.family,
    revision: record.revision,
    status: record.status,
    registeredAt: new Date(record.registeredAt),
    registeredBy: record.registeredBy,
    ...(record.deregisteredAt === undefined ? {} : { deregisteredAt: new Date(record.deregisteredAt) }),
    ...(record.deleteRequestedAt === undefined ? {} : { deleteRequestedAt: new Date(record.deleteRequestedAt) }),
  };
}
