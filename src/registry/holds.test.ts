import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../core/digest.ts';
import { releaseHolds, takeHold } from './holds.ts';
import { caller, createTestRegistry } from '../../test/support/registry.ts';
import { fault } from '../../test/support/faults.ts';

describe('holds', () => {
  it('are taken once for each digest, kind and holder, and renewed after that', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one');
    const since = registry.clock.now();
    const first = await registry.holds.take(caller, repository, {
      digest,
      kind: 'task',
      holder: 'a',
      note: 'first',
      timeToLive: 1000,
    });
    assert.deepEqual(first, {
      id: first.id,
      repository: repository.name,
      digest,
      kind: 'task',
      holder: 'a',
      note: 'first',
      since,
      expiresAt: since + 1000,
      principal: caller.principal,
    });
    registry.clock.advance(500);
    const renewed = await registry.holds.take(caller, repository, { digest, kind: 'task', holder: 'a', timeToLive: 1000 });
    assert.deepEqual([renewed.id, renewed.since, renewed.expiresAt, renewed.note], [first.id, since, since + 1500, undefined]);
    await registry.holds.take(caller, repository, { digest, kind: 'service', holder: 'a' });
    assert.equal((await registry.holds.on(repository, digest)).length, 2);
    registry.clock.advance(1000);
    assert.deepEqual(
      (await registry.holds.on(repository, digest)).map((hold) => hold.kind),
      ['service'],
    );
    const again = await registry.holds.take(caller, repository, { digest, kind: 'task', holder: 'a' });
    assert.deepEqual([again.since, again.expiresAt], [registry.clock.now(), undefined]);
  });

  it('are for images that are here', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = digestOf('nothing');
    await assert.rejects(
      registry.holds.take(caller, repository, { digest, kind: 'task', holder: 'a' }),
      fault('image-unknown', { digest }),
    );
    await registry.repositories.delete(caller, repository, { force: false });
    await assert.rejects(
      registry.holds.take(caller, repository, { digest, kind: 'task', holder: 'a' }),
      fault('repository-unknown'),
    );
  });

  it('say which of their words are wrong', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one');
    const good = { digest, kind: 'task', holder: 'a' };
    for (const [member, value] of Object.entries({ kind: 'Task', holder: '', note: 'x'.repeat(513), timeToLive: 0 })) {
      await assert.rejects(
        registry.holds.take(caller, repository, { ...good, [member]: value }),
        fault('parameter-invalid', { member }),
      );
    }
  });

  it('are listed by what is asked for, oldest first, in pages, in their own place', async (test) => {
    const registry = await createTestRegistry(test);
    const [repository, other] = [await registry.create(), await registry.create('team/other')];
    const digest = await registry.push(repository, 'one');
    const second = await registry.push(other, 'two');
    const take = async (where: typeof repository, what: typeof digest, kind: string, holder: string) => {
      registry.clock.advance(1);
      return (await registry.holds.take(caller, where, { digest: what, kind, holder })).id;
    };
    const ids = [
      await take(repository, digest, 'task', 'b'),
      await take(other, second, 'service', 'a'),
      await take(repository, digest, 'service', 'a'),
    ];
    const list = async (filter: object) =>
      (await registry.holds.list(caller, { limit: 10, ...filter })).items.map((hold) => hold.id);
    assert.deepEqual(await list({}), ids);
    assert.deepEqual(await list({ repository: repository.name }), [ids[0], ids[2]]);
    assert.deepEqual(await list({ digest: second }), [ids[1]]);
    assert.deepEqual(await list({ kind: 'service' }), [ids[1], ids[2]]);
    assert.deepEqual(await list({ holder: 'b' }), [ids[0]]);
    const page = await registry.holds.list(caller, { limit: 2 });
    assert.deepEqual(await list({ next: page.next }), [ids[2]]);
    assert.deepEqual((await registry.holds.list({ ...caller, region: 'eu-west-1' }, { limit: 10 })).items, []);
    await assert.rejects(
      registry.holds.list(caller, { limit: 1, next: 'made up' }),
      fault('parameter-invalid', { member: 'nextToken' }),
    );
  });

  it('are released once, by callers of their place', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one');
    const { id } = await registry.holds.take(caller, repository, { digest, kind: 'task', holder: 'a' });
    await assert.rejects(registry.holds.release({ ...caller, account: '000000000000' }, id), fault('hold-unknown', { id }));
    await registry.holds.release(caller, id);
    await assert.rejects(registry.holds.release(caller, id), fault('hold-unknown', { id }));
    await registry.images.delete(caller, repository, digest);
  });

  it('come and go with the transaction of whoever needs them', async (test) => {
    const registry = await createTestRegistry(test);
    const { context } = registry;
    const repository = await registry.create();
    const digests = [await registry.push(repository, 'one'), await registry.push(repository, 'two')];
    const take = (fail: boolean) =>
      context.meta.transact(async (transaction) => {
        for (const digest of digests)
          await takeHold(transaction, context, caller, repository, { digest, kind: 'service', holder: 'web' });
        if (fail) throw new Error('the deployment was refused');
      });
    await assert.rejects(take(true), /refused/);
    assert.deepEqual((await registry.holds.list(caller, { limit: 10 })).items, []);
    await take(false);
    const release = (which: Parameters<typeof releaseHolds>[1]) =>
      context.meta.transact((transaction) => releaseHolds(transaction, which));
    assert.equal(await release({ kind: 'service', holder: 'other' }), 0);
    assert.equal(await release({ kind: 'service', holder: 'web', digests: [digests[0] as never] }), 1);
    assert.equal(await release({ kind: 'service', holder: 'web', repository: { id: repository.id + 1 } }), 0);
    assert.equal(await release({ kind: 'service', holder: 'web', repository }), 1);
  });

  it('cannot be forgotten: the database keeps a held image, whoever asks', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const digest = await registry.push(repository, 'one');
    await registry.holds.take(caller, repository, { digest, kind: 'task', holder: 'a' });
    await assert.rejects(
      registry.context.meta.transact((transaction) => transaction.deleteFrom('manifest').execute()),
      /FOREIGN KEY/i,
    );
    await assert.rejects(
      registry.context.meta.transact((transaction) => transaction.deleteFrom('repository').execute()),
      /FOREIGN KEY/i,
    );
  });
});
