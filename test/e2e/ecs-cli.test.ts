import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { createCleanup } from '../support/cleanup.ts';
import { runProgram, startHoldfast, type HoldfastProcess } from '../support/server.ts';
import { requireTool } from '../support/tools.ts';
import { ECR } from '@aws-sdk/client-ecr';
import { pushImage } from '../support/aws-server.ts';

describe('the aws command line for ECS', () => {
  const cleanup = createCleanup();
  let server: HoldfastProcess;
  before(async () => {
    server = await startHoldfast(cleanup, { HOLDFAST_RUNTIME: 'simulated', HOLDFAST_SETTLE: '50ms' });
    const ecr = new ECR({ endpoint: server.url, region: 'us-east-1', credentials: server.credentials });
    await ecr.createRepository({ repositoryName: 'web' });
    await pushImage(ecr, 'web', 'one', 'stable');
    ecr.destroy();
  });
  after(() => cleanup.run());

  /** Runs a shell script in which `aws` is `aws ecs` on the server; gives what it printed, or undefined without an aws. */
  async function shell(
    context: TestContext,
    script: string,
  ): Promise<{ code: number | null; stdout: string; stderr: string } | undefined> {
    const aws = requireTool(context, 'aws');
    if (aws === undefined) return undefined;
    const env = { ...server.env, AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true', CLUSTER: 'default', SERVICE: 'web' };
    return runProgram('/bin/sh', ['-ec', `aws() { "${aws}" --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n${script}`], { env });
  }

  test('the walkthrough of version consistency, as people type it', { timeout: 240_000 }, async (t) => {
    const image = `${server.registryHost}/web:stable`;
    const run = await shell(
      t,
      `aws ecs create-cluster --cluster-name $CLUSTER > /dev/null
      aws ecs register-task-definition --family web --network-mode awsvpc --requires-compatibilities FARGATE --cpu 256 --memory 512 \
        --container-definitions '[{"name":"containerone","image":"${image}"}]' --query taskDefinition.revision
      aws ecs create-service --cluster $CLUSTER --service-name $SERVICE --task-definition web --desired-count 3 --launch-type FARGATE \
        --network-configuration 'awsvpcConfiguration={subnets=[subnet-0a]}' --query service.status --output text
      aws ecs wait services-stable --cluster $CLUSTER --services $SERVICE
      aws ecs update-service --cluster $CLUSTER --service $SERVICE --force-new-deployment --query 'length(service.deployments)'
      aws ecs wait services-stable --cluster $CLUSTER --services $SERVICE`,
    );
    if (run === undefined) return;
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(run.stdout.trim().split('\n'), ['1', 'ACTIVE', '2']);

    const told = await shell(
      t,
      `TASK_ARNS=$(aws ecs list-tasks --cluster $CLUSTER --service $SERVICE --query 'taskArns[]' --output text)
      aws ecs describe-tasks --tasks $TASK_ARNS --query 'tasks[*].{taskArn:taskArn,containerName:containers[0].name,containerImage:containers[0].image}'`,
    );
    const tasks = JSON.parse(told?.stdout ?? '') as { taskArn: string; containerName: string; containerImage: string }[];
    assert.equal(tasks.length, 3);
    assert.ok(tasks.every(({ containerName }) => containerName === 'containerone'));
    const images = tasks.map(({ containerImage }) => containerImage).sort();
    assert.equal(images[0], image);
    assert.match(images[1] ?? '', /\/web@sha256:[0-9a-f]{64}$/);
    assert.equal(images[1], images[2]);

    const events = await shell(
      t,
      `aws ecs describe-services --cluster $CLUSTER --services $SERVICE --query 'services[0].events[].message'`,
    );
    const messages = JSON.parse(events?.stdout ?? '') as string[];
    assert.equal(messages[0], '(service web) has reached a steady state.');
    assert.match(messages[1] ?? '', /^\(service web\) \(deployment ecs-svc\/\d+\) deployment completed\.$/);
    assert.match(messages.at(-1) ?? '', /^\(service web\) has started 1 tasks: \(task [0-9a-f]{32}\)\.$/);
  });

  test('an error is told as AWS tells it', async (t) => {
    const run = await shell(t, 'aws ecs describe-task-definition --task-definition nothing');
    if (run === undefined) return;
    assert.notEqual(run.code, 0);
    assert.match(
      run.stderr,
      /An error occurred \(ClientException\) when calling the DescribeTaskDefinition operation: Unable to describe task definition\./,
    );
  });
});
