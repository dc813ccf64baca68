import assert from 'node:assert/strict';
import { request as open, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { ACCOUNT, startAwsServer, type AwsServer, type Credentials } from '../../../test/support/aws-server.ts';
import { digestOf } from '../../core/digest.ts';
import type { RepositoryName } from '../../core/repository-name.ts';

const caller = { account: ACCOUNT, region: 'us-east-1', principal: 'arn:aws:iam::123456789012:user/ann' };
const EMPTY = '{}';
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(EMPTY), size: 2 },
  layers: [],
});
const DIGEST = digestOf(MANIFEST);

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

async function world(t: TestContext): Promise<{
  server: AwsServer;
  call: (
    method: string,
    url: string,
    options?: { as?: Credentials | 'nobody'; headers?: OutgoingHttpHeaders; body?: string },
  ) => Promise<Answer>;
}> {
  const server = await startAwsServer(t);
  const call = async (
    method: string,
    url: string,
    {
      as = server.credentials,
      headers = {},
      body,
    }: { as?: Credentials | 'nobody'; headers?: OutgoingHttpHeaders; body?: string } = {},
  ): Promise<Answer> => {
    const authorization =
      as === 'nobody'
        ? {}
        : { Authorization: `Basic ${Buffer.from(`${as.accessKeyId}:${as.secretAccessKey}`).toString('base64')}` };
    const outgoing = open(`${server.endpoint}${url}`, { method, headers: { ...authorization, ...headers } });
    // With other methods Node sends a body without saying where it ends.
    outgoing.end(method.startsWith('P') ? body : undefined);
    const [incoming] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, text: Buffer.concat(chunks).toString() };
  };
  return { server, call };
}

async function pushed(t: TestContext): ReturnType<typeof world> {
  const made = await world(t);
  await made.server.registry.repositories.create(caller, 'team/app' as RepositoryName);
  assert.equal((await made.call('POST', `/v2/team/app/blobs/uploads/?digest=${digestOf(EMPTY)}`, { body: EMPTY })).status, 201);
  assert.equal((await made.call('PUT', '/v2/team/app/manifests/v1', { body: MANIFEST })).status, 201);
  return made;
}

const error = (answer: Answer): string => {
  const [first] = (JSON.parse(answer.text) as { errors: { code: string; message: string }[] }).errors;
  return `${answer.status} ${first?.code}: ${first?.message}`;
};

