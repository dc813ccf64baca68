import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTestRegistry } from '../../test/support/registry.ts';
import { rememberQuery } from './compiled.ts';

describe('remembered queries', () => {
  const openTable = async (test: Parameters<typeof createTestRegistry>[0]) => {
    const { context, create } = await createTestRegistry(test);
    const { meta } = context;
    const one = await create('one');
    const query = meta.read.selectFrom('repository').select(['id', 'name', 'scan_on_push']).where('id', '=', 0);
    const change = (scanOnPush: number) =>
      meta.transact((transaction) =>
        transaction.updateTable('repository').set({ scan_on_push: scanOnPush }).where('id', '=', one.id).execute(),
      );
    return { meta, one, query, change };
  };

  it('asks the database again after a commit, and not before', async (test) => {
    const { meta, one, query, change } = await openTable(test);
    let asked = 0;
    const remembered = rememberQuery(meta, query, (row) => {
      asked++;
      return row;
    });
    for (const value of [0, 1, 0]) {
      await change(value);
      for (let round = 0; round < 3; round++) assert.equal((await remembered.find([one.id]))?.scan_on_push, value);
    }
    assert.equal(asked, 3);
  });

  it('never keeps what was read beside a commit', async (test) => {
    const { meta, one, query, change } = await openTable(test);
    const remembered = rememberQuery(meta, query, (row) => row);
    for (let round = 0; round < 200; round++) {
      const value = round % 2;
      const read = async () => remembered.find([one.id]);
      const reads = [read()];
      const changed = change(value);
      for (let turn = 0; turn < round % 12; turn++) {
        reads.push(read());
        await Promise.resolve();
      }
      await changed;
      assert.equal((await remembered.find([one.id]))?.scan_on_push, value);
      await Promise.all(reads);
      assert.equal((await remembered.find([one.id]))?.scan_on_push, value);
    }
  });

  it('remembers neither a row that is not there nor anything where others may write', async (test) => {
    const { meta, one, query, change } = await openTable(test);
    const absent = rememberQuery(meta, query, (row) => row);
    assert.equal(await absent.find([one.id + 1]), undefined);
    assert.equal(await absent.find([one.id + 1]), undefined);
    let asked = 0;
    const shared = rememberQuery({ read: meta.read }, query, (row) => {
      asked++;
      return row;
    });
    await change(1);
    await shared.find([one.id]);
    await shared.find([one.id]);
    assert.equal(asked, 2);
  });

  it('gives nobody a value to change', async (test) => {
    const { meta, one, query } = await openTable(test);
    const row = await rememberQuery(meta, query, (found) => found).find([one.id]);
    assert.throws(() => Object.assign(row ?? {}, { scan_on_push: 7 }), TypeError);
  });
});
