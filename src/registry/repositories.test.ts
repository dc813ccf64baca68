import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RepositoryName } from '../core/repository-name.ts';
import { createRepositories } from './repositories.ts';
import { createSettings } from './settings.ts';
import { createTemplates } from './templates.ts';
import { caller, createTestRegistry } from '../../test/support/registry.ts';
import { fault } from '../../test/support/faults.ts';

const name = 'team/app' as RepositoryName;

describe('repositories', () => {
  it('are made once in each place, with what was asked for', async (test) => {
    const registry = await createTestRegistry(test);
    const { repositories } = registry;
    const made = await repositories.create(caller, name, {
      tagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      exclusionFilters: [{ filterType: 'WILDCARD', filter: 'dev-*' }],
      scanOnPush: true,
      encryptionType: 'KMS',
      kmsKey: 'arn:key',
      resourceTags: { team: 'shop' },
      policyText: '{}',
    });
    assert.deepEqual(made, {
      id: made.id,
      account: caller.account,
      region: caller.region,
      name,
      createdAt: registry.clock.now(),
      tagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      exclusionFilters: [{ filterType: 'WILDCARD', filter: 'dev-*' }],
      scanOnPush: true,
      encryptionType: 'KMS',
      kmsKey: 'arn:key',
      policyText: '{}',
      publicPull: false,
    });
    assert.deepEqual(await repositories.get(caller, name), made);
    assert.deepEqual(await repositories.resourceTags(made), { team: 'shop' });
    await assert.rejects(
      repositories.create(caller, name),
      fault('repository-exists', { repository: name, registryId: caller.account }),
    );
    const elsewhere = { ...caller, region: 'eu-west-1' };
    assert.equal(await repositories.find(elsewhere, name), undefined);
    await assert.rejects(repositories.get(elsewhere, name), fault('repository-unknown', { repository: name }));
    assert.notEqual((await repositories.create(elsewhere, name)).id, made.id);
  });

  it('are listed by name, in pages, below a prefix', async (test) => {
    const registry = await createTestRegistry(test);
    for (const each of ['team/b', 'team/a', 'teams', 'other', 'team-x/a']) await registry.create(each);
    const list = async (page: object) =>
      (await registry.repositories.list(caller, { limit: 10, ...page })).items.map((item) => item.name as string);
    assert.deepEqual(await list({}), ['other', 'team-x/a', 'team/a', 'team/b', 'teams']);
    assert.deepEqual(await list({ prefix: 'team/' }), ['team/a', 'team/b']);
    const { next } = await registry.repositories.list(caller, { limit: 3 });
    assert.deepEqual(await list({ next }), ['team/b', 'teams']);
  });

  it('keep their limits', async (test) => {
    const registry = await createTestRegistry(test, { limits: { repositories: 1, resourceTags: 2 } });
    const { repositories } = registry;
    await assert.rejects(
      repositories.create(caller, name, { resourceTags: { a: '', b: '', c: '' } }),
      fault('too-many-resource-tags', { limit: 2 }),
    );
    const repository = await repositories.create(caller, name, { resourceTags: { a: '1', b: '2' } });
    await assert.rejects(registry.create('other'), fault('limit-exceeded', { what: 'repositories', limit: 1 }));
    await repositories.addResourceTags(caller, repository, { b: '3' });
    await assert.rejects(
      repositories.addResourceTags(caller, repository, { c: '' }),
      fault('too-many-resource-tags', { limit: 2 }),
    );
    await repositories.removeResourceTags(caller, repository, ['a', 'unknown']);
    await repositories.addResourceTags(caller, repository, { c: '' });
    assert.deepEqual(await repositories.resourceTags(repository), { b: '3', c: '' });
  });

  it('change their settings, and know when they have gone', async (test) => {
    const registry = await createTestRegistry(test);
    const { repositories } = registry;
    const repository = await registry.create();
    await assert.rejects(
      repositories.setPolicy(caller, repository, undefined),
      fault('repository-policy-unknown', { repository: name }),
    );
    assert.equal((await repositories.setPolicy(caller, repository, '{"a":1}')).policyText, '{"a":1}');
    assert.equal((await repositories.setPolicy(caller, repository, undefined)).policyText, undefined);
    assert.equal((await repositories.setPublicPull(caller, repository, true)).publicPull, true);
    assert.equal((await repositories.setScanOnPush(caller, repository, true)).scanOnPush, true);
    const filters = [{ filterType: 'WILDCARD' as const, filter: '*' }];
    const changed = await repositories.setTagMutability(caller, repository, 'MUTABLE_WITH_EXCLUSION', filters);
    assert.deepEqual(
      [changed.tagMutability, changed.exclusionFilters, changed.publicPull],
      ['MUTABLE_WITH_EXCLUSION', filters, true],
    );
    assert.deepEqual(await repositories.get(caller, name), changed);
    await repositories.delete(caller, repository, { force: false });
    await registry.create();
    const gone = fault('repository-unknown', { repository: name });
    await assert.rejects(repositories.setPolicy(caller, repository, '{}'), gone);
    await assert.rejects(repositories.addResourceTags(caller, repository, {}), gone);
    await assert.rejects(repositories.delete(caller, repository, { force: true }), gone);
  });

  it('go with their images only when told so', async (test) => {
    const registry = await createTestRegistry(test);
    const repository = await registry.create();
    const [one, two] = [await registry.push(repository, 'one', 'a', 'b'), await registry.push(repository, 'two')];
    await assert.rejects(
      registry.repositories.delete(caller, repository, { force: false }),
      fault('repository-not-empty', { repository: name }),
    );
    await registry.holds.take(caller, repository, { digest: one, kind: 'task', holder: 'x', timeToLive: 10 });
    registry.clock.advance(10);
    await registry.repositories.delete(caller, repository, { force: true });
    const deleted = (await registry.images.listDeleted({ ...caller, name }, { limit: 10 })).items;
    assert.deepEqual(
      deleted.map((image) => [image.digest, image.tags]),
      [
        [two, []],
        [one, ['a', 'b']],
      ],
    );
  });

  it('leave one row in the audit log for each change, and none for what was refused', async (test) => {
    const registry = await createTestRegistry(test);
    const { repositories, audit } = registry;
    const repository = await registry.create();
    await registry.push(repository, 'one', 'a');
    await assert.rejects(repositories.delete(caller, repository, { force: false }));
    await assert.rejects(registry.create(name));
    await repositories.setScanOnPush(caller, repository, true);
    await repositories.delete(caller, repository, { force: true });
    const { items } = await audit.list(caller, { limit: 10 });
    assert.deepEqual(
      items.map((event) => event.action),
      ['repository.delete', 'repository.set-scan-on-push', 'image.push', 'repository.create'],
    );
    assert.deepEqual([items[0]?.principal, items[0]?.repository, items[0]?.detail], [caller.principal, name, { force: true }]);
    const page = await audit.list(caller, { limit: 3, repository: name });
    assert.deepEqual(
      (await audit.list(caller, { limit: 3, ...(page.next ? { next: page.next } : {}) })).items.map((event) => event.action),
      ['repository.create'],
    );
    assert.deepEqual((await audit.list({ ...caller, account: '000000000000' }, { limit: 3 })).items, []);
  });
});

