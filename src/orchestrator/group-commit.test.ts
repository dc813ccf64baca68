import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createWorld } from '../../test/support/orchestrator.ts';
import type { OrchestratorTransaction } from './context.ts';
import { createGroupCommit } from './group-commit.ts';

it('puts what is asked for at the same time into one transaction, and what fails takes nothing else with it', async (test) => {
  const { meta } = await createWorld(test);
  let transactions = 0;
  const group = createGroupCommit({
    transact: (work) => {
      transactions++;
      return meta.transact(work);
    },
  });
  const insert = (name: string) => async (transaction: OrchestratorTransaction) => {
    await transaction
      .insertInto('cluster')
      .values({ account: '1', region: 'r', name, status: 'ACTIVE', document: '{}', created_at: 0 })
      .execute();
    return name;
  };
  const names = async () =>
    (await meta.read.selectFrom('cluster').select('name').where('account', '=', '1').orderBy('name').execute()).map(
      ({ name }) => name,
    );

  assert.deepEqual(await Promise.all(['a', 'b', 'c', 'd'].map((name) => group.transact(insert(name)))), ['a', 'b', 'c', 'd']);
  // The first goes at once, alone; the others while it is under way.
  assert.equal(transactions, 2);

  const outcomes = await Promise.allSettled([
    group.transact(insert('e')),
    group.transact(insert('f')),
    group.transact(async (transaction) => {
      await insert('half')(transaction);
      throw new Error('broken');
    }),
    group.transact(insert('g')),
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as Error).message)),
    ['e', 'f', 'broken', 'g'],
  );
  assert.deepEqual(await names(), ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
});
