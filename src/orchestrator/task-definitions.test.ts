import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerDefinition, RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { ecsFault, fargate } from '../../test/support/ecs.ts';
import { caller, createWorld } from '../../test/support/orchestrator.ts';
import { normaliseTaskDefinition } from './normalise-task-definition.ts';

const container = (members: Partial<ContainerDefinition> = {}): ContainerDefinition => ({
  name: 'app',
  image: 'nginx',
  memory: 64,
  ...members,
});
const definition = (...containerDefinitions: ContainerDefinition[]): RegisterTaskDefinitionRequest => ({
  family: 'web',
  containerDefinitions,
});

test('what is left out is filled in as ECS does', () => {
  const document = normaliseTaskDefinition(definition(container({ portMappings: [{ containerPort: 80 }] })) as never);
  assert.equal(document.networkMode, 'bridge');
  assert.deepEqual(document.compatibilities, ['EXTERNAL', 'EC2']);
  const [first] = document.containerDefinitions;
  assert.deepEqual(first?.portMappings, [{ containerPort: 80, hostPort: 0, protocol: 'tcp' }]);
  assert.equal(first?.essential, true);
  assert.deepEqual([first?.environment, first?.mountPoints, first?.volumesFrom], [[], [], []]);
  const sized = normaliseTaskDefinition(fargate('nginx', { cpu: '.25 vCPU', memory: '0.5 GB' }) as never);
  assert.deepEqual([sized.cpu, sized.memory, sized.compatibilities], ['256', '512', ['EC2', 'FARGATE']]);
  assert.equal(sized.containerDefinitions[0]?.portMappings?.[0]?.hostPort, 80);
});

const health = { command: ['CMD', 'true'] };
const refusals: [name: string, request: RegisterTaskDefinitionRequest, message: string | RegExp][] = [
  ['no containers', definition(), /null or empty/],
  ['no name', definition({ image: 'nginx', memory: 64 }), 'Container.name should not be null or empty.'],
  ['no image', definition({ name: 'app', memory: 64 }), 'Container.image should not be null or empty.'],
  [
    'no memory',
    definition({ name: 'app', image: 'nginx' }),
    "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be specified.",
  ],
  ['less memory than reserved', definition(container({ memoryReservation: 128 })), /must be greater than 'memoryReservation'/],
  ['one name twice', definition(container(), container()), /a name of its own/],
  ['nothing essential', definition(container({ essential: false })), /at least one essential/],
  ['a digest cut short', definition(container({ image: 'nginx@sha256:abc' })), /64 hexadecimal digits/],
  [
    'an unknown volume',
    definition(container({ mountPoints: [{ sourceVolume: 'x', containerPath: '/x' }] })),
    /Unknown volume 'x'/,
  ],
  [
    'dependsOn nobody',
    definition(container({ dependsOn: [{ containerName: 'b', condition: 'START' }] })),
    /There is no container 'b'/,
  ],
  [
    'dependsOn in a circle',
    definition(
      container({ name: 'a', dependsOn: [{ containerName: 'b', condition: 'START' }] }),
      container({ name: 'b', dependsOn: [{ containerName: 'c', condition: 'HEALTHY' }] }),
      container({ name: 'c', healthCheck: health, dependsOn: [{ containerName: 'a', condition: 'START' }] }),
    ),
    /wait for each other: a -> b -> c -> a/,
  ],
  ['waiting for itself', definition(container({ dependsOn: [{ containerName: 'app', condition: 'START' }] })), /app -> app/],
  [
    'HEALTHY without a health check',
    definition(container({ dependsOn: [{ containerName: 'b', condition: 'HEALTHY' }] }), container({ name: 'b' })),
    /no health check/,
  ],
  [
    'SUCCESS of an essential one',
    definition(container({ dependsOn: [{ containerName: 'b', condition: 'SUCCESS' }] }), container({ name: 'b' })),
    /essential container 'b'/,
  ],
  ['a health check of no form', definition(container({ healthCheck: { command: ['curl'] } })), /begins with CMD/],
  [
    'too long',
    definition(container({ environment: [{ name: 'A', value: 'x'.repeat(70_000) }] })),
    /Max allowed length is '65536' bytes/,
  ],
  ['Fargate without awsvpc', fargate('nginx', { networkMode: 'bridge' }), 'Fargate only supports network mode ‘awsvpc’.'],
  [
    'Fargate of a size that is not',
    fargate('nginx', { cpu: '256', memory: '4096' }),
    /^No Fargate configuration exists for given values/,
  ],
  ['Fargate, privileged', fargate('nginx', { containerDefinitions: [container({ privileged: true })] }), /privileged/],
  ['a family of odd letters', { ...definition(container()), family: 'a b' }, /letters, digits/],
];
for (const [name, request, message] of refusals)
  test(`refused: ${name}`, () => {
    assert.throws(() => normaliseTaskDefinition(request as never), ecsFault('ClientException', message));
  });

