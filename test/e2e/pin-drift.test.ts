import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { createTree, type Tree } from './pin-world.ts';

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const INDEX = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: digest('c'),
        size: 1,
        platform: { os: 'linux', architecture: 'amd64' },
      },
    ],
  }),
);

/** One server for what the command asks of ECS and of the registry; the answers of ECS are of the shape that its API documents. */
let indexDigest = '';
let tree: Tree;
let host = '';
const seen: { target: string | undefined; body: Record<string, unknown>; signed: boolean }[] = [];
const server = http.createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.method !== 'POST') {
      response.setHeader('content-type', 'application/vnd.oci.image.index.v1+json');
      return response.end(request.url?.includes('/manifests/') ? INDEX : '{}');
    }
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
    const target = request.headers['x-amz-target'] as string;
    seen.push({
      target,
      body,
      signed: /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/ecs\//.test(request.headers.authorization ?? ''),
    });
    if (body['cluster'] !== 'main') {
      response.statusCode = 400;
      return response.end('{"__type":"com.amazonaws.ecs#ClusterNotFoundException","message":"Cluster not found."}');
    }
    const task = (revision: number, image: string, imageDigest: string) => ({
      taskDefinitionArn: `arn:aws:ecs:eu-west-1:1:task-definition/web:${revision}`,
      containers: [{ name: 'web', image, imageDigest }],
    });
    if (target.endsWith('.ListTasks'))
      return response.end(
        JSON.stringify(body['nextToken'] ? { taskArns: ['c', 'd', 'e'] } : { taskArns: ['a', 'b'], nextToken: 'more' }),
      );
    return response.end(
      JSON.stringify({
        tasks: [
          task(1, `${host}/team/web:1`, digest('a')),
          task(1, `${host}/team/web:1`, digest('a')),
          task(2, `${host}/team/web:1`, digest('b')),
          task(3, `${host}/team/multi:1`, digest('c')),
          task(4, `${host}/team/other:1`, digest('a')),
        ],
      }),
    );
  });
});

before(async () => {
  const { digestOf } = await import('../../src/core/digest.ts');
  indexDigest = digestOf(INDEX);
  tree = await createTree();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await tree.write({
    'compose.yaml': `services:\n  web:\n    image: ${host}/team/web:1@${digest('a')}\n  multi:\n    image: ${host}/team/multi:1@${indexDigest}\n`,
  });
});
after(async () => {
  server.close();
  server.closeAllConnections();
  await tree.remove();
});

const keys = (): Record<string, string> => ({
  AWS_ENDPOINT_URL: `http://${host}`,
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'eu-west-1',
});

test('drift holds what runs against what the files pin, an image of the pinned index included', async () => {
  const ran = await tree.run(['pin', 'drift', '--cluster', 'main', '--json'], keys());
  assert.equal(ran.code, 1, ran.stderr);
  const found = JSON.parse(ran.stdout).containers.map(
    (each: { taskDefinition: string; state: string; tasks: number; places: string[] }) => [
      each.taskDefinition,
      each.state,
      each.tasks,
      each.places,
    ],
  );
  assert.deepEqual(found, [
    ['web:1', 'same', 2, ['compose.yaml:3']],
    ['web:2', 'drifted', 1, ['compose.yaml:3']],
    ['web:3', 'same', 1, ['compose.yaml:5']],
    ['web:4', 'not-in-files', 1, []],
  ]);
  assert.ok(seen.every(({ signed }) => signed));
  assert.deepEqual(
    seen.map(({ target }) => target?.replace(/^.*\./, '')),
    ['ListTasks', 'ListTasks', 'DescribeTasks'],
  );
  assert.deepEqual(seen[2]!.body['tasks'], ['a', 'b', 'c', 'd', 'e']);
});

test('a cluster that is not there, and keys that are not there, are told', async () => {
  const absent = await tree.run(['pin', 'drift', '--cluster', 'nope'], keys());
  assert.deepEqual([absent.code, /ClusterNotFoundException: Cluster not found/.test(absent.stderr)], [1, true]);
  const without = await tree.run(['pin', 'drift', '--cluster', 'main']);
  assert.deepEqual([without.code, /There are no AWS keys/.test(without.stderr)], [1, true]);
});
