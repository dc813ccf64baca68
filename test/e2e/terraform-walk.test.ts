import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ECR } from '@aws-sdk/client-ecr';
import { ECS, ECSServiceException, type ContainerDefinition, type CreateServiceRequest, type Service } from '@aws-sdk/client-ecs';
import { pushImage } from '../support/aws-server.ts';
import { createCleanup } from '../support/cleanup.ts';
import { startHoldfast, type HoldfastProcess } from '../support/server.ts';

/*
 * What the `aws_ecs_*` resources of Terraform's provider do, call by call: create, read, plan again, change, destroy. The
 * provider itself cannot be run in a test; which calls it makes, which members of the answers it reads, and which words
 * of an error it looks for, is written down here as its source has it.
 */

/** The provider lets the exception go by that has these words: what it is looking for is not there any more. */
async function gone(call: Promise<unknown>, name: string, words: string): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    if (!(error instanceof ECSServiceException)) throw error;
    assert.equal(error.name, name);
    assert.ok(error.message.includes(words), error.message);
    return true;
  });
}

/** Asks again until the answer is one that ends the provider's waiting. */
async function until<T>(ask: () => Promise<T>, isDone: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isDone(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Container definitions as the provider compares them: in order of their names, its defaults filled in, nothing empty. */
function reduced(containers: ContainerDefinition[]): unknown {
  const byName = (one: { name?: string | undefined }, other: { name?: string | undefined }): number =>
    (one.name ?? '') < (other.name ?? '') ? -1 : 1;
  return containers.toSorted(byName).map(({ portMappings = [], healthCheck, environment = [], ...rest }) =>
    Object.fromEntries(
      Object.entries({
        ...rest,
        cpu: rest.cpu ?? 0,
        essential: rest.essential ?? true,
        environment: environment.toSorted(byName),
        healthCheck: healthCheck === undefined ? undefined : { interval: 30, retries: 3, timeout: 5, ...healthCheck },
        portMappings: portMappings.map(({ protocol = 'tcp', hostPort, ...mapping }) => ({
          ...mapping,
          protocol,
          hostPort: hostPort || mapping.containerPort,
        })),
      }).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
    ),
  );
}

describe('what Terraform does', () => {
  const cleanup = createCleanup();
  const cluster = 'infra';
  const network = { awsvpcConfiguration: { subnets: ['subnet-0b', 'subnet-0a'] } };
  const tags = [
    { key: 'Name', value: 'web' },
    { key: 'env', value: 'prod' },
  ];
  let server: HoldfastProcess;
  let ecs: ECS;
  let clusterArn: string;
  let image: string;

  before(async () => {
    server = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'simulated', HOLDFAST_SETTLE: '20ms' });
    const options = { endpoint: server.url, region: 'us-east-1', credentials: server.credentials, maxAttempts: 1 };
    ecs = new ECS(options);
    const ecr = new ECR(options);
    await ecr.createRepository({ repositoryName: 'web' });
    await pushImage(ecr, 'web', 'one', 'v1');
    await pushImage(ecr, 'web', 'two', 'v2');
    ecr.destroy();
    image = `${server.registryHost}/web`;
    const made = await ecs.createCluster({ clusterName: cluster });
    clusterArn = made.cluster?.clusterArn ?? '';
  });
  after(async () => {
    ecs.destroy();
    await cleanup.run();
  });

  async function register(tag: string, family = 'web'): Promise<string> {
    const { taskDefinition } = await ecs.registerTaskDefinition({
      family,
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      cpu: '256',
      memory: '512',
      containerDefinitions: [{ name: 'app', image: `${image}:${tag}` }],
    });
    return taskDefinition?.taskDefinitionArn ?? '';
  }

  async function readService(arn: string): Promise<Service> {
    const { services = [], failures } = await ecs.describeServices({ cluster: clusterArn, services: [arn], include: ['TAGS'] });
    assert.deepEqual(failures, []);
    assert.equal(services.length, 1);
    return services[0] as Service;
  }

  /** `wait_for_steady_state`: the deployment of the service's primary revision, followed to its end. Gives its reason, if it failed. */
  async function waitForDeployment(arn: string, since: Date): Promise<string | undefined> {
    const { deployments = [] } = await readService(arn);
    const revision = deployments.find(({ status }) => status === 'PRIMARY')?.id?.split('/')[1] ?? '';
    const { serviceDeployments = [] } = await ecs.listServiceDeployments({
      cluster: clusterArn,
      service: arn.slice(arn.lastIndexOf('/') + 1),
      createdAt: { after: since },
    });
    const brief = serviceDeployments.find(({ targetServiceRevisionArn }) => targetServiceRevisionArn?.includes(revision));
    assert.ok(brief?.serviceDeploymentArn, 'the provider waits for ever when it does not find the deployment');
    const ended = await until(
      async () =>
        (await ecs.describeServiceDeployments({ serviceDeploymentArns: [brief.serviceDeploymentArn ?? ''] }))
          .serviceDeployments?.[0],
      (found) => !['PENDING', 'IN_PROGRESS', 'ROLLBACK_REQUESTED', 'ROLLBACK_IN_PROGRESS'].includes(found?.status ?? ''),
    );
    return ended?.status === 'SUCCESSFUL' ? undefined : `${ended?.status}: ${ended?.statusReason}`;
  }

  test('aws_ecs_cluster and its capacity providers', async () => {
    const input = {
      clusterName: 'walk',
      tags,
      settings: [{ name: 'containerInsights' as const, value: 'enabled' }],
      configuration: { executeCommandConfiguration: { logging: 'DEFAULT' as const } },
    };
    const arn = (await ecs.createCluster(input)).cluster?.clusterArn ?? '';
    const read = async () =>
      (await ecs.describeClusters({ clusters: [arn], include: ['TAGS', 'CONFIGURATIONS', 'SETTINGS'] })).clusters?.[0];
    const made = await read();
    assert.equal(made?.status, 'ACTIVE');
    assert.deepEqual(made?.settings, input.settings);
    assert.deepEqual(made?.configuration, input.configuration);
    assert.deepEqual(made?.tags, tags);
    assert.equal(made && 'serviceConnectDefaults' in made, false);

    await ecs.updateCluster({ cluster: arn, settings: [{ name: 'containerInsights', value: 'disabled' }] });
    await ecs.untagResource({ resourceArn: arn, tagKeys: ['Name'] });
    await ecs.tagResource({ resourceArn: arn, tags: [{ key: 'env', value: 'test' }] });
    const changed = await read();
    assert.deepEqual(changed?.settings, [{ name: 'containerInsights', value: 'disabled' }]);
    assert.deepEqual(changed?.configuration, input.configuration);
    assert.deepEqual(changed?.tags, [{ key: 'env', value: 'test' }]);

    await ecs.putClusterCapacityProviders({
      cluster: 'walk',
      capacityProviders: ['FARGATE_SPOT', 'FARGATE'],
      defaultCapacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }],
    });
    const put = await read();
    assert.deepEqual(new Set(put?.capacityProviders), new Set(['FARGATE', 'FARGATE_SPOT']));
    // The provider's own defaults are zero, and these are what it compares with.
    assert.deepEqual(put?.defaultCapacityProviderStrategy, [{ capacityProvider: 'FARGATE', weight: 1, base: 0 }]);

    await ecs.putClusterCapacityProviders({ cluster: 'walk', capacityProviders: [], defaultCapacityProviderStrategy: [] });
    await ecs.deleteCluster({ cluster: arn });
    const { clusters, failures } = await ecs.describeClusters({ clusters: [arn], include: ['TAGS'] });
    assert.ok((clusters ?? []).every(({ status }) => status === 'INACTIVE') && (failures?.length ?? 0) <= 1);
    await gone(
      ecs.listTagsForResource({ resourceArn: arn }),
      'InvalidParameterException',
      'The specified cluster is inactive. Specify an active cluster and try again.',
    );
    await gone(
      ecs.putClusterCapacityProviders({ cluster: 'walk', capacityProviders: [], defaultCapacityProviderStrategy: [] }),
      'ClusterNotFoundException',
      '',
    );
  });

  test('aws_ecs_capacity_provider', async () => {
    const autoScalingGroupArn = 'arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:a4536b1a:autoScalingGroupName/hosts';
    const made = await ecs.createCapacityProvider({
      name: 'hosts',
      tags,
      autoScalingGroupProvider: { autoScalingGroupArn, managedScaling: { status: 'ENABLED', targetCapacity: 90 } },
    });
    const arn = made.capacityProvider?.capacityProviderArn ?? '';
    const read = async () => await ecs.describeCapacityProviders({ capacityProviders: [arn], include: ['TAGS'] });
    const [provider] = (await read()).capacityProviders ?? [];
    assert.equal(provider?.status, 'ACTIVE');
    assert.deepEqual(provider?.tags, tags);
    assert.equal(provider?.autoScalingGroupProvider?.autoScalingGroupArn, autoScalingGroupArn);
    assert.equal(provider?.autoScalingGroupProvider?.managedScaling?.targetCapacity, 90);

    await ecs.updateCapacityProvider({ name: 'hosts', autoScalingGroupProvider: { managedScaling: { targetCapacity: 80 } } });
    const [changed] = (await read()).capacityProviders ?? [];
    // Any other word is an "unexpected state" for the provider.
    assert.equal(changed?.updateStatus, 'UPDATE_COMPLETE');
    assert.equal(changed?.autoScalingGroupProvider?.managedScaling?.targetCapacity, 80);
    assert.equal(changed?.autoScalingGroupProvider?.managedScaling?.status, 'ENABLED');

    // A service and its tasks hold on to it; the provider tries again for ten minutes on this exception.
    await ecs.putClusterCapacityProviders({ cluster, capacityProviders: ['hosts'], defaultCapacityProviderStrategy: [] });
    const { service } = await ecs.createService({
      cluster,
      serviceName: 'on-hosts',
      taskDefinition: (
        await ecs.registerTaskDefinition({
          family: 'bridged',
          containerDefinitions: [{ name: 'app', image: `${image}:v1`, memory: 64 }],
        })
      ).taskDefinition?.taskDefinitionArn,
      desiredCount: 1,
      capacityProviderStrategy: [{ capacityProvider: 'hosts', weight: 1 }],
    });
    assert.deepEqual(service?.capacityProviderStrategy, [{ capacityProvider: 'hosts', weight: 1, base: 0 }]);
    const detach = () => ecs.putClusterCapacityProviders({ cluster, capacityProviders: [], defaultCapacityProviderStrategy: [] });
    await gone(detach(), 'ResourceInUseException', 'in use');
    await ecs.deleteService({ cluster, service: 'on-hosts', force: true });
    await until(
      () =>
        detach().then(
          () => true,
          () => false,
        ),
      (isDetached) => isDetached,
    );

    await ecs.deleteCapacityProvider({ capacityProvider: arn });
    assert.deepEqual((await read()).capacityProviders, []);
    await gone(ecs.deleteCapacityProvider({ capacityProvider: arn }), 'ClientException', 'capacity provider does not exist');
  });

  test('aws_ecs_task_definition: a second plan finds nothing to change', async () => {
    const containerDefinitions: ContainerDefinition[] = [
      {
        name: 'web',
        image: `${image}:v1`,
        memoryReservation: 64,
        portMappings: [{ containerPort: 80 }, { containerPort: 81, hostPort: 81, protocol: 'udp' }],
        environment: [
          { name: 'B', value: '2' },
          { name: 'A', value: '1' },
        ],
        healthCheck: { command: ['CMD-SHELL', 'true'], startPeriod: 10 },
        logConfiguration: { logDriver: 'awslogs', options: { 'awslogs-group': '/web', 'awslogs-region': 'us-east-1' } },
        linuxParameters: { initProcessEnabled: true },
        ulimits: [{ name: 'nofile', softLimit: 1024, hardLimit: 2048 }],
        dependsOn: [{ containerName: 'init', condition: 'SUCCESS' }],
        mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }],
        versionConsistency: 'disabled',
        dockerLabels: { a: 'b' },
        command: ['serve'],
        secrets: [],
      },
      { name: 'init', image: `${image}:v1`, essential: false, memory: 32 },
    ];
    const { taskDefinition } = await ecs.registerTaskDefinition({
      family: 'walk',
      containerDefinitions,
      networkMode: 'awsvpc',
      cpu: '.25 vCPU',
      memory: '0.5 GB',
      requiresCompatibilities: ['FARGATE'],
      volumes: [
        { name: 'data', configuredAtLaunch: false },
        { name: 'files', efsVolumeConfiguration: { fileSystemId: 'fs-1' } },
      ],
      runtimePlatform: { operatingSystemFamily: 'LINUX' },
      tags,
    });
    const arn = taskDefinition?.taskDefinitionArn ?? '';
    const { taskDefinition: read, tags: readTags } = await ecs.describeTaskDefinition({ taskDefinition: arn, include: ['TAGS'] });
    assert.deepEqual(reduced(read?.containerDefinitions ?? []), reduced(containerDefinitions));
    assert.deepEqual([read?.cpu, read?.memory, read?.networkMode], ['256', '512', 'awsvpc']);
    assert.deepEqual(read?.requiresCompatibilities, ['FARGATE']);
    assert.deepEqual(read?.runtimePlatform, { operatingSystemFamily: 'LINUX' });
    assert.deepEqual(read?.volumes, [
      { name: 'data', configuredAtLaunch: false },
      { name: 'files', efsVolumeConfiguration: { fileSystemId: 'fs-1', rootDirectory: '/' } },
    ]);
    assert.deepEqual(readTags, tags);
    for (const absent of ['taskRoleArn', 'executionRoleArn', 'pidMode', 'ipcMode', 'proxyConfiguration', 'ephemeralStorage'])
      assert.equal(absent in (read ?? {}), false, absent);

    await ecs.deregisterTaskDefinition({ taskDefinition: arn });
    assert.equal((await ecs.describeTaskDefinition({ taskDefinition: arn })).taskDefinition?.status, 'INACTIVE');
    await ecs.deregisterTaskDefinition({ taskDefinition: arn });
    await ecs.deleteTaskDefinitions({ taskDefinitions: [arn] });
    await gone(ecs.deregisterTaskDefinition({ taskDefinition: arn }), 'ClientException', 'in the process of being deleted');
    await gone(ecs.describeTaskDefinition({ taskDefinition: 'never' }), 'ClientException', '');
  });

  test('aws_ecs_service: created, waited for, changed, rolled back, destroyed', async () => {
    const taskDefinition = await register('v1');
    const input: CreateServiceRequest = {
      cluster: clusterArn,
      serviceName: 'web',
      clientToken: 'terraform-20261127010203000000000001',
      taskDefinition,
      desiredCount: 2,
      launchType: 'FARGATE',
      schedulingStrategy: 'REPLICA',
      enableECSManagedTags: false,
      enableExecuteCommand: false,
      networkConfiguration: network,
      deploymentConfiguration: {
        maximumPercent: 200,
        minimumHealthyPercent: 100,
        deploymentCircuitBreaker: { enable: true, rollback: true },
      },
      deploymentController: { type: 'ECS' },
      vpcLatticeConfigurations: [],
      tags,
    };
    let since = new Date();
    const arn = (await ecs.createService(input)).service?.serviceArn ?? '';
    assert.equal((await ecs.createService(input)).service?.serviceArn, arn, 'what was sent again is the same service');
    assert.equal(await waitForDeployment(arn, since), undefined);

    /** All that the provider reads of a service, and would change if it were not as its configuration says. */
    const plan = async () => {
      const service = await readService(arn);
      const { deploymentConfiguration: configuration } = service;
      const [deployment] = service.deployments ?? [];
      return {
        status: service.status,
        cluster: service.clusterArn,
        taskDefinition: service.taskDefinition,
        desiredCount: service.desiredCount,
        launchType: service.launchType,
        strategy: service.capacityProviderStrategy ?? [],
        subnets: new Set(service.networkConfiguration?.awsvpcConfiguration?.subnets),
        securityGroups: service.networkConfiguration?.awsvpcConfiguration?.securityGroups ?? [],
        assignPublicIp: service.networkConfiguration?.awsvpcConfiguration?.assignPublicIp,
        percents: [configuration?.minimumHealthyPercent, configuration?.maximumPercent],
        breaker: [configuration?.deploymentCircuitBreaker?.enable, configuration?.deploymentCircuitBreaker?.rollback],
        alarms: configuration?.alarms,
        controller: service.deploymentController?.type,
        flags: [service.enableECSManagedTags, service.enableExecuteCommand],
        grace: service.healthCheckGracePeriodSeconds,
        role: service.roleArn,
        propagateTags: service.propagateTags,
        lists: [service.loadBalancers, service.serviceRegistries, service.placementStrategy, service.placementConstraints],
        connect: deployment?.serviceConnectConfiguration,
        volumes: deployment?.volumeConfigurations,
        tags: service.tags,
      };
    };
    const first = await plan();
    assert.deepEqual(first, {
      status: 'ACTIVE',
      cluster: clusterArn,
      taskDefinition,
      desiredCount: 2,
      launchType: 'FARGATE',
      strategy: [],
      subnets: new Set(['subnet-0a', 'subnet-0b']),
      securityGroups: [],
      assignPublicIp: 'DISABLED',
      percents: [100, 200],
      breaker: [true, true],
      alarms: undefined,
      controller: 'ECS',
      flags: [false, false],
      grace: undefined,
      role: undefined,
      propagateTags: 'NONE',
      lists: [[], [], [], []],
      connect: undefined,
      volumes: undefined,
      tags,
    });
    const { platformVersion, availabilityZoneRebalancing } = await readService(arn);
    assert.deepEqual([platformVersion, availabilityZoneRebalancing], ['LATEST', 'ENABLED']);

    // A new revision of the task definition.
    const next = await register('v2');
    since = new Date();
    await ecs.updateService({ cluster: clusterArn, service: arn, taskDefinition: next, forceNewDeployment: false });
    assert.equal(await waitForDeployment(arn, since), undefined);
    assert.deepEqual(await plan(), { ...first, taskDefinition: next });

    // One whose image is not there: the apply fails with the reason, and the next plan wants the change again.
    since = new Date();
    await ecs.updateService({ cluster: clusterArn, service: arn, taskDefinition: await register('gone') });
    assert.equal(
      await waitForDeployment(arn, since),
      'ROLLBACK_SUCCESSFUL: Service deployment rolled back because the circuit breaker threshold was exceeded.',
    );
    assert.deepEqual(await plan(), { ...first, taskDefinition: next });

    // `force_new_deployment` with changed `triggers`, and an apply that is interrupted with `sigint_rollback`.
    since = new Date();
    await ecs.updateService({ cluster: clusterArn, service: arn, forceNewDeployment: true });
    const { serviceDeployments = [] } = await ecs.listServiceDeployments({
      cluster: clusterArn,
      service: 'web',
      createdAt: { after: since },
    });
    assert.equal(serviceDeployments.length, 1);
    const serviceDeploymentArn = serviceDeployments[0]?.serviceDeploymentArn ?? '';
    await ecs.stopServiceDeployment({ serviceDeploymentArn, stopType: 'ROLLBACK' });
    await until(
      async () =>
        (await ecs.describeServiceDeployments({ serviceDeploymentArns: [serviceDeploymentArn] })).serviceDeployments?.[0],
      (found) => found?.status === 'ROLLBACK_SUCCESSFUL',
    );

    // What is no deployment; the breaker is taken away by an empty one.
    await ecs.updateService({
      cluster: clusterArn,
      service: arn,
      desiredCount: 1,
      healthCheckGracePeriodSeconds: 30,
      availabilityZoneRebalancing: 'DISABLED',
      propagateTags: 'SERVICE',
      enableECSManagedTags: true,
      serviceConnectConfiguration: { enabled: false },
      placementStrategy: [],
      placementConstraints: [],
      loadBalancers: [],
      deploymentConfiguration: {
        maximumPercent: 150,
        minimumHealthyPercent: 50,
        deploymentCircuitBreaker: { enable: false, rollback: false },
      },
    });
    await ecs.tagResource({ resourceArn: arn, tags: [{ key: 'env', value: 'test' }] });
    await until(
      () => readService(arn),
      ({ deployments, desiredCount, runningCount }) => deployments?.length === 1 && desiredCount === runningCount,
    );
    assert.deepEqual(await plan(), {
      ...first,
      taskDefinition: next,
      desiredCount: 1,
      percents: [50, 150],
      breaker: [false, false],
      flags: [true, false],
      grace: 30,
      propagateTags: 'SERVICE',
      tags: [tags[0], { key: 'env', value: 'test' }],
    });

    // Destroyed: no tasks, no service; and its task definition may go before it.
    await ecs.deregisterTaskDefinition({ taskDefinition: next });
    await ecs.updateService({ cluster: clusterArn, service: arn, desiredCount: 0 });
    await ecs.deleteService({ cluster: clusterArn, service: arn, force: false });
    await until(
      async () => (await ecs.describeServices({ cluster: clusterArn, services: [arn] })).services?.[0]?.status,
      (status) => status === 'INACTIVE',
    );
    const missing = await ecs.describeServices({ cluster: clusterArn, services: [`${arn}-never`] });
    assert.equal(missing.failures?.[0]?.reason, 'MISSING');
    await gone(ecs.describeServices({ cluster: 'never', services: [arn] }), 'ClusterNotFoundException', '');
  });

  test('aws_ecs_task_set', async () => {
    await ecs.createService({
      cluster,
      serviceName: 'external',
      desiredCount: 2,
      schedulingStrategy: 'REPLICA',
      // What providers of old write for a service of this controller, so that it has no launch type.
      launchType: '' as never,
      deploymentController: { type: 'EXTERNAL' },
      deploymentConfiguration: { maximumPercent: 200, minimumHealthyPercent: 100 },
    });
    const { services = [] } = await ecs.describeServices({ cluster, services: ['external'], include: ['TAGS'] });
    assert.equal('taskDefinition' in (services[0] ?? {}), false);
    const of = { cluster, service: 'external' };
    const { taskSet } = await ecs.createTaskSet({
      ...of,
      clientToken: 'terraform-20261127010203000000000002',
      taskDefinition: await register('v1'),
      launchType: 'FARGATE',
      networkConfiguration: network,
      scale: { unit: 'PERCENT', value: 50 },
      tags,
    });
    const id = taskSet?.id ?? '';
    const read = async () => (await ecs.describeTaskSets({ ...of, taskSets: [id], include: ['TAGS'] })).taskSets?.[0];
    const stable = await until(read, (set) => set?.stabilityStatus === 'STEADY_STATE');
    assert.deepEqual(stable?.scale, { unit: 'PERCENT', value: 50 });
    assert.deepEqual(stable?.tags, tags);
    assert.equal(stable?.runningCount, 1);
    await ecs.updateTaskSet({ ...of, taskSet: id, scale: { unit: 'PERCENT', value: 100 } });
    await until(read, (set) => set?.stabilityStatus === 'STEADY_STATE' && set.runningCount === 2);

    // One that says nothing of its scale has none.
    const other = await ecs.createTaskSet({
      ...of,
      taskDefinition: await register('v1'),
      launchType: 'FARGATE',
      networkConfiguration: network,
    });
    assert.deepEqual(other.taskSet?.scale, { unit: 'PERCENT', value: 0 });
    await ecs.deleteTaskSet({ ...of, taskSet: other.taskSet?.id, force: false });

    await ecs.deleteTaskSet({ ...of, taskSet: id, force: true });
    await until(read, (set) => set === undefined);
    await gone(ecs.deleteTaskSet({ ...of, taskSet: id }), 'TaskSetNotFoundException', '');
    await ecs.deleteService({ ...of, force: true });
  });

  test('aws_ecs_account_setting_default', async () => {
    const read = async (name: 'containerInsights' | 'taskLongArnFormat') => {
      const { settings = [] } = await ecs.listAccountSettings({ name, effectiveSettings: true });
      assert.equal(settings.length, 1);
      assert.match(settings[0]?.principalArn ?? '', /^arn:aws:iam::/);
      return settings[0]?.value;
    };
    await ecs.putAccountSettingDefault({ name: 'containerInsights', value: 'enabled' });
    assert.equal(await read('containerInsights'), 'enabled');
    await ecs.putAccountSettingDefault({ name: 'containerInsights', value: 'disabled' });
    assert.equal(await read('containerInsights'), 'disabled');
    await ecs.putAccountSettingDefault({ name: 'taskLongArnFormat', value: 'enabled' });
    assert.equal(await read('taskLongArnFormat'), 'enabled');
    // What its destruction asks for.
    await gone(
      ecs.putAccountSettingDefault({ name: 'taskLongArnFormat', value: 'disabled' }),
      'InvalidParameterException',
      'You can no longer disable',
    );
  });
});
