import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ECRClient, DescribeImagesCommand } from '@aws-sdk/client-ecr';
import { isFault } from '../core/fault.ts';
import { signedRequest } from '../wire/aws/json-protocol.ts';
import { openAccess } from './test-world.ts';

test('the AWS SDK’s own signatures verify, and only with the right secret', async (t) => {
  const { access, clock } = await openAccess(t);
  clock.set(Date.now());
  const key = await access.keys.create({ allow: ['full'], userName: 'sdk' });
  const seen: string[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const signed = signedRequest(request, Buffer.concat(chunks));
    const outcome = await access.authenticateSignature(signed, new Set(['ecr'])).then(
      ({ principal, region }) => `${principal.userName} ${region}`,
      (error: unknown) => (isFault(error) ? error.kind : Promise.reject(error as Error)),
    );
    seen.push(outcome);
    response.setHeader('content-type', 'application/x-amz-json-1.1').end('{"imageDetails":[]}');
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const call = async (
    credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string },
    region = 'us-east-1',
  ) => {
    const client = new ECRClient({ endpoint, region, credentials, maxAttempts: 1 });
    await client.send(new DescribeImagesCommand({ repositoryName: 'team/äpp' }));
    client.destroy();
  };
  await call(key);
  await call({ ...key, secretAccessKey: `${key.secretAccessKey}x` });
  await call({ ...key, accessKeyId: 'AKIANOBODY' });
  await call({ ...key, sessionToken: 'from-elsewhere' });
  await call(key, 'mars-north-1');
  assert.deepEqual(seen, ['sdk us-east-1', 'signature-invalid', 'key-unknown', 'key-unknown', 'region-unknown']);
});