test('a stranger is sent to log in, in the words of ECR', async (t) => {
  const { server, call } = await world(t);
  for (const [method, url] of [
    ['GET', '/v2/'],
    ['GET', '/v2/_catalog'],
    ['GET', '/v2/nowhere'],
    ['GET', '/v2/team/app/manifests/v1'],
    ['POST', '/v2/team/app/blobs/uploads/'],
    ['DELETE', '/v2/team/app/tags/list'],
  ] as const) {
    const answer = await call(method, url, { as: 'nobody' });
    assert.equal(answer.status, 401, url);
    assert.equal(answer.headers['www-authenticate'], `Basic realm="http://${server.host}/",service="ecr.amazonaws.com"`);
    assert.equal(answer.headers['docker-distribution-api-version'], 'registry/2.0');
    assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(answer.text, 'Not Authorized\n');
  }
  for (const header of ['Bearer x', 'Basic !', `Basic ${Buffer.from('AWS:forged').toString('base64')}`]) {
    assert.equal((await call('GET', '/v2/', { as: 'nobody', headers: { Authorization: header } })).status, 401, header);
  }
  const quoted = await call('GET', '/v2/', { as: 'nobody', headers: { Host: 'a",realm="b' } });
  assert.doesNotMatch(String(quoted.headers['www-authenticate']), /realm="b/);
});

test('a token from GetAuthorizationToken opens the registry', async (t) => {
  const { server, call } = await pushed(t);
  const { authorizationData } = await server.ecr.getAuthorizationToken({});
  const answer = await call('GET', '/v2/team/app/manifests/v1', {
    as: 'nobody',
    headers: { Authorization: `Basic ${authorizationData?.[0]?.authorizationToken}` },
  });
  assert.equal(`${answer.status} ${answer.text}`, `200 ${MANIFEST}`);
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
});

test('a missing repository and image are said in the words of ECR, to those who may know', async (t) => {
  const { server, call } = await pushed(t);
  const unknown = "404 NAME_UNKNOWN: The repository with name 'team/none' does not exist in the registry with id '123456789012'";
  for (const [method, url] of [
    ['GET', '/v2/team/none/manifests/v1'],
    ['GET', '/v2/team/none/tags/list'],
    ['POST', '/v2/team/none/blobs/uploads/'],
    ['PUT', '/v2/team/none/manifests/v1'],
  ] as const) {
    assert.equal(error(await call(method, url)), unknown);
  }
  assert.equal(error(await call('GET', '/v2/team/app/manifests/v9')), '404 MANIFEST_UNKNOWN: Requested image not found');
  const reader = await server.createKey('reader', 'pull:other/*');
  for (const name of ['team/app', 'team/none']) {
    const answer = error(await call('GET', `/v2/${name}/manifests/v1`, { as: reader }));
    assert.match(
      answer,
      new RegExp(
        `^403 DENIED: User: arn:aws:iam::123456789012:user/reader is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:us-east-1:123456789012:repository/${name}`,
      ),
    );
  }
});

test('each kind of access opens its own doors', async (t) => {
  const { server, call } = await pushed(t);
  const as = await server.createKey('reader', 'pull:team/*');
  assert.equal((await call('GET', '/v2/team/app/manifests/v1', { as })).status, 200);
  assert.equal((await call('GET', `/v2/team/app/blobs/${digestOf(EMPTY)}`, { as })).status, 200);
  for (const [method, url] of [
    ['POST', '/v2/team/app/blobs/uploads/'],
    ['PUT', '/v2/team/app/manifests/v2'],
    ['DELETE', '/v2/team/app/manifests/v1'],
    ['DELETE', `/v2/team/app/blobs/${digestOf(EMPTY)}`],
  ] as const) {
    assert.match(error(await call(method, url, { as, body: MANIFEST })), /^403 DENIED: /, `${method} ${url}`);
  }
});

test('a mount takes only from where the client may read', async (t) => {
  const { server, call } = await pushed(t);
  await server.registry.repositories.create(caller, 'mine/app' as RepositoryName);
  const as = await server.createKey('pusher', 'push:mine/*');
  const mount = (key: Credentials): Promise<Answer> =>
    call('POST', `/v2/mine/app/blobs/uploads/?mount=${digestOf(EMPTY)}&from=team/app`, { as: key });
  assert.equal((await mount(as)).status, 202);
  const anywhere = (key: Credentials): Promise<Answer> =>
    call('POST', `/v2/mine/app/blobs/uploads/?mount=${digestOf(EMPTY)}`, { as: key });
  assert.equal((await anywhere(as)).status, 202);
  assert.equal((await call('HEAD', `/v2/mine/app/blobs/${digestOf(EMPTY)}`, { as })).status, 404);
  await server.ecr.putAccountSetting({ name: 'BLOB_MOUNTING', value: 'DISABLED' });
  assert.equal((await mount(server.credentials)).status, 202);
  await server.ecr.putAccountSetting({ name: 'BLOB_MOUNTING', value: 'ENABLED' });
  assert.equal((await anywhere(server.credentials)).status, 201);
  assert.equal((await mount(server.credentials)).status, 201);
  assert.equal((await call('HEAD', `/v2/mine/app/blobs/${digestOf(EMPTY)}`, { as })).status, 200);
});

test('a public repository is read by anybody and written by nobody without a name', async (t) => {
  const { server, call } = await pushed(t);
  const name = 'team/app' as RepositoryName;
  await server.registry.repositories.setPublicPull(caller, await server.registry.repositories.get(caller, name), true);
  const as = 'nobody';
  for (const url of ['manifests/v1', `blobs/${digestOf(EMPTY)}`, 'tags/list', `referrers/${DIGEST}`])
    assert.equal((await call('GET', `/v2/team/app/${url}`, { as })).status, 200, url);
  const emptyLogin = { Authorization: `Basic ${Buffer.from(':').toString('base64')}` };
  assert.equal((await call('GET', '/v2/team/app/manifests/v1', { as, headers: emptyLogin })).status, 200);
  for (const [method, url] of [
    ['POST', 'blobs/uploads/'],
    ['PUT', 'manifests/v2'],
    ['DELETE', 'manifests/v1'],
    ['DELETE', `blobs/${digestOf(EMPTY)}`],
    ['GET', 'blobs/uploads/x'],
    ['PATCH', 'blobs/uploads/x'],
  ] as const) {
    assert.equal((await call(method, `/v2/team/app/${url}`, { as, body: MANIFEST })).status, 401, `${method} ${url}`);
  }
  assert.equal((await call('GET', '/v2/team/other/manifests/v1', { as })).status, 401);
  assert.equal((await call('GET', '/v2/', { as })).status, 401);
});

test('where something is public, strangers are sent for a token, and everybody gets one for what they may', async (t) => {
  const { server, call } = await pushed(t);
  const name = 'team/app' as RepositoryName;
  const repository = await server.registry.repositories.get(caller, name);
  await server.registry.repositories.create(caller, 'team/own' as RepositoryName);
  const challenge = async (): Promise<unknown> => (await call('GET', '/v2/', { as: 'nobody' })).headers['www-authenticate'];
  assert.match(String(await challenge()), /^Basic /);
  await server.registry.repositories.setPublicPull(caller, repository, true);
  assert.equal(await challenge(), `Bearer realm="${server.endpoint}/holdfast/token",service="ecr.amazonaws.com"`);

  const fetchToken = async (headers: OutgoingHttpHeaders): Promise<string> => {
    const answer = await call('GET', '/holdfast/token?service=x&scope=repository:team/app:pull', { as: 'nobody', headers });
    assert.equal(answer.status, 200, answer.text);
    return (JSON.parse(answer.text) as { token: string }).token;
  };
  const get = async (token: string, url: string): Promise<number> =>
    (await call('GET', url, { as: 'nobody', headers: { Authorization: `Bearer ${token}` } })).status;
  const stranger = await fetchToken({});
  assert.equal(await get(stranger, '/v2/team/app/manifests/v1'), 200);
  assert.equal(await get(stranger, '/v2/team/own/tags/list'), 401);
  assert.equal(await get(stranger, '/v2/'), 401);

  const reader = await server.createKey('reader', 'pull:team/*');
  const basic = (text: string): OutgoingHttpHeaders => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  const known = await fetchToken(basic(`${reader.accessKeyId}:${reader.secretAccessKey}`));
  assert.equal(await get(known, '/v2/team/own/tags/list'), 200);
  const push = { as: 'nobody', headers: { Authorization: `Bearer ${known}` } } as const;
  assert.equal((await call('POST', '/v2/team/own/blobs/uploads/', push)).status, 403);
  assert.equal(await fetchToken(basic(`AWS:${known}`)), known, 'a password is not made to live longer');
  await server.access.keys.revoke(reader.accessKeyId);
  assert.equal(await get(known, '/v2/team/own/tags/list'), 401);
  assert.equal((await call('GET', '/holdfast/token', { as: 'nobody', headers: basic('AWS:forged') })).status, 401);
  assert.equal((await call('POST', '/holdfast/token', { as: 'nobody' })).status, 405);

  await server.registry.repositories.setPublicPull(caller, repository, false);
  assert.match(String(await challenge()), /^Basic /);
});

test('a host name of ECR leads to its region, an unknown one to a clear error', async (t) => {
  const { call } = await pushed(t);
  const at = (host: string): Promise<Answer> => call('GET', '/v2/team/app/manifests/v1', { headers: { Host: host } });
  assert.equal((await at('123456789012.dkr.ecr.us-east-1.localhost:4600')).status, 200);
  assert.match(
    error(await at('123456789012.dkr.ecr.eu-west-1.localhost:4600')),
    /^404 NAME_UNKNOWN: The repository with name 'team\/app'/,
  );
  assert.match(error(await at('123456789012.dkr.ecr.mars-1.localhost:4600')), /^404 NAME_UNKNOWN: .*'mars-1'.*us-east-1/);
  assert.match(error(await at('999999999999.dkr.ecr.us-east-1.localhost:4600')), /^404 NAME_UNKNOWN: .*'999999999999'/);
});

test('a push makes the repository where a template says so, and its pusher may', async (t) => {
  const { server, call } = await world(t);
  await server.registry.templates.create(caller, 'made', { appliedFor: ['CREATE_ON_PUSH'], imageTagMutability: 'IMMUTABLE' });
  const as = await server.createKey('pusher', 'push:made/*');
  const digest = digestOf(EMPTY);
  const allowed = await call('POST', `/v2/made/app/blobs/uploads/?digest=${digest}`, { body: EMPTY });
  assert.equal(allowed.status, 201, allowed.text);
  assert.equal((await server.registry.repositories.get(caller, 'made/app' as RepositoryName)).tagMutability, 'IMMUTABLE');
  assert.match(error(await call('POST', '/v2/elsewhere/app/blobs/uploads/')), /^404 NAME_UNKNOWN/);
  assert.equal((await call('POST', '/v2/made/app/blobs/uploads/', { as })).status, 202);
});

test('an immutable tag refuses another image and takes the same again', async (t) => {
  const { server, call } = await pushed(t);
  const name = 'team/app' as RepositoryName;
  await server.registry.repositories.setTagMutability(
    caller,
    await server.registry.repositories.get(caller, name),
    'IMMUTABLE',
    [],
  );
  assert.equal((await call('PUT', '/v2/team/app/manifests/v1', { body: MANIFEST })).status, 201);
  const other = MANIFEST.replace('"layers":[]', '"layers":[],"annotations":{"a":"b"}');
  assert.equal(
    error(await call('PUT', '/v2/team/app/manifests/v1', { body: other })),
    "400 TAG_INVALID: The image tag 'v1' already exists in the 'team/app' repository and cannot be overwritten because the repository is immutable.",
  );
  assert.equal(
    error(await call('PUT', `/v2/team/app/manifests/${digestOf(other)}?tag=v1`, { body: other })).slice(0, 15),
    '400 TAG_INVALID',
  );
});

test('an image that somebody holds is not deleted, and the refusal says who', async (t) => {
  const { server, call } = await pushed(t);
  const repository = await server.registry.repositories.get(caller, 'team/app' as RepositoryName);
  const hold = await server.registry.holds.take(caller, repository, { digest: DIGEST, kind: 'service', holder: 'prod/web' });
  assert.match(
    error(await call('DELETE', `/v2/team/app/manifests/${DIGEST}`)),
    /^409 DENIED: The image sha256:[0-9a-f]{64} cannot be deleted\. .*service 'prod\/web' since 20/,
  );
  assert.equal((await call('GET', '/v2/team/app/manifests/v1')).status, 200);
  await server.registry.holds.release(caller, hold.id);
  assert.equal((await call('DELETE', `/v2/team/app/manifests/${DIGEST}`)).status, 202);
});

test('a signed link gives its blob to anybody, and nothing else', async (t) => {
  const { server, call } = await pushed(t);
  const { downloadUrl = '' } = await server.ecr.getDownloadUrlForLayer({
    repositoryName: 'team/app',
    layerDigest: digestOf(EMPTY),
  });
  const path = new URL(downloadUrl).pathname + new URL(downloadUrl).search;
  const as = 'nobody';
  const whole = await call('GET', path, { as });
  assert.equal(`${whole.status} ${whole.text}`, `200 ${EMPTY}`);
  const part = await call('GET', path, { as, headers: { Range: 'bytes=1-1' } });
  assert.equal(`${part.status} ${part.text}`, '206 }');
  assert.equal((await call('GET', `${path}x`, { as })).status, 403);
  assert.equal((await call('DELETE', path, { as })).status, 403);
  assert.equal((await call('GET', '/holdfast/download/', { as })).status, 403);
});

test('the catalog is in pages', async (t) => {
  const { server, call } = await world(t);
  for (const name of ['ab', 'bc', 'cd']) await server.registry.repositories.create(caller, name as RepositoryName);
  const first = await call('GET', '/v2/_catalog?n=2');
  assert.deepEqual(JSON.parse(first.text), { repositories: ['ab', 'bc'] });
  assert.equal(first.headers.link, '</v2/_catalog?n=2&last=bc>; rel="next"');
  assert.deepEqual(JSON.parse((await call('GET', '/v2/_catalog?n=2&last=bc')).text), { repositories: ['cd'] });
  assert.deepEqual(JSON.parse((await call('GET', '/v2/_catalog?last=bb')).text), { repositories: ['bc', 'cd'] });
  assert.equal((await call('GET', '/v2/_catalog?n=-1')).status, 400);
  const as = await server.createKey('reader', 'pull:ab');
  assert.equal((await call('GET', '/v2/_catalog', { as })).status, 403);
});

test('what will be refused is refused before its bytes are sent', async (t) => {
  const { server, call } = await pushed(t);
  const started = await call('POST', '/v2/team/app/blobs/uploads/');
  const location = String(started.headers.location);
  const authorization = `Basic ${Buffer.from(`${server.credentials.accessKeyId}:${server.credentials.secretAccessKey}`).toString('base64')}`;
  const offer = async (method: string, url: string, headers: OutgoingHttpHeaders): Promise<string> => {
    const outgoing = open(`${server.endpoint}${url}`, {
      method,
      headers: { 'Expect': '100-continue', 'Content-Length': 2, ...headers },
    });
    let told = 'refused';
    outgoing.on('continue', () => {
      told = 'told to go on';
      outgoing.end(EMPTY);
    });
    outgoing.flushHeaders();
    const [incoming] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
    outgoing.on('error', () => {});
    outgoing.destroy();
    return `${told} ${incoming.statusCode}`;
  };
  assert.equal(await offer('PATCH', location, {}), 'refused 401');
  assert.equal(await offer('POST', `/v2/team/app/blobs/uploads/?digest=${digestOf('x')}`, {}), 'refused 401');
  assert.equal(await offer('PATCH', `${location}x`, { Authorization: authorization }), 'refused 404');
  assert.equal(await offer('PATCH', location, { 'Authorization': authorization, 'Content-Range': '5-6' }), 'refused 416');
  assert.equal(await offer('PUT', '/v2/team/none/manifests/v1', { Authorization: authorization }), 'refused 404');
  assert.equal(
    await offer('PUT', '/v2/team/app/manifests/v1', { 'Authorization': authorization, 'Content-Length': 50_000_000 }),
    'refused 413',
  );
  assert.equal(await offer('PATCH', location, { 'Authorization': authorization, 'Content-Range': '0-1' }), 'told to go on 202');
});

test('containerd reaches another region through a mirror, by the registry that it names', async (t) => {
  const { server, call } = await pushed(t);
  const ns = (region: string, account = ACCOUNT): string => `ns=${account}.dkr.ecr.${region}.amazonaws.com`;
  await server.registry.repositories.create({ ...caller, region: 'eu-west-1' }, 'team/far' as RepositoryName);
  await server.registry.repositories.create({ ...caller, region: 'eu-west-1' }, 'team/farther' as RepositoryName);

  const page = await call('GET', `/v2/_catalog?n=1&${ns('eu-west-1')}`);
  assert.deepEqual(JSON.parse(page.text), { repositories: ['team/far'] });
  assert.equal(page.headers['oci-namespace'], `${ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com`);
  const [, rest = ''] = /^<(.+)>; rel="next"$/.exec(String(page.headers['link'])) ?? [];
  assert.deepEqual(JSON.parse((await call('GET', rest)).text), { repositories: ['team/farther'] });

  // A manifest comes from the same place, and a mirror of other registries is left to answer as usual.
  assert.match(error(await call('GET', `/v2/team/app/manifests/v1?${ns('eu-west-1')}`)), /^404 NAME_UNKNOWN/);
  const usual = await call('GET', '/v2/team/app/manifests/v1?ns=docker.io');
  assert.equal(`${usual.status} ${usual.text}`, `200 ${MANIFEST}`);
  assert.equal(usual.headers['oci-namespace'], undefined);
  for (const elsewhere of [ns('mars-1'), ns('us-east-1', '999999999999')])
    assert.match(error(await call('GET', `/v2/team/app/manifests/v1?${elsewhere}`)), /^404 NAME_UNKNOWN/);
  // Nobody pushes to a mirror: what is pushed goes where the host name says.
  assert.equal(
    (await call('POST', `/v2/team/app/blobs/uploads/?digest=${digestOf('x')}&${ns('eu-west-1')}`, { body: 'x' })).status,
    201,
  );
});