test('revisions are counted for ever, and leave by INACTIVE and DELETE_IN_PROGRESS', async (t) => {
  const { operations } = (await createWorld(t)).orchestrator;
  const register = () =>
    operations.RegisterTaskDefinition(caller, { ...definition(container()), tags: [{ key: 'a', value: 'b' }] } as never);
  await register();
  const { taskDefinition } = await register();
  assert.equal(taskDefinition?.revision, 2);
  const newest = await operations.DescribeTaskDefinition(caller, { taskDefinition: 'web', include: ['TAGS'] });
  assert.deepEqual([newest.taskDefinition?.revision, newest.tags], [2, [{ key: 'a', value: 'b' }]]);
  await assert.rejects(
    operations.DescribeTaskDefinition(caller, { taskDefinition: 'web:9' }),
    ecsFault('ClientException', 'Unable to describe task definition.'),
  );
  await assert.rejects(
    operations.DeregisterTaskDefinition(caller, { taskDefinition: 'web' }),
    ecsFault('ClientException', 'Revision is missing.'),
  );
  await assert.rejects(
    operations.DeregisterTaskDefinition(caller, { taskDefinition: 'web:x' }),
    ecsFault('InvalidParameterException', 'Invalid revision number. Number: x'),
  );

  const early = await operations.DeleteTaskDefinitions(caller, { taskDefinitions: ['web:2'] });
  assert.match(early.failures?.[0]?.reason ?? '', /still in ACTIVE status/);
  const gone = await operations.DeregisterTaskDefinition(caller, { taskDefinition: 'web:2' });
  assert.equal(gone.taskDefinition?.status, 'INACTIVE');
  assert.equal((await operations.DescribeTaskDefinition(caller, { taskDefinition: 'web' })).taskDefinition?.revision, 1);
  const deleted = await operations.DeleteTaskDefinitions(caller, {
    taskDefinitions: [gone.taskDefinition?.taskDefinitionArn ?? ''],
  });
  assert.equal(deleted.taskDefinitions?.[0]?.status, 'DELETE_IN_PROGRESS');
  assert.equal((await register()).taskDefinition?.revision, 3);

  const arns = async (input: object) =>
    (await operations.ListTaskDefinitions(caller, input)).taskDefinitionArns?.map((arn) => arn.split('/')[1]);
  assert.deepEqual(await arns({}), ['web:1', 'web:3']);
  assert.deepEqual(await arns({ sort: 'DESC', maxResults: 1 }), ['web:3']);
  assert.deepEqual(await arns({ status: 'DELETE_IN_PROGRESS' }), ['web:2']);
  assert.deepEqual(await arns({ familyPrefix: 'we' }), []);
  assert.deepEqual((await operations.ListTaskDefinitionFamilies(caller, { familyPrefix: 'we', status: 'ACTIVE' })).families, [
    'web',
  ]);
  assert.deepEqual((await operations.ListTaskDefinitionFamilies(caller, { status: 'INACTIVE' })).families, []);
});