describe('creating on push', () => {
  const template = (appliedFor: string[], more: object = {}) => ({ appliedFor, ...more });

  it('takes the longest prefix that is meant for it, else the root', async (test) => {
    const registry = await createTestRegistry(test);
    const templates = createTemplates(registry.context);
    await templates.create(caller, 'prod', template(['CREATE_ON_PUSH'], { imageTagMutability: 'IMMUTABLE' }));
    await templates.create(caller, 'prod/team', template(['REPLICATION'], { imageTagMutability: 'MUTABLE' }));
    const push = (each: string) => registry.repositories.getForPush(caller, each as RepositoryName, () => undefined);
    assert.equal((await push('prod/team/app')).tagMutability, 'IMMUTABLE');
    for (const each of ['prod', 'production/app', 'other'])
      await assert.rejects(push(each), fault('repository-unknown', { repository: each }));
    await templates.update(
      caller,
      'prod/team',
      template(['CREATE_ON_PUSH'], {
        imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
        imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'x*' }],
        encryptionConfiguration: { encryptionType: 'KMS', kmsKey: 'arn:key' },
        repositoryPolicy: '{}',
        resourceTags: [{ Key: 'a', Value: 'b' }],
      }),
    );
    const made = await push('prod/team/web');
    assert.deepEqual(
      [
        made.tagMutability,
        made.exclusionFilters.length,
        made.encryptionType,
        made.kmsKey,
        made.policyText,
        await registry.repositories.resourceTags(made),
      ],
      ['IMMUTABLE_WITH_EXCLUSION', 1, 'KMS', 'arn:key', '{}', { a: 'b' }],
    );
    await templates.create(caller, 'ROOT', template(['CREATE_ON_PUSH']));
    assert.equal((await push('other')).tagMutability, 'MUTABLE');
  });

  it('asks whether the caller may, makes it once, and lets another room add its part in the same transaction', async (test) => {
    const registry = await createTestRegistry(test);
    await createTemplates(registry.context).create(caller, 'ROOT', template(['CREATE_ON_PUSH'], { lifecyclePolicy: 'p' }));
    const applied: unknown[] = [];
    let fails = true;
    const repositories = createRepositories(registry.context, async (_, repository, { document }) => {
      applied.push([repository.name, document.lifecyclePolicy]);
      if (fails) throw new Error('a policy that cannot be');
    });
    const denied = new Error('denied');
    const deny = () => {
      throw denied;
    };
    await assert.rejects(repositories.getForPush(caller, name, deny), (error) => error === denied);
    await assert.rejects(
      repositories.getForPush(caller, name, () => undefined),
      /cannot be/,
    );
    assert.equal(await repositories.find(caller, name), undefined);
    fails = false;
    const made = await Promise.all(Array.from({ length: 5 }, () => repositories.getForPush(caller, name, async () => undefined)));
    assert.equal(new Set(made.map((repository) => repository.id)).size, 1);
    assert.deepEqual(applied, [
      [name, 'p'],
      [name, 'p'],
    ]);
    assert.equal((await repositories.getForPush(caller, name, deny)).name, name, 'nobody is asked about one that is there');
  });
});

