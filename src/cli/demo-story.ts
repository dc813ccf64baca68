import { shortDigest, type Digest } from '../core/digest.ts';
import { join } from 'node:path';
import { objectsOf, textOf, type AwsApi } from './aws-api.ts';
import type { CommandContext } from './command.ts';
import { pushVersion } from './demo-image.ts';
import type { Narrator } from './demo-narrator.ts';
import { CLUSTER, runningTasks, SERVICE, total, watch, type Sight } from './demo-service.ts';
import { ps } from './ps.ts';
import { rollback } from './rollback.ts';

export interface Story {
  context: CommandContext;
  api: AwsApi;
  narrator: Narrator;
  busybox: string;
  folder: string;
  /** Containers are real: what they serve can be asked over HTTP. */
  isReal: boolean;
  signal: AbortSignal;
}

const REPOSITORY = 'team/web';
const FAMILY = 'web';
const EVENT_QUERY = 'services[0].events';
const TASK_QUERY = 'tasks[*].{taskArn:taskArn,containerName:containers[0].name,containerImage:containers[0].image}';

/** Everything that the announcement of version consistency shows, and what Holdfast adds to it. Raises CommandFailure. */
export async function tellStory(story: Story): Promise<void> {
  const one = await createTheService(story);
  const two = await moveTheTag(story, one);
  await deleteWhatRuns(story, one);
  await deployAnew(story, one, two);
  await goBack(story, one, two);
}

async function createTheService(story: Story): Promise<string> {
  const { api, narrator, context } = story;
  narrator.chapter('An image, and a service of three tasks that names it by a tag');
  await narrator.aws('ecr', 'CreateRepository', { repositoryName: REPOSITORY });
  const one = await push(story, 'one');
  await narrator.aws('ecs', 'CreateCluster', { clusterName: CLUSTER });
  await narrator.aws('ecs', 'RegisterTaskDefinition', {
    family: FAMILY,
    networkMode: 'bridge',
    containerDefinitions: [
      {
        name: 'web',
        image: `${api.server.registryHost}/${REPOSITORY}:stable`,
        memory: 64,
        portMappings: [{ containerPort: 80, hostPort: 0 }],
      },
    ],
  });
  const started = context.now();
  await narrator.aws('ecs', 'CreateService', {
    cluster: CLUSTER,
    serviceName: SERVICE,
    taskDefinition: FAMILY,
    desiredCount: 3,
  });
  const sights = await observe(story);
  narrator.say(
    '',
    `Steady after ${((context.now() - started) / 1000).toFixed(1)} s. One task came first, alone; the digest that it found behind`,
    'the tag is what the others were started by:',
    '',
  );

  const tasks = await narrator.aws('ecs', 'ListTasks', { cluster: CLUSTER, serviceName: SERVICE }, 'taskArns[]');
  const arns = Array.isArray(tasks['taskArns']) ? tasks['taskArns'] : [];
  narrator.json(arns);
  narrator.typed(`aws ecs describe-tasks --cluster ${CLUSTER} --tasks $TASK_ARNS --query '${TASK_QUERY}'`);
  const described = objectsOf((await api.ecs('DescribeTasks', { cluster: CLUSTER, tasks: arns }))['tasks']);
  const shown = described.map((task) => {
    const [container] = objectsOf(task['containers']);
    return {
      taskArn: textOf(task['taskArn']),
      containerName: textOf(container?.['name']),
      containerImage: textOf(container?.['image']),
    };
  });
  narrator.json(shown);
  const byTag = shown.filter(({ containerImage }) => containerImage.endsWith(':stable')).length;
  const byDigest = shown.filter(({ containerImage }) => containerImage.endsWith(`@${one}`)).length;
  narrator.claim(
    byTag === 1 && byDigest === 2,
    'one task was started by the tag, the two others by the digest that it resolved to',
    `${byTag} by the tag and ${byDigest} by the digest`,
  );
  const service = await narrator.aws('ecs', 'DescribeServices', { cluster: CLUSTER, services: [SERVICE] }, EVENT_QUERY);
  const events = objectsOf(objectsOf(service['services'])[0]?.['events']);
  narrator.json(events.map(({ createdAt, message }) => ({ createdAt: isoTime(createdAt), message: textOf(message) })));
  const firsts = events
    .map(({ message }) => / has started (\d+) tasks/.exec(textOf(message))?.[1])
    .filter((count) => count !== undefined)
    .toReversed();
  narrator.claim(
    firsts.join() === '1,2',
    'the events say the same: first one task, then two, then the deployment is complete',
    `the events speak of ${firsts.join(' and ')} tasks`,
  );
  claimServed(story, sights.at(-1), 'one', 3, one);
  return one;
}

async function moveTheTag(story: Story, one: string): Promise<string> {
  const { narrator, context } = story;
  narrator.chapter('The tag moves, and the service grows to six');
  const two = await push(story, 'two');
  const scaled = await narrator.aws(
    'ecs',
    'UpdateService',
    { cluster: CLUSTER, service: SERVICE, desiredCount: 6 },
    'service.desiredCount',
  );
  narrator.json(objectsOf([scaled['service'] ?? {}])[0]?.['desiredCount']);
  const sights = await observe(story);
  narrator.say('');
  narrator.typed(`holdfast ps ${SERVICE}`);
  await ps.run(context, {}, [SERVICE]);
  narrator.say('');
  claimServed(story, sights.at(-1), 'one', 6, one);
  narrator.say(`    although ${REPOSITORY}:stable is ${shortDigest(two as Digest)} by now: the deployment keeps its digests.`);
  return two;
}

