import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createCleanup } from '../support/cleanup.ts';
import { buildImage, layoutFiles, temporaryFolder, writeTree } from '../support/image-source.ts';
import { runProgram, startHoldfast, type Finished, type HoldfastProcess } from '../support/server.ts';

const UUID = /[0-9a-f]{8}-[0-9a-f-]{27}/;

describe('the command line, as a person uses it', () => {
  const cleanup = createCleanup();
  let server: HoldfastProcess;
  const [first, second] = [buildImage('first'), buildImage('second')];
  const short = (digest: string): string => digest.slice(0, 'sha256:'.length + 12);

  before(async () => {
    server = await startHoldfast(cleanup);
    const folder = await temporaryFolder(cleanup);
    for (const [name, image] of Object.entries({ first, second })) {
      const layout = await writeTree(join(folder, name), layoutFiles(image));
      await ok('push', layout, 'team/app:latest', '--create');
    }
  });
  after(() => cleanup.run());

  async function ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await server.run(args);
    assert.equal(code, 0, `holdfast ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    return JSON.parse(await ok(...args, '--json')) as T;
  }

  async function fails(code: number, message: RegExp, ...args: string[]): Promise<Finished> {
    const finished = await server.run(args);
    assert.match(finished.stderr, message);
    assert.deepEqual([finished.code, finished.stdout], [code, '']);
    return finished;
  }

  async function deleteImage(digest: string): Promise<void> {
    const login = Buffer.from(`${server.credentials.accessKeyId}:${server.credentials.secretAccessKey}`).toString('base64');
    const answer = await fetch(`${server.url}/v2/team/app/manifests/${digest}`, {
      method: 'DELETE',
      headers: { authorization: `Basic ${login}` },
    });
    assert.equal(answer.status, 202, await answer.text());
  }

  test('env gives a shell everything, and nothing that a shell could run', async () => {
    const script =
      'eval "$1"; printf "%s\\n" "$AWS_ENDPOINT_URL" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_REGION" "$AWS_DEFAULT_REGION" "$HOLDFAST_REGISTRY"';
    const { stdout } = await runProgram('sh', ['-c', script, 'sh', await ok('env')]);
    const { accessKeyId, secretAccessKey } = server.credentials;
    assert.deepEqual(stdout.trimEnd().split('\n'), [
      server.url,
      accessKeyId,
      secretAccessKey,
      'us-east-1',
      'us-east-1',
      server.registryHost,
    ]);
    const variables = await json<Record<string, string>>('env');
    for (const name of Object.keys(variables)) assert.equal(variables[name], server.env[name], name);
    assert.equal(Object.keys(variables).length, 6);
  });

  test('env quotes what came from outside', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(
      join(folder, 'server.json'),
      JSON.stringify({ url: server.url, region: 'us-east-1', registryHost: "x'; touch evil; '$(id)" }),
    );
    const { code, stdout, stderr } = await server.run(['env'], { env: { HOLDFAST_DATA: folder } });
    assert.equal(code, 0);
    assert.match(stderr, /first key of the server was revoked/);
    const shell = await runProgram('sh', ['-c', 'eval "$1"; printf "%s" "$HOLDFAST_REGISTRY"; ls', 'sh', stdout], {
      cwd: folder,
    });
    assert.equal(shell.stdout, "x'; touch evil; '$(id)server.json\n");
  });

  test('tags: the history, what it was then, and back again', async () => {
    const table = await ok('tags', 'history', 'team/app', 'latest');
    assert.match(table, /^TIME +TAG +FROM +TO +BY +WHO\n/);
    assert.match(table, new RegExp(`latest +${short(first.digest)} +${short(second.digest)} +push +admin`));
    assert.ok(
      table.split('\n').every((line) => line.length <= 100),
      table,
    );
    const { events } = await json<{ events: { at: string; newDigest: string }[] }>('tags', 'history', 'team/app', 'latest');
    assert.equal(events[1]?.newDigest, first.digest);

    const then = events[1]?.at ?? '';
    assert.equal(await ok('tags', 'at', 'team/app', 'latest', then), `${first.digest}\n`);
    assert.equal(await ok('tags', 'at', `${server.registryHost}/team/app`, 'latest', 'now'), `${second.digest}\n`);
    await fails(
      1,
      /pointed at nothing at .*\n +See when it did with: holdfast tags history/,
      'tags',
      'at',
      'team/app',
      'latest',
      '2h ago',
    );

    assert.match(
      await ok('tags', 'restore', 'team/app', 'latest', '--at', then),
      new RegExp(`team/app:latest points at ${first.digest}`),
    );
    assert.equal(await ok('tags', 'at', 'team/app', 'latest', 'now'), `${first.digest}\n`);
    const shortened = second.digest.slice('sha256:'.length, 'sha256:'.length + 8);
    assert.deepEqual(await json('tags', 'restore', 'team/app', 'latest', '--digest', shortened), {
      repository: 'team/app',
      tag: 'latest',
      digest: second.digest,
    });
    await fails(1, /No digest here begins with 000000/, 'tags', 'restore', 'team/app', 'latest', '--digest', '000000');
    await fails(2, /either --at or --digest/, 'tags', 'restore', 'team/app', 'latest');
    await fails(2, /has not come yet/, 'tags', 'restore', 'team/app', 'latest', '--at', '2999-01-01');
    await fails(2, /"soon" is not a time\. Write "2h ago"/, 'tags', 'at', 'team/app', 'latest', 'soon');
    await fails(2, /TAG is missing[^]*holdfast tags at REPOSITORY TAG TIME/, 'tags', 'at', 'team/app');
    assert.match(await ok('tags', 'history', 'team/none'), /No tag of team\/none was ever moved/);
  });

  test('holds: a held image stays, and the refusal says for whom', async () => {
    const add = [
      'hold',
      'add',
      'team/app:latest',
      '--holder',
      'prod-eu',
      '--kind',
      'cluster',
      '--ttl',
      '2h',
      '--note',
      'serving',
    ];
    const said = await server.run(add);
    assert.match(said.stderr, new RegExp(`^Held until \\d{4}-.*Z: ${second.digest}\n$`));
    assert.match(said.stdout, new RegExp(`^${UUID.source}\n$`), 'a script can keep the id');
    const { holds } = await json<{ holds: { id: string; note: string; since: string; expiresAt: string }[] }>(
      'hold',
      'list',
      'team/app',
      '--kind',
      'cluster',
    );
    const [hold] = holds;
    assert.equal(hold?.note, 'serving');
    assert.equal(Date.parse(hold?.expiresAt ?? '') - Date.parse(hold?.since ?? ''), 7_200_000);
    const table = await ok('hold', 'list');
    assert.match(table, /cluster +prod-eu/);
    assert.ok(
      table.split('\n').every((line) => line.length <= 100),
      table,
    );

    const refused = await fetch(`${server.url}/v2/team/app/manifests/${second.digest}`, {
      method: 'DELETE',
      headers: {
        authorization: `Basic ${Buffer.from(`${server.credentials.accessKeyId}:${server.credentials.secretAccessKey}`).toString('base64')}`,
      },
    });
    assert.match(await refused.text(), /cluster 'prod-eu'/);
    assert.match(await ok('hold', 'release', hold?.id.slice(0, 8) ?? ''), new RegExp(`Released ${hold?.id}`));
    assert.equal(await ok('hold', 'list'), 'Nothing is held.\n');
    const lasting = await server.run(['hold', 'add', `team/app@${first.digest}`, '--holder', 'ann', '--kind', 'person']);
    assert.match(lasting.stderr, /^Held until it is released/);
    const [other] = (await json<{ holds: { id: string; digest: string }[] }>('hold', 'list')).holds;
    assert.equal(other?.digest, first.digest);
    assert.deepEqual(await json('hold', 'release', other?.id ?? ''), { id: other?.id, released: true });
    await fails(1, /There is no hold/, 'hold', 'release', other?.id ?? '');
    await fails(
      1,
      /There is no image latest in "team\/app"|no image nope/,
      'hold',
      'add',
      'team/app:nope',
      '--holder',
      'a',
      '--kind',
      'b',
    );
    await fails(2, /--kind is missing/, 'hold', 'add', 'team/app', '--holder', 'a');
    await fails(
      2,
      /"1 year" is not a length of time/,
      'hold',
      'add',
      'team/app',
      '--holder',
      'a',
      '--kind',
      'b',
      '--ttl',
      '1 year',
    );
  });

  test('images: what was deleted comes back, until it is purged', async () => {
    assert.equal(await ok('images', 'deleted', 'team/app'), 'No deleted image of team/app can be restored.\n');
    await deleteImage(second.digest);
    const table = await ok('images', 'deleted', 'team/app');
    assert.match(table, new RegExp(`${short(second.digest)} +latest .*delete +admin`));
    assert.ok(
      table.split('\n').every((line) => line.length <= 100),
      table,
    );
    assert.equal(
      await ok('images', 'restore', 'team/app', short(second.digest)),
      `${second.digest} is back in team/app, as latest.\n`,
    );
    await deleteImage(second.digest);
    assert.match(await ok('gc', '--dry-run'), /^Would free 0 B\.\n/);
    assert.match(await ok('gc', '--purge', '--dry-run'), /^Would free .*\n {2}1 deleted image would be removed\n/);
    assert.match(await ok('gc', '--purge'), /^Freed .*\n {2}1 deleted image was removed\n/);
    await fails(1, /No digest here begins with/, 'images', 'restore', 'team/app', short(second.digest));
    await fails(1, /not among the deleted images/, 'images', 'restore', 'team/app', second.digest);
  });

  test('gc: what nobody needs is freed and told in bytes; a scrub finds nothing wrong', async () => {
    const report = await json('gc');
    assert.equal(typeof report['bytesFreed'], 'number');
    assert.match(await ok('gc', 'scrub'), /^Read \d+ blobs, .*: all are as they should be\.\n$/);
    await fails(2, /There is no command "gc scrap"/, 'gc', 'scrap');
  });

  test('gc gives the bytes of an image back that nobody has any more', async (t) => {
    const own = await startHoldfast(t, { HOLDFAST_LEASE: '1ms', HOLDFAST_COLLECT_EVERY: '0' });
    const text = 'x'.repeat(100_000);
    const layout = await writeTree(await temporaryFolder(t), layoutFiles(buildImage(text)));
    const { digest } = JSON.parse((await own.run(['push', layout, 'app', '--create', '--json'])).stdout) as { digest: string };
    const login = Buffer.from(`${own.credentials.accessKeyId}:${own.credentials.secretAccessKey}`).toString('base64');
    await fetch(`${own.url}/v2/app/manifests/${digest}`, { method: 'DELETE', headers: { authorization: `Basic ${login}` } });
    const reports: Record<string, number>[] = [];
    for (const args of [['--purge'], [], []]) {
      const { stdout, stderr } = await own.run(['gc', '--json', ...args]);
      assert.notEqual(stdout, '', stderr);
      reports.push(JSON.parse(stdout) as Record<string, number>);
    }
    const sum = (member: string): number => reports.reduce((total, report) => total + (report[member] ?? 0), 0);
    assert.deepEqual([sum('imagesPurged'), sum('blobsDeleted')], [1, 2]);
    assert.ok(sum('bytesFreed') >= 200_000, `${sum('bytesFreed')} bytes`);
  });

  test('keys: made, used, shown, revoked', async () => {
    const text = await ok('key', 'create', '--allow', 'push:team/*', '--allow', 'create:team/*', '--user', 'ci');
    const [, id = '', secret = ''] =
      /^Access key +(\w+)\nSecret +(\S+)\nUser +ci\nMay +push:team\/\* create:team\/\*\n$/.exec(text) ?? [];
    assert.ok(id !== '' && secret.length === 40, text);
    assert.match(await ok('key', 'list'), new RegExp(`${id} +ci +push:team/\\* create:team/\\* +- +active`));

    const folder = await writeTree(await temporaryFolder(cleanup), layoutFiles(buildImage('by ci')));
    const world = {
      cwd: folder,
      env: { HOLDFAST_DATA: '', AWS_ENDPOINT_URL: server.url, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret },
    };
    assert.equal((await server.run(['push', folder, 'team/app:ci'], world)).code, 0);
    const denied = await server.run(['push', folder, 'other/app:ci'], world);
    assert.match(denied.stderr, /not authorized to perform: ecr:InitiateLayerUpload/);
    assert.equal(denied.code, 1);
    const refused = await server.run(['key', 'list', '--json'], world);
    assert.deepEqual(
      [refused.code, (JSON.parse(refused.stderr) as { error: { kind: string } }).error.kind],
      [1, 'access-denied'],
    );
    assert.match(await ok('tags', 'history', 'team/app', 'ci'), / push +ci\n/);

    assert.equal(await ok('key', 'revoke', id), `${id} of ci is revoked.\n`);
    const revoked = await server.run(['hold', 'list'], world);
    assert.match(revoked.stderr, /holdfast: .*\n +The key is the one of AWS_ENDPOINT_URL/);
    assert.match(await ok('key', 'list'), new RegExp(`${id} .* revoked`));
    await fails(2, /Say what the key may do with --allow/, 'key', 'create');
    await fails(1, /"everything" is not "full"/, 'key', 'create', '--allow', 'everything');
  });

  test('secrets: set from standard input, listed by name, removed', async () => {
    const set = async (stdin: string, ...more: string[]) => server.run(['secret', 'set', 'team/registry', ...more], { stdin });
    assert.deepEqual(await set('{"username":"robot","password":"never-shown"}\n'), {
      code: 0,
      stdout: 'team/registry is kept.\n',
      stderr: '',
    });
    const shown = await ok('secret', 'list');
    assert.match(shown, /team\/registry +\S+/);
    const { stdout } = await set('other\n', '--json');
    assert.deepEqual(Object.keys(JSON.parse(stdout) as object), ['name', 'createdAt', 'updatedAt']);
    assert.doesNotMatch(shown + stdout, /never-shown|other/);
    assert.match((await set('\n')).stderr, /Standard input has no value/);
    assert.match((await set('x'.repeat(40_000))).stderr, /more than 32768 bytes/);
    assert.equal(await ok('secret', 'remove', 'team/registry'), 'team/registry is removed.\n');
    assert.equal(await ok('secret', 'list'), 'There are no secrets.\n');
    await fails(1, /There is no secret/, 'secret', 'remove', 'team/registry');
  });

  test('repository: public and private', async () => {
    const pull = async (): Promise<number> => (await fetch(`${server.url}/v2/team/app/tags/list`)).status;
    assert.match(await ok('repository', 'public', 'team/app'), /Anybody may pull from team\/app/);
    assert.match(await ok('repository', 'list'), /team\/app .* public\n/);
    assert.equal(await pull(), 200);
    assert.match(await ok('repository', 'private', 'team/app'), /needs a login again/);
    assert.equal(await pull(), 401);
    await fails(
      1,
      /There is no repository "nope"\.\n +Create it with: aws ecr create-repository/,
      'repository',
      'public',
      'nope',
    );
    await fails(1, /"Nope" is not a repository name/, 'repository', 'public', 'Nope');
    await fails(2, /Name the repository alone/, 'repository', 'public', 'team/app:latest');
    await fails(2, /another registry/, 'repository', 'public', 'localhost:1/team/app');
  });

  test('commands without a server say what to do', async (t) => {
    const empty = await temporaryFolder(t);
    const nobody = await server.run(['hold', 'list'], { cwd: empty, env: { HOLDFAST_DATA: '' } });
    assert.match(nobody.stderr, /^holdfast: No running server was found in .*\.holdfast\.\n +Start one with: holdfast serve/);
    assert.equal(nobody.code, 1);

    await mkdir(join(empty, '.holdfast'));
    await writeFile(
      join(empty, '.holdfast/server.json'),
      JSON.stringify({ url: 'http://127.0.0.1:9', region: 'us-east-1', accessKeyId: 'A', secretAccessKey: 'S' }),
    );
    const gone = await server.run(['hold', 'list', '--json'], { cwd: empty, env: { HOLDFAST_DATA: '' } });
    const { error } = JSON.parse(gone.stderr) as { error: { kind: string; message: string; advice: string } };
    assert.deepEqual([gone.code, error.kind], [1, 'no-server']);
    assert.match(error.message, /No server answers at http:\/\/127\.0\.0\.1:9 .*ECONNREFUSED/);
    assert.match(error.advice, /has ended/);
    const stale = await server.run(['env'], { cwd: empty, env: { HOLDFAST_DATA: '' } });
    assert.match(stale.stderr, /no server answers at http:\/\/127\.0\.0\.1:9/);
    assert.match(stale.stdout, /^export AWS_ENDPOINT_URL='http:\/\/127\.0\.0\.1:9'\n/);

    await writeFile(join(empty, '.holdfast/server.json'), '{"url":');
    assert.match(
      (await server.run(['hold', 'list'], { cwd: empty, env: { HOLDFAST_DATA: '' } })).stderr,
      /does not say where the server is/,
    );
  });

  test('something else that answers is told apart from Holdfast', async (t) => {
    const stranger = createServer((_request, response) => response.end('<html>'));
    await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
    t.after(() => stranger.close());
    const env = {
      HOLDFAST_DATA: '',
      AWS_ENDPOINT_URL: `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`,
      AWS_ACCESS_KEY_ID: 'A',
      AWS_SECRET_ACCESS_KEY: 'S',
    };
    const run = await server.run(['hold', 'list'], { cwd: await temporaryFolder(t), env });
    assert.match(run.stderr, /is no Holdfast server/);
    assert.equal(run.code, 1);
    const keyless = await server.run(['hold', 'list'], {
      cwd: await temporaryFolder(t),
      env: { HOLDFAST_DATA: '', AWS_ENDPOINT_URL: server.url },
    });
    assert.match(keyless.stderr, /No access key was found/);
  });

  test('a killed server starts again on the same data', async () => {
    const before = await ok('tags', 'history', 'team/app');
    await server.kill9();
    await fails(1, /It was there and has ended/, 'tags', 'history', 'team/app');
    await server.restart();
    assert.equal(await ok('tags', 'history', 'team/app'), before);
    assert.equal(await server.stop(), 0);
    await fails(1, /No running server was found/, 'tags', 'history', 'team/app');
    await server.restart();
  });
});
