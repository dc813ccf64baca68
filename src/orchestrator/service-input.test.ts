import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CreateServiceRequest, UpdateServiceRequest } from '@aws-sdk/client-ecs';
import { isFault } from '../core/fault.ts';
import type { Cluster } from './cluster-rows.ts';
import type { Given } from './model.ts';
import { readCreateService, readUpdateService } from './service-input.ts';
import type { ServiceRecord } from './service-rows.ts';

const cluster: Cluster = {
  id: 1,
  name: 'default',
  arn: 'arn:aws:ecs:us-east-1:123456789012:cluster/default',
  account: '123456789012',
  region: 'us-east-1',
  status: 'ACTIVE',
  createdAt: 0,
  settings: [],
  capacityProviders: [],
  defaultCapacityProviderStrategy: [],
};

const create = (more: Partial<Given<CreateServiceRequest>> = {}) =>
  readCreateService({ serviceName: 'web', taskDefinition: 'web', desiredCount: 1, ...more }, cluster);

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(isFault(error, 'ecs'), String(error));
    return `${error.facts.code}: ${error.facts.message}`;
  }
  return 'accepted';
}

describe('what a request to make a service says', () => {
  const refused: [what: string, more: Partial<Given<CreateServiceRequest>>, message: RegExp][] = [
    ['a name with spaces', { serviceName: 'a b' }, /^InvalidParameterException: The service name 'a b'/],
    [
      'both percentages of 100',
      { deploymentConfiguration: { minimumHealthyPercent: 100, maximumPercent: 100 } },
      /^InvalidParameterException: Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments$/,
    ],
    [
      'launch type and capacity providers',
      { launchType: 'EC2', capacityProviderStrategy: [{ capacityProvider: 'FARGATE' }] },
      /^InvalidParameterException: Specify either Launch Type or Capacity Provider Strategy, but not both\.$/,
    ],
    ['more tasks than a service can have', { desiredCount: 5_001 }, /^InvalidParameterException: Desired count/],
    [
      'a daemon with a desired count',
      { schedulingStrategy: 'DAEMON' },
      /^InvalidParameterException: The daemon scheduling strategy/,
    ],
    ['a canary', { deploymentConfiguration: { strategy: 'CANARY' } }, /^UnsupportedFeatureException: .*Use ROLLING/],
    [
      'alarms',
      { deploymentConfiguration: { alarms: { alarmNames: ['a'], enable: true, rollback: true } } },
      /^UnsupportedFeatureException: .*Use deploymentCircuitBreaker/,
    ],
    [
      'an early success',
      { deploymentConfiguration: { earlySuccessCriteria: { enable: true, healthyPercent: 50 } } },
      /^UnsupportedFeatureException: earlySuccessCriteria .*set enable to false/,
    ],
    ['a gateway', { gatewayConnectors: [{}] as never }, /^UnsupportedFeatureException: Gateways/],
    ['a shell in its containers', { enableExecuteCommand: true }, /^UnsupportedFeatureException: ECS Exec/],
    ['Service Connect', { serviceConnectConfiguration: { enabled: true } }, /^UnsupportedFeatureException: Service Connect/],
    [
      'a threshold of nothing',
      {
        deploymentConfiguration: {
          deploymentCircuitBreaker: { enable: true, rollback: true, thresholdConfiguration: { type: 'COUNT', value: 0 } },
        },
      },
      /^InvalidParameterException: The value of a COUNT threshold/,
    ],
  ];
  for (const [what, more, message] of refused)
    it(`is refused: ${what}`, () =>
      assert.match(
        refusal(() => create(more)),
        message,
      ));

  it('is refused: a replica service without a count', () => {
    assert.match(
      refusal(() => readCreateService({ serviceName: 'web' } as Given<CreateServiceRequest>, cluster)),
      /^InvalidParameterException: Desired count must be specified/,
    );
  });

  it('may turn off or leave empty what is not there', () => {
    assert.equal(
      refusal(() =>
        create({
          loadBalancers: [],
          serviceRegistries: [],
          serviceConnectConfiguration: { enabled: false },
          deploymentConfiguration: { alarms: { alarmNames: [], enable: false, rollback: false }, lifecycleHooks: [] },
        }),
      ),
      'accepted',
    );
  });

  it('has the defaults of ECS', () => {
    const { document, controller, launchType } = create();
    assert.deepEqual(
      [controller, launchType, document.propagateTags, document.availabilityZoneRebalancing],
      ['ECS', 'EC2', 'NONE', 'ENABLED'],
    );
    const { minimumHealthyPercent, maximumPercent } = document.deploymentConfiguration;
    assert.deepEqual([minimumHealthyPercent, maximumPercent], [100, 200]);
    const breaker = { enable: true, rollback: true };
    assert.deepEqual(
      create({ deploymentConfiguration: { deploymentCircuitBreaker: breaker } }).document.deploymentConfiguration
        .deploymentCircuitBreaker,
      { ...breaker, resetOnHealthyTask: true, thresholdConfiguration: { type: 'BOUNDED_PERCENT', value: 50 } },
    );
    assert.equal('networkConfiguration' in document, false);
    const network = create({ networkConfiguration: { awsvpcConfiguration: { subnets: ['a'] } } }).document.networkConfiguration;
    assert.deepEqual(network, { awsvpcConfiguration: { subnets: ['a'], assignPublicIp: 'DISABLED' } });
    const daemon = readCreateService(
      { serviceName: 'web', schedulingStrategy: 'DAEMON' } as Given<CreateServiceRequest>,
      cluster,
    );
    assert.equal(daemon.document.deploymentConfiguration.minimumHealthyPercent, 0);
    assert.equal(daemon.document.deploymentConfiguration.maximumPercent, 100);
  });
});

