import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createCleanup } from '../../../test/support/cleanup.ts';
import { fargate, NETWORK } from '../../../test/support/ecs.ts';
import { caller, createWorld, IMAGE, type World } from '../../../test/support/orchestrator.ts';
import { isFault } from '../../core/fault.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import type { EcsOperation } from './operation.ts';
import { ECS_OPERATIONS } from './operations.ts';

const arn = (resource: string): string => `arn:aws:ecs:${caller.region}:${caller.account}:${resource}`;

/** Members that some operation takes, each with a value that is fine by itself. */
const FINE: JsonObject = {
  ...(fargate(`${IMAGE}:v1`) as unknown as JsonObject),
  cluster: 'default',
  clusters: ['default'],
  clusterName: 'default',
  taskDefinition: 'web:1',
  taskDefinitions: ['web:1'],
  service: 'web',
  services: ['web'],
  serviceName: 'web',
  desiredCount: 1,
  tasks: ['0'.repeat(32)],
  task: '0'.repeat(32),
  resourceArn: arn('cluster/default'),
  tags: [{ key: 'a', value: 'b' }],
  tagKeys: ['a'],
  name: 'containerInsights',
  value: 'enabled',
  settings: [{ name: 'containerInsights', value: 'enabled' }],
  capacityProvider: 'mine',
  capacityProviders: [],
  defaultCapacityProviderStrategy: [],
  attributes: [{ name: 'a', value: 'b', targetId: '0'.repeat(32) }],
  targetType: 'container-instance',
  containerInstance: '0'.repeat(32),
  containerInstances: ['0'.repeat(32)],
  status: 'ACTIVE',
  networkConfiguration: NETWORK as unknown as JsonObject,
  launchType: 'FARGATE',
  protectionEnabled: true,
  serviceDeploymentArn: arn('service-deployment/default/web/x'),
  serviceDeploymentArns: [arn('service-deployment/default/web/x')],
  serviceRevisionArns: [arn('service-revision/default/web/1')],
  hookId: 'x',
  taskSet: 'ecs-svc/1',
  primaryTaskSet: 'ecs-svc/1',
  scale: { value: 10, unit: 'PERCENT' },
  namespace: 'x',
};
/** Members of several meanings, or that need others: sent only when they are what is tried. */
const APART: Record<string, JsonObject> = {
  RegisterTaskDefinition: { status: null, tasks: null },
  ListTasks: { launchType: null },
  ListServices: { launchType: null },
  ListTaskDefinitions: { status: null },
  ListTaskDefinitionFamilies: { status: null },
  ListServiceDeployments: { status: null },
  CreateCapacityProvider: { name: 'mine', autoScalingGroupProvider: { autoScalingGroupArn: 'arn' } },
  UpdateCapacityProvider: { name: 'mine', autoScalingGroupProvider: {} },
};

const HOSTILE: Json[] = [
  -1,
  1e308,
  0.5,
  2 ** 53 - 1,
  true,
  '',
  '\u0000',
  '../../../etc/passwd',
  "'; DROP TABLE task; --",
  'x'.repeat(100_000),
  'arn:',
  `${'arn:aws:ecs:us-east-1:123456789012:task/default/'}\u0000`,
  `${arn('cluster/')}${'/'.repeat(500)}`,
  '\ud800',
  '9'.repeat(400),
  [],
  [[]],
  [null],
  [''],
  ['\u0000', '\ud800'],
  [{}],
  Array.from({ length: 1001 }, () => 'x'),
  Array.from({ length: 200 }, () => ({ name: 'x', key: 'x', capacityProvider: 'x' })),
  {},
  { constructor: 1, toString: 2 },
  { containerOverrides: [{ name: 'constructor', environment: [{ name: '__proto__', value: '\u0000' }] }] },
];

describe('hostile input', () => {
  const cleanup = createCleanup();
  let world: World;
  before(async () => {
    world = await createWorld({ after: (work) => cleanup.after(async () => void (await (work as () => unknown)())) });
    await world.push('one', 'v1');
    await world.orchestrator.operations.RegisterTaskDefinition(caller, fargate(`${IMAGE}:v1`) as never);
  });
  after(() => cleanup.run());

  // What deletes comes last, so that the others have something to work on.
  const operations = Object.entries<EcsOperation>(ECS_OPERATIONS);
  const isDeletion = ([name]: [string, EcsOperation]) => /^(?:Delete|Deregister)/.test(name);
  for (const [name, operation] of [...operations.filter((one) => !isDeletion(one)), ...operations.filter(isDeletion)]) {
    if (operation.kind === 'refused') continue;
    test(`${name} answers all of it, and never as if the fault were its own`, async () => {
      const members = Object.keys(operation.input.members);
      const fine = Object.fromEntries(members.filter((member) => member in FINE).map((member) => [member, FINE[member] ?? null]));
      for (const member of members) {
        for (const value of HOSTILE) {
          const input = { ...fine, ...APART[name], [member]: value };
          try {
            await operation.call(input, { caller, orchestrator: world.orchestrator, authorize() {} });
          } catch (error) {
            const shown = `${member}: ${JSON.stringify(value).slice(0, 200)}`;
            if (!isFault(error)) throw new Error(`${shown} is a bug`, { cause: error });
            assert.ok(JSON.stringify(error.facts).length < 5_000, `${shown} is answered at length`);
          }
        }
      }
      await world.settle();
    });
  }

  test('nothing of it went wrong behind the answers', async () => {
    await world.advance(60_000);
    assert.deepEqual(world.errors, []);
  });
});
