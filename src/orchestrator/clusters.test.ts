import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ecsFault, fargate, NETWORK } from '../../test/support/ecs.ts';
import { caller, createWorld, IMAGE } from '../../test/support/orchestrator.ts';

test('a cluster is made once, described, listed by pages, and deleted when nothing runs in it', async (t) => {
  const world = await createWorld(t);
  const { operations } = world.orchestrator;
  const { cluster } = await operations.CreateCluster(caller, { clusterName: 'prod', tags: [{ key: 'team', value: 'a' }] });
  assert.equal(cluster?.status, 'ACTIVE');
  assert.deepEqual(cluster?.settings, [{ name: 'containerInsights', value: 'disabled' }]);
  assert.deepEqual((await operations.CreateCluster(caller, { clusterName: 'prod' })).cluster?.tags, [
    { key: 'team', value: 'a' },
  ]);

  const { clusters, failures } = await operations.DescribeClusters(caller, { clusters: ['prod', 'none'], include: ['TAGS'] });
  assert.deepEqual(
    clusters?.map(({ clusterName, tags }) => ({ clusterName, tags })),
    [{ clusterName: 'prod', tags: [{ key: 'team', value: 'a' }] }],
  );
  assert.deepEqual(failures, [{ arn: `arn:aws:ecs:${caller.region}:${caller.account}:cluster/none`, reason: 'MISSING' }]);

  const first = await operations.ListClusters(caller, { maxResults: 1 });
  const second = await operations.ListClusters(caller, { maxResults: 1, nextToken: first.nextToken ?? '' });
  assert.deepEqual([first.clusterArns?.[0]?.split('/')[1], second.clusterArns?.[0]?.split('/')[1]], ['default', 'prod']);
  assert.equal(second.nextToken, undefined);
  await assert.rejects(operations.ListClusters(caller, { nextToken: 'x' }), ecsFault('InvalidParameterException'));

  assert.equal((await operations.DeleteCluster(caller, { cluster: 'prod' })).cluster?.status, 'INACTIVE');
  await assert.rejects(
    operations.DeleteCluster(caller, { cluster: 'none' }),
    ecsFault('ClusterNotFoundException', 'Cluster not found.'),
  );
  await assert.rejects(
    operations.ListTasks(caller, { cluster: 'prod' }),
    ecsFault('ClusterNotFoundException', 'The referenced cluster was inactive.'),
  );
});

test('a cluster with tasks in it stays', async (t) => {
  const world = await createWorld(t);
  const { operations } = world.orchestrator;
  await world.push('one', 'v1');
  await operations.RegisterTaskDefinition(caller, fargate(`${IMAGE}:v1`) as never);
  const { tasks } = await operations.RunTask(caller, {
    taskDefinition: 'web',
    launchType: 'FARGATE',
    networkConfiguration: NETWORK,
  });
  await assert.rejects(
    operations.DeleteCluster(caller, { cluster: 'default' }),
    ecsFault('ClusterContainsTasksException', 'The Cluster cannot be deleted while Tasks are active.'),
  );
  await operations.StopTask(caller, { task: tasks?.[0]?.taskArn ?? '' });
  await world.advance(60_000);
  assert.equal((await operations.DeleteCluster(caller, { cluster: 'default' })).cluster?.status, 'INACTIVE');
});

test('settings and capacity providers are checked', async (t) => {
  const { operations } = (await createWorld(t)).orchestrator;
  const { cluster } = await operations.UpdateClusterSettings(caller, {
    cluster: 'default',
    settings: [{ name: 'versionConsistency' as never, value: 'disabled' }],
  });
  assert.deepEqual(cluster?.settings?.at(-1), { name: 'versionConsistency', value: 'disabled' });
  await assert.rejects(
    operations.UpdateClusterSettings(caller, { cluster: 'default', settings: [{ name: 'containerInsights', value: 'maybe' }] }),
    ecsFault('InvalidParameterException', /cannot be 'maybe'/),
  );
  const put = await operations.PutClusterCapacityProviders(caller, {
    cluster: 'default',
    capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
    defaultCapacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }],
  });
  assert.deepEqual(put.cluster?.capacityProviders, ['FARGATE', 'FARGATE_SPOT']);
  await assert.rejects(
    operations.PutClusterCapacityProviders(caller, {
      cluster: 'default',
      capacityProviders: ['mine'],
      defaultCapacityProviderStrategy: [],
    }),
    ecsFault('InvalidParameterException', /capacity provider does not exist/),
  );
});