describe('templates and settings', () => {
  it('keep what they are given, in their place', async (test) => {
    const registry = await createTestRegistry(test);
    const templates = createTemplates(registry.context);
    const createdAt = registry.clock.now();
    await templates.create(caller, 'b', { description: 'first' });
    await templates.create(caller, 'a', {});
    await assert.rejects(templates.create(caller, 'a', {}), fault('template-exists', { prefix: 'a' }));
    registry.clock.advance(5);
    const updated = await templates.update(caller, 'b', { description: 'second' });
    assert.deepEqual(updated, { prefix: 'b', document: { description: 'second' }, createdAt, updatedAt: createdAt + 5 });
    const first = await templates.list(caller, { limit: 1 });
    assert.deepEqual(first.items[0]?.prefix, 'a');
    assert.deepEqual(await templates.list(caller, { limit: 1, ...(first.next ? { next: first.next } : {}) }), {
      items: [updated],
    });
    assert.deepEqual((await templates.list(caller, { limit: 5, prefixes: ['b', 'c'] })).items, [updated]);
    assert.deepEqual(await templates.delete(caller, 'b'), updated);
    await assert.rejects(templates.delete(caller, 'b'), fault('template-unknown', { prefix: 'b' }));
    await assert.rejects(templates.update({ ...caller, region: 'x' }, 'a', {}), fault('template-unknown', { prefix: 'a' }));

    const settings = createSettings(registry.context);
    assert.equal(await settings.get(caller, 'registry-policy'), undefined);
    await settings.set(caller, 'registry-policy', 'one');
    await settings.set(caller, 'registry-policy', 'two');
    assert.equal(await settings.get(caller, 'registry-policy'), 'two');
    assert.equal(await settings.get({ ...caller, region: 'x' }, 'registry-policy'), undefined);
    await settings.set(caller, 'registry-policy', undefined);
    assert.equal(await settings.get(caller, 'registry-policy'), undefined);
  });
});