describe('an update of a service', () => {
  const service = (more: Partial<ServiceRecord> = {}): ServiceRecord => ({
    ...create({ networkConfiguration: { awsvpcConfiguration: { subnets: ['a'] } } }),
    id: 1,
    arn: 'arn',
    createdAt: 0,
    createdBy: 'ann',
    fingerprint: '',
    ...more,
  });
  const update = (more: Partial<Given<UpdateServiceRequest>>, of = service()) =>
    readUpdateService({ service: 'web', ...more }, of, cluster);

  it('is a deployment only when it changes what a revision fixes, or is forced', () => {
    const cases: [more: Partial<Given<UpdateServiceRequest>>, deploys: boolean][] = [
      [{ desiredCount: 5 }, false],
      [{ healthCheckGracePeriodSeconds: 5 }, false],
      [{ deploymentConfiguration: { maximumPercent: 150 } }, false],
      [{ propagateTags: 'SERVICE', enableECSManagedTags: true }, false],
      [{ networkConfiguration: { awsvpcConfiguration: { subnets: ['a'] } } }, false],
      [{ networkConfiguration: { awsvpcConfiguration: { subnets: ['b'] } } }, true],
      [{ capacityProviderStrategy: [{ capacityProvider: 'FARGATE' }] }, true],
      [{ forceNewDeployment: true }, true],
    ];
    for (const [more, deploys] of cases) assert.equal(update(more).deploys, deploys, JSON.stringify(more));
  });

  it('keeps what it does not name', () => {
    const { document, desiredCount } = update({ deploymentConfiguration: { maximumPercent: 150 } });
    assert.equal(desiredCount, 1);
    assert.equal(document.deploymentConfiguration.minimumHealthyPercent, 100);
    assert.deepEqual(document.networkConfiguration, { awsvpcConfiguration: { subnets: ['a'], assignPublicIp: 'DISABLED' } });
  });

  it('leaves deployments to the controller that makes them', () => {
    const codeDeploy = service({ controller: 'CODE_DEPLOY' });
    assert.match(
      refusal(() => update({ taskDefinition: 'web:2' }, codeDeploy)),
      /^InvalidParameterException: Unable to update task definition on services with a CODE_DEPLOY deployment controller\. Use AWS CodeDeploy/,
    );
    assert.equal(update({ desiredCount: 2 }, codeDeploy).desiredCount, 2);
    assert.match(
      refusal(() => update({ deploymentConfiguration: { maximumPercent: 150 } }, service({ controller: 'EXTERNAL' }))),
      /^InvalidParameterException: Unable to update deploymentConfiguration/,
    );
  });
});
