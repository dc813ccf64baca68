import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { signRequest } from '../../src/core/sigv4.ts';
import { apiOperations } from '../../src/wire/holdfast/operations.ts';
import { RESOURCES, type ResourceName } from '../../src/wire/holdfast/resources.ts';
import { createCleanup } from '../support/cleanup.ts';
import { buildImage, layoutFiles, temporaryFolder, writeTree } from '../support/image-source.ts';
import { startHoldfast, type HoldfastProcess } from '../support/server.ts';

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

interface Answer {
  status: number;
  body: Record<string, never> & { error?: { kind: string; message: string } };
  headers: Headers;
}

describe('the Holdfast API on a real server', () => {
  const scope = createCleanup();
  let server: HoldfastProcess;
  const [first, second] = [buildImage('first'), buildImage('second')];

  before(async () => {
    server = await startHoldfast(scope, { HOLDFAST_REGION: 'us-east-1,eu-west-1' });
    const folder = await temporaryFolder(scope);
    for (const [name, image] of Object.entries({ first, second })) {
      const layout = await writeTree(`${folder}/${name}`, layoutFiles(image));
      const pushed = await server.run(['push', layout, 'team/app:latest', '--create']);
      assert.equal(pushed.code, 0, pushed.stderr);
    }
  });

  after(() => scope.run());

  async function ask(
    method: string,
    path: string,
    options: { body?: unknown; as?: Credentials | string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const { as = server.credentials } = options;
    const login = typeof as === 'string' ? as : `${as.accessKeyId}:${as.secretAccessKey}`;
    const response = await fetch(`${server.url}/holdfast/v1${path}`, {
      method,
      headers: { authorization: `Basic ${Buffer.from(login).toString('base64')}`, ...options.headers },
      ...(options.body === undefined
        ? {}
        : { body: typeof options.body === 'string' ? options.body : JSON.stringify(options.body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers };
  }

  async function refused(status: number, kind: string, message: RegExp, answer: Promise<Answer>): Promise<void> {
    const { status: given, body } = await answer;
    assert.deepEqual([given, body.error?.kind], [status, kind]);
    assert.match(body.error?.message ?? '', message);
  }

  async function createKey(...allow: string[]): Promise<Credentials> {
    const { body } = await ask('POST', '/keys', { body: { allow } });
    return body as unknown as Credentials;
  }

  /** Members that a person reads about in the documentation, and no others. */
  function assertDocumented(kind: ResourceName, value: object): void {
    const members = Object.keys(RESOURCES[kind]);
    const known = new Set(members.map((member) => member.replace('?', '')));
    assert.deepEqual(
      Object.keys(value).filter((member) => !known.has(member)),
      [],
      `undocumented members of ${kind}`,
    );
    assert.deepEqual(
      members.filter((member) => !member.endsWith('?') && !(member in value)),
      [],
      `missing members of ${kind}`,
    );
  }

  test('holds: taken by tag, listed, renewed, released; a held image is not deleted', async () => {
    const taken = await ask('POST', '/holds', {
      body: { repository: 'team/app', tag: 'latest', kind: 'cluster', holder: 'prod', note: 'why', timeToLiveSeconds: 60 },
    });
    assert.equal(taken.status, 200);
    assertDocumented('Hold', taken.body);
    assert.equal(taken.body['digest'], second.digest);
    assert.equal(Date.parse(taken.body['expiresAt'] ?? '') - Date.parse(taken.body['since'] ?? ''), 60_000);

    const again = await ask('POST', '/holds', {
      body: { repository: 'team/app', digest: second.digest, kind: 'cluster', holder: 'prod' },
    });
    assert.deepEqual(
      [again.body['id'], again.body['since'], again.body['expiresAt']],
      [taken.body['id'], taken.body['since'], undefined],
    );

    const deletion = await fetch(`${server.url}/v2/team/app/manifests/${second.digest}`, {
      method: 'DELETE',
      headers: {
        authorization: `Basic ${Buffer.from(`${server.credentials.accessKeyId}:${server.credentials.secretAccessKey}`).toString('base64')}`,
      },
    });
    assert.match(await deletion.text(), /held by cluster 'prod' since/);
    assert.equal(deletion.status, 409);

    for (const [query, count] of [
      ['', 1],
      ['?repository=team/app&kind=cluster&holder=prod', 1],
      [`?digest=${second.digest}`, 1],
      [`?digest=${first.digest}`, 0],
      ['?kind=person', 0],
      ['?region=eu-west-1', 0],
    ] as const) {
      const { body } = await ask('GET', `/holds${query}`);
      assert.equal((body['holds'] as unknown as unknown[]).length, count, query);
    }
    assert.equal((await ask('DELETE', `/holds/${taken.body['id']}`)).status, 204);
    await refused(404, 'hold-unknown', /There is no hold/, ask('DELETE', `/holds/${taken.body['id']}`));
  });

  test('tag history says what a tag was, when and by whom; a restored tag points there again', async () => {
    const { body } = await ask('GET', '/tag-history?repository=team/app&tag=latest');
    const events = body['events'] as unknown as Record<string, string>[];
    for (const event of events) assertDocumented('TagEvent', event);
    assert.deepEqual(
      events.map((event) => [event['oldDigest'], event['newDigest'], event['cause']]),
      [
        [first.digest, second.digest, 'push'],
        [undefined, first.digest, 'push'],
      ],
    );
    assert.match(events[0]?.['principal'] ?? '', /:user\/admin$/);

    const page = await ask('GET', '/tag-history?repository=team/app&limit=1');
    const rest = await ask('GET', `/tag-history?repository=team/app&limit=1&next=${page.body['next']}`);
    assert.deepEqual(
      [...(page.body['events'] as unknown as unknown[]), ...(rest.body['events'] as unknown as unknown[])],
      events,
    );

    const then = events[1]?.['at'] ?? '';
    const at = await ask('GET', `/tag-at?repository=team/app&tag=latest&time=${then}`);
    assertDocumented('TagTarget', at.body);
    assert.equal(at.body['digest'], first.digest);
    const never = await ask('GET', '/tag-at?repository=team/app&tag=latest&time=2001-01-01');
    assert.deepEqual([never.status, 'digest' in never.body], [200, false]);

    const restored = await ask('POST', '/tag-restores', { body: { repository: 'team/app', tag: 'latest', at: then } });
    assertDocumented('RestoredTag', restored.body);
    assert.equal(restored.body['digest'], first.digest);
    await ask('POST', '/tag-restores', { body: { repository: 'team/app', tag: 'latest', digest: second.digest } });
    await refused(
      400,
      'request-invalid',
      /Either at or digest/,
      ask('POST', '/tag-restores', { body: { repository: 'team/app', tag: 'latest' } }),
    );
    await refused(
      404,
      'image-unknown',
      /There is no image/,
      ask('POST', '/tag-restores', { body: { repository: 'team/app', tag: 'latest', at: '2001-01-01' } }),
    );
  });

  test('a deleted image is listed, restored byte for byte with its tag, and gone once it is purged', async () => {
    const layout = await writeTree(await temporaryFolder(scope), layoutFiles(buildImage('lost')));
    const { digest } = JSON.parse((await server.run(['push', layout, 'team/lost:v1', '--create', '--json'])).stdout) as {
      digest: string;
    };
    const admin = {
      authorization: `Basic ${Buffer.from(`${server.credentials.accessKeyId}:${server.credentials.secretAccessKey}`).toString('base64')}`,
    };
    const drop = (): Promise<Response> =>
      fetch(`${server.url}/v2/team/lost/manifests/${digest}`, { method: 'DELETE', headers: admin });
    assert.equal((await drop()).status, 202);

    const [image] = (await ask('GET', '/deleted-images?repository=team/lost')).body['images'] as unknown as Record<
      string,
      unknown
    >[];
    assertDocumented('DeletedImage', image ?? {});
    assert.deepEqual([image?.['digest'], image?.['tags'], image?.['cause']], [digest, ['v1'], 'delete']);
    const restored = await ask('POST', '/image-restores', { body: { repository: 'team/lost', digest } });
    assertDocumented('RestoredImage', restored.body);
    assert.deepEqual([restored.body['tags'], restored.body['tagsTaken']], [['v1'], []]);
    assert.equal(
      (await fetch(`${server.url}/v2/team/lost/manifests/v1`, { headers: admin })).headers.get('docker-content-digest'),
      digest,
    );

    await drop();
    const preview = await ask('POST', '/collections', { body: { purge: true, dryRun: true } });
    assertDocumented('Collection', preview.body);
    assert.equal(preview.body['imagesPurged'], 1);
    assert.equal((await ask('POST', '/collections', { body: { purge: true } })).body['imagesPurged'], 1);
    await refused(
      404,
      'deleted-image-unknown',
      /not among the deleted images/,
      ask('POST', '/image-restores', { body: { repository: 'team/lost', digest } }),
    );
  });

  test('keys: the secret is shown once, and a revoked key is refused at once', async () => {
    const made = await ask('POST', '/keys', { body: { allow: ['read-only'], userName: 'auditor' } });
    assertDocumented('NewKey', made.body);
    const key = made.body as unknown as Credentials;
    assert.equal((await ask('GET', '/usage', { as: key })).status, 200);
    const { body } = await ask('GET', '/keys?limit=1000');
    const keys = body['keys'] as unknown as Record<string, unknown>[];
    for (const each of keys) assertDocumented('Key', each);
    assert.ok(keys.some((each) => each['accessKeyId'] === key.accessKeyId && each['userName'] === 'auditor'));
    assert.ok(!JSON.stringify(keys).includes(key.secretAccessKey));
    const revoked = await ask('DELETE', `/keys/${key.accessKeyId}`);
    assertDocumented('Key', revoked.body);
    await refused(401, 'unauthenticated', /does not know who is asking/, ask('GET', '/usage', { as: key }));
    await ask('DELETE', `/keys/${key.accessKeyId}`);
    const audited = async (action: string): Promise<unknown[]> => {
      const events = (await ask('GET', `/audit-events?action=${action}`)).body['events'] as unknown as Record<string, unknown>[];
      return events.filter((event) => JSON.stringify(event['detail']).includes(key.accessKeyId)).map(({ detail }) => detail);
    };
    assert.deepEqual(await audited('key.create'), [{ accessKeyId: key.accessKeyId, userName: 'auditor', allow: ['read-only'] }]);
    assert.deepEqual(await audited('key.revoke'), [{ accessKeyId: key.accessKeyId, userName: 'auditor' }]);
    await refused(404, 'access-key-unknown', /There is no access key/, ask('DELETE', '/keys/AKIANOBODY'));
    await refused(400, 'parameter-invalid', /allow/, ask('POST', '/keys', { body: { allow: ['everything'] } }));
  });

  test('secrets: put, listed, deleted, and never shown', async () => {
    const value = 'nobody-is-told-this';
    const put = await ask('PUT', '/secrets', { body: { name: 'team/registry', value } });
    assertDocumented('Secret', put.body);
    const { body } = await ask('GET', '/secrets');
    const [secret, ...others] = body['secrets'] as unknown as Record<string, unknown>[];
    assertDocumented('Secret', secret ?? {});
    assert.deepEqual([secret?.['name'], others], ['team/registry', []]);
    const events = await ask('GET', '/audit-events?action=secret.put');
    assert.match(JSON.stringify(events.body), /"name":"team\/registry"/);
    for (const answer of [put, { body }, events]) assert.ok(!JSON.stringify(answer.body).includes(value));
    await refused(400, 'parameter-invalid', /value/, ask('PUT', `/secrets?name=a&value=${value}`));
    await refused(400, 'parameter-invalid', /name/, ask('PUT', '/secrets', { body: { name: 'a b', value } }));
    assert.equal((await ask('DELETE', '/secrets?name=team/registry')).status, 204);
    await refused(404, 'secret-unknown', /There is no secret/, ask('DELETE', '/secrets?name=team/registry'));
  });

  test('repositories, audit log, usage and scrub', async () => {
    const opened = await ask('PUT', '/public-pull', { body: { repository: 'team/app', publicPull: true } });
    assertDocumented('Repository', opened.body);
    assert.equal((await fetch(`${server.url}/v2/team/app/manifests/latest`)).status, 200);
    await ask('PUT', '/public-pull', { body: { repository: 'team/app', publicPull: false } });
    assert.equal((await fetch(`${server.url}/v2/team/app/manifests/latest`)).status, 401);

    const list = (await ask('GET', '/repositories?prefix=team/')).body['repositories'] as unknown as Record<string, unknown>[];
    for (const each of list) assertDocumented('Repository', each);
    assert.deepEqual(list.find(({ name }) => name === 'team/app')?.['publicPull'], false);

    const events = (await ask('GET', '/audit-events?repository=team/app&limit=3')).body['events'] as unknown as Record<
      string,
      unknown
    >[];
    assert.equal(events.length, 3);
    for (const each of events) assertDocumented('AuditEvent', each);
    const usage = await ask('GET', '/usage');
    assertDocumented('Usage', usage.body);
    assert.ok(Number(usage.body['blobs']) >= 4);
    const scrub = await ask('POST', '/scrubs');
    assertDocumented('Scrub', scrub.body);
    assert.deepEqual(scrub.body['corrupt'], []);
  });

  describe('who may', () => {
    test('every operation refuses a key that may not, before it looks at anything', async () => {
      const key = await createKey('pull:other/*');
      for (const { method, path, fields, name } of apiOperations) {
        const values: Record<string, unknown> = {};
        const samples: Record<string, unknown> = {
          repository: 'team/nowhere',
          digest: first.digest,
          tag: 'x',
          kind: 'k',
          holder: 'h',
          time: '2026-01-01',
          allow: ['full'],
          publicPull: true,
          task: '4f2c81aa',
          cluster: 'default',
          service: 'web',
          policy: '{"rules":[]}',
          off: true,
          run: 'x',
          name: 'x',
          value: 'x',
        };
        for (const [member, field] of Object.entries(fields))
          if (!field.optional && !path.includes(`{${member}}`)) values[member] = samples[member];
        const hasBody = method === 'POST' || method === 'PUT';
        const query = hasBody ? '' : `?${new URLSearchParams(values as Record<string, string>).toString()}`;
        const answer = await ask(method, `${path.replace(/\{\w+\}/, 'x')}${query}`, {
          as: key,
          ...(hasBody ? { body: values } : {}),
        });
        assert.deepEqual(
          [answer.status, answer.body.error?.kind],
          [403, 'access-denied'],
          `${name}: ${answer.body.error?.message}`,
        );
        assert.match(answer.body.error?.message ?? '', new RegExp(`holdfast:${name} `));
      }
    });

    test('read-only reads and changes nothing; manage: acts on its repositories only', async () => {
      const reader = await createKey('read-only');
      assert.equal((await ask('GET', '/holds', { as: reader })).status, 200);
      assert.equal((await ask('GET', '/tag-history?repository=team/app', { as: reader })).status, 200);
      await refused(
        403,
        'access-denied',
        /CreateHold/,
        ask('POST', '/holds', { as: reader, body: { repository: 'team/app', tag: 'latest', kind: 'a', holder: 'b' } }),
      );
      await refused(403, 'access-denied', /CreateCollection/, ask('POST', '/collections', { as: reader }));

      const manager = await createKey('manage:team/*');
      const hold = await ask('POST', '/holds', {
        as: manager,
        body: { repository: 'team/app', tag: 'latest', kind: 'a', holder: 'b' },
      });
      assert.equal(hold.status, 200);
      await refused(
        403,
        'access-denied',
        /CreateHold/,
        ask('POST', '/holds', { as: manager, body: { repository: 'else', tag: 'latest', kind: 'a', holder: 'b' } }),
      );
      await refused(403, 'access-denied', /CreateKey/, ask('POST', '/keys', { as: manager, body: { allow: ['full'] } }));
      await refused(403, 'access-denied', /ReleaseHold/, ask('DELETE', `/holds/${hold.body['id']}`, { as: manager }));
      await refused(
        404,
        'hold-unknown',
        /no hold/,
        ask('DELETE', `/holds/${hold.body['id']}?repository=team/other`, { as: manager }),
      );
      assert.equal((await ask('DELETE', `/holds/${hold.body['id']}?repository=team/app`, { as: manager })).status, 204);
    });

    test('a signature for this service is taken, one for another or with a changed body is not', async () => {
      const send = async (service: string, body: string, sent = body, region = 'us-east-1'): Promise<Response> => {
        const target = '/holdfast/v1/collections';
        const headers = signRequest({
          method: 'POST',
          target,
          headers: [
            ['host', new URL(server.url).host],
            ['content-type', 'application/json'],
          ],
          body,
          now: Date.now(),
          region,
          service,
          ...server.credentials,
        });
        return fetch(`${server.url}${target}`, {
          method: 'POST',
          headers: headers.filter(([name]) => name !== 'host'),
          body: sent,
        });
      };
      assert.equal((await send('holdfast', '{"dryRun":true}')).status, 200);
      assert.equal((await send('holdfast', '{"dryRun":true}', undefined, 'eu-west-1')).status, 200);
      assert.equal((await send('ecr', '{"dryRun":true}')).status, 401);
      assert.equal((await send('holdfast', '{"dryRun":true}', '{"purge":true}')).status, 401);
      assert.ok((await send('holdfast', '{"dryRun":true}', undefined, 'mars-north-1')).status >= 400);
    });

    test('a token of get-login-password is taken as Basic credentials', async () => {
      const { accessKeyId, secretAccessKey } = server.credentials;
      const body = '{}';
      const headers = signRequest({
        method: 'POST',
        target: '/',
        headers: [
          ['host', new URL(server.url).host],
          ['x-amz-target', 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken'],
          ['content-type', 'application/x-amz-json-1.1'],
        ],
        body,
        now: Date.now(),
        region: 'us-east-1',
        service: 'ecr',
        accessKeyId,
        secretAccessKey,
      });
      const answer = (await (
        await fetch(server.url, { method: 'POST', headers: headers.filter(([name]) => name !== 'host'), body })
      ).json()) as { authorizationData: { authorizationToken: string }[] };
      const token = Buffer.from(answer.authorizationData[0]?.authorizationToken ?? '', 'base64').toString();
      assert.equal((await ask('GET', '/usage', { as: token })).status, 200);
    });

    test('nobody, a wrong secret, another scheme', async () => {
      for (const headers of [
        {},
        { authorization: 'Bearer x' },
        { authorization: 'Basic eA==' },
        { authorization: `Basic ${Buffer.from(`${server.credentials.accessKeyId}:wrong`).toString('base64')}` },
      ]) {
        const response = await fetch(`${server.url}/holdfast/v1/usage`, { headers });
        assert.equal(response.status, 401, JSON.stringify(headers));
        assert.match(response.headers.get('www-authenticate') ?? '', /^Basic realm="Holdfast"/);
        assert.equal(((await response.json()) as { error: { kind: string } }).error.kind, 'unauthenticated');
      }
    });

    test('a page of another site cannot use the login that a browser remembers', async () => {
      await refused(
        400,
        'request-invalid',
        /other sites/,
        ask('POST', '/collections', { headers: { origin: 'https://evil.example' } }),
      );
      await refused(400, 'request-invalid', /other sites/, ask('POST', '/collections', { headers: { origin: 'null' } }));
      assert.equal((await ask('GET', '/usage', { headers: { origin: server.url } })).status, 200);
    });
  });

  describe('what is not a request of this API', () => {
    for (const [what, method, path, body, status, kind, message] of [
      ['another path', 'GET', '/nothing', undefined, 404, 'operation-unknown', /no operation "GET/],
      ['another method', 'PUT', '/holds', undefined, 405, 'operation-unknown', /POST and GET is/],
      [
        'a member that is not known',
        'GET',
        '/holds?repositry=a',
        undefined,
        400,
        'parameter-invalid',
        /repositry .*repository, digest, kind/,
      ],
      ['a member of another type', 'POST', '/collections', { purge: 'yes' }, 400, 'parameter-invalid', /purge .*true or false/],
      [
        'a missing member',
        'POST',
        '/holds',
        { repository: 'team/app', tag: 'latest', kind: 'a' },
        400,
        'parameter-invalid',
        /holder .*must be given/,
      ],
      [
        'neither tag nor digest',
        'POST',
        '/holds',
        { repository: 'team/app', kind: 'a', holder: 'b' },
        400,
        'request-invalid',
        /Either digest or tag/,
      ],
      [
        'a kind in capitals',
        'POST',
        '/holds',
        { repository: 'team/app', tag: 'latest', kind: 'A B', holder: 'b' },
        400,
        'parameter-invalid',
        /kind/,
      ],
      [
        'a repository that is none',
        'GET',
        '/tag-history?repository=..%2Fetc',
        undefined,
        400,
        'parameter-invalid',
        /repository .*lower-case/,
      ],
      [
        'a repository that is not there',
        'POST',
        '/holds',
        { repository: 'team/none', tag: 'latest', kind: 'a', holder: 'b' },
        404,
        'repository-unknown',
        /team\/none/,
      ],
      ['a limit of 0', 'GET', '/keys?limit=0', undefined, 400, 'parameter-invalid', /limit .*from 1 to 1000/],
      ['a limit of 2^31', 'GET', '/keys?limit=2147483648', undefined, 400, 'parameter-invalid', /limit/],
      ['a limit that is no number', 'GET', '/keys?limit=NaN', undefined, 400, 'parameter-invalid', /limit/],
      ['a page that nobody gave', 'GET', '/keys?next=zzz', undefined, 400, 'parameter-invalid', /next/],
      ['a page of a list that nobody gave', 'GET', '/holds?next=zzz', undefined, 400, 'parameter-invalid', /next/],
      [
        'a time that is none',
        'GET',
        '/tag-at?repository=team/app&tag=latest&time=2026-02-30',
        undefined,
        400,
        'parameter-invalid',
        /time/,
      ],
      ['a region that is not served', 'GET', '/usage?region=mars-1', undefined, 400, 'region-unknown', /mars-1.*us-east-1/],
      ['no JSON', 'POST', '/holds', '{', 400, 'body-invalid', /cannot be read/],
      ['a key of JSON twice', 'POST', '/collections', '{"purge":false,"purge":true}', 400, 'body-invalid', /twice/],
      ['a list', 'POST', '/holds', '[]', 400, 'body-invalid', /must be a JSON object/],
      ['a body of 65 KiB', 'POST', '/holds', `{"note":"${'x'.repeat(65 * 1024)}"}`, 413, 'request-too-large', /65536 bytes/],
      ['a percent sign of nothing', 'DELETE', '/holds/%zz', undefined, 400, 'parameter-invalid', /percent-encoded/],
    ] as const) {
      test(what, () => refused(status, kind, message, ask(method, path, body === undefined ? {} : { body })));
    }

    test('another method says which there are', async () => {
      assert.equal((await ask('PUT', '/holds')).headers.get('allow'), 'POST, GET');
    });
  });

  test('the log has no secret', () => {
    assert.ok(!server.log().includes(server.credentials.secretAccessKey));
  });
});