async function deleteWhatRuns({ narrator }: Story, one: string): Promise<void> {
  narrator.chapter('Somebody cleans up, and deletes the image that has no tag any more');
  const answer = await narrator.aws('ecr', 'BatchDeleteImage', {
    repositoryName: REPOSITORY,
    imageIds: [{ imageDigest: one }],
  });
  const [failure] = objectsOf(answer['failures']);
  narrator.json({ failures: objectsOf(answer['failures']) });
  const reason = textOf(failure?.['failureReason']);
  narrator.claim(
    reason.includes(`service-revision/${CLUSTER}/${SERVICE}/`) && objectsOf(answer['imageIds']).length === 0,
    `refused, and the refusal names the service ${SERVICE} that runs it`,
    reason === '' ? 'the image was deleted' : reason,
  );
}

async function deployAnew(story: Story, one: string, two: string): Promise<void> {
  const { api, narrator } = story;
  narrator.chapter('A new deployment takes the new image');
  await narrator.aws('ecs', 'UpdateService', { cluster: CLUSTER, service: SERVICE, forceNewDeployment: true }, 'service.status');
  const sights = await observe(story);
  narrator.say('');
  claimServed(story, sights.at(-1), 'two', 6, two);
  claimNeverFewer(narrator, sights);
  const answer = await api.ecr('BatchDeleteImage', { repositoryName: REPOSITORY, imageIds: [{ imageDigest: one }] });
  narrator.claim(
    textOf(objectsOf(answer['failures'])[0]?.['failureReason']).includes(`/${CLUSTER}/${SERVICE}/`),
    'version one runs nowhere now, and still cannot be deleted: it could be rolled back to',
    'it was deleted',
  );
}

async function goBack(story: Story, one: string, two: string): Promise<void> {
  const { api, narrator, context } = story;
  narrator.chapter('Back to version one, by its digest');
  narrator.typed(`holdfast rollback ${SERVICE}`);
  await rollback.run({ ...context, stderr: context.stdout }, {}, [SERVICE]);
  const sights = await observe(story);
  narrator.say('');
  claimServed(story, sights.at(-1), 'one', 6, one);
  claimNeverFewer(narrator, sights);
  const digests = new Set((await runningTasks(api)).map((task) => textOf(objectsOf(task['containers'])[0]?.['imageDigest'])));
  const now = await api.ecr('DescribeImages', { repositoryName: REPOSITORY, imageIds: [{ imageTag: 'stable' }] });
  const tag = textOf(objectsOf(now['imageDetails'])[0]?.['imageDigest']);
  narrator.claim(
    digests.size === 1 && digests.has(one) && tag === two,
    'all six run the old digest, while the tag still points at version two',
    `they run ${[...digests].join(', ')}, and the tag points at ${tag}`,
  );
}

async function push({ context, narrator, busybox, folder }: Story, text: string): Promise<string> {
  narrator.typed(`holdfast push ./version-${text} ${REPOSITORY}:stable --cmd /start --port 80`);
  const name = `${REPOSITORY}:stable`;
  const digest = await pushVersion(context, busybox, { folder: join(folder, `version-${text}`), text: `version ${text}`, name });
  narrator.shown(digest);
  return digest;
}

async function observe({ api, narrator, context, signal, isReal }: Story): Promise<Sight[]> {
  return watch(api, { now: () => context.now(), signal, isReal, onSight: (sight) => narrator.sight(sight) });
}

/** What every task serves at the end. */
function claimServed(
  { narrator, isReal }: Story,
  sight: Sight | undefined,
  version: 'one' | 'two',
  count: 3 | 6,
  digest: string,
): void {
  const seen = sight?.serving ?? new Map<string, number>();
  const word = count === 3 ? 'three' : 'six';
  narrator.claim(
    seen.size === 1 && seen.get(isReal ? `version ${version}` : digest) === count,
    isReal
      ? `asked over HTTP, all ${word} tasks serve version ${version}`
      : `all ${word} tasks run the digest of version ${version} (they are played, so nothing is asked over HTTP)`,
    `they serve: ${[...seen].map(([text, times]) => `${times} x ${text}`).join(', ') || 'nothing'}`,
  );
}

/** minimumHealthyPercent is 100: six of six. */
function claimNeverFewer(narrator: Narrator, sights: Sight[]): void {
  const running = Math.min(...sights.map((sight) => sight.running));
  const serving = Math.min(...sights.map((sight) => total(sight.serving)));
  narrator.claim(
    running >= 6 && serving >= 6,
    `looked at ${sights.length} times on the way, there were never fewer than six running and serving`,
    `at one moment ${running} ran, and ${serving} served`,
  );
}

function isoTime(seconds: unknown): string {
  return typeof seconds === 'number' ? new Date(Math.round(seconds * 1000)).toISOString() : '';
}
