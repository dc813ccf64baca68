import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { startDockerEngine } from '../support/docker-engine.ts';
import { runProgram, startHoldfast, type Finished, type HoldfastProcess } from '../support/server.ts';
import { findTool, requireTool } from '../support/tools.ts';

/** Standard output of a program that must succeed. */
function output({ code, stdout, stderr }: Finished): string {
  assert.equal(code, 0, stderr || stdout);
  return stdout;
}

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-clients-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function awsFor(t: TestContext, server: HoldfastProcess): ((...args: string[]) => Promise<string>) | undefined {
  const aws = requireTool(t, 'aws');
  // Version 2.9 does not read AWS_ENDPOINT_URL yet.
  return aws === undefined
    ? undefined
    : async (...args) => output(await runProgram(aws, ['--endpoint-url', server.url, ...args], { env: server.env }));
}

test('docker, with an engine of its own', async (t) => {
  const engine = await startDockerEngine(t);
  if (engine === undefined) return;
  await t.test('docker: log in, build, push, be refused by an immutable tag, push the same again, pull', async (t) => {
    const server = await startHoldfast(t);
    const aws = awsFor(t, server);
    if (aws === undefined) return;
    const folder = await folderFor(t);
    await aws('ecr', 'create-repository', '--repository-name', 'immutable-repo', '--image-tag-mutability', 'IMMUTABLE');
    const password = (await aws('ecr', 'get-login-password')).trim();
    output(await engine.docker(['login', '--username', 'AWS', '--password-stdin', server.registryHost], { stdin: password }));

    const image = `${server.registryHost}/immutable-repo:latest`;
    const build = async (maintainer: string): Promise<void> => {
      await writeFile(join(folder, 'Dockerfile'), `FROM scratch\nLABEL maintainer="${maintainer}"\n`);
      output(await engine.docker(['build', '-t', image, folder]));
    };
    await build('hamako0001');
    assert.match(output(await engine.docker(['push', image])), /latest: digest: sha256:[0-9a-f]{64}/);
    output(await engine.docker(['push', image]));

    await build('hamako0002');
    const refused = await engine.docker(['push', image]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /tag invalid: The image tag 'latest' already exists in the 'immutable-repo' repository and cannot be overwritten because the repository is immutable\./,
    );
    output(await engine.docker(['rmi', '-f', image]));
    output(await engine.docker(['pull', image]));
    assert.equal(output(await engine.docker(['inspect', '-f', '{{.Config.Labels.maintainer}}', image])).trim(), 'hamako0001');
  });

  await t.test('docker: layers of files go there and come back, and a stranger is told to log in', async (t) => {
    const busybox = findTool('busybox');
    if (busybox === undefined) return;
    const server = await startHoldfast(t);
    const aws = awsFor(t, server);
    if (aws === undefined) return;
    const folder = await folderFor(t);
    await aws('ecr', 'create-repository', '--repository-name', 'team/app');
    await mkdir(join(folder, 'bin'));
    await copyFile(busybox, join(folder, 'bin', 'busybox'));
    await writeFile(
      join(folder, 'Dockerfile'),
      'FROM scratch\nCOPY bin /bin\nCOPY Dockerfile /etc/built-from\nCMD ["/bin/busybox", "true"]\n',
    );
    const image = `${server.registryHost}/team/app:1`;
    output(await engine.docker(['build', '-t', image, folder]));
    const stranger = await engine.docker(['push', image]);
    assert.equal(stranger.code, 1);
    assert.match(stranger.stderr, /no basic auth credentials/);

    const password = (await aws('ecr', 'get-login-password')).trim();
    output(await engine.docker(['login', '--username', 'AWS', '--password-stdin', server.registryHost], { stdin: password }));
    output(await engine.docker(['push', image]));
    output(await engine.docker(['rmi', '-f', image]));
    output(await engine.docker(['pull', image]));
    output(await engine.docker(['create', '--network', 'none', '--name', 'copy', image]));
    const archive = output(await engine.docker(['cp', 'copy:/etc/built-from', '-']));
    assert.match(archive, /FROM scratch/);
    const missing = await engine.docker(['push', `${server.registryHost}/team/nowhere:1`]);
    assert.equal(missing.code, 1);
  });

  await t.test('docker, podman and skopeo pull from a public repository without a login, and from no other', async (t) => {
    const podman = requireTool(t, 'podman');
    const skopeo = requireTool(t, 'skopeo');
    if (podman === undefined || skopeo === undefined) return;
    const server = await startHoldfast(t);
    const aws = awsFor(t, server);
    if (aws === undefined) return;
    const folder = await folderFor(t);
    await mkdir(join(folder, 'files'));
    await writeFile(join(folder, 'files', 'hello'), 'hello\n');
    for (const name of ['open', 'closed']) {
      await aws('ecr', 'create-repository', '--repository-name', name);
      output(await server.run(['push', join(folder, 'files'), `${name}:1`, '--cmd', '/hello']));
    }
    output(await server.run(['repository', 'public', 'open']));
    const noLogin = join(folder, 'no-login.json');
    await writeFile(noLogin, '{}');
    const env = { ...server.env, HOME: folder };
    const store = ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
    const pulls: Record<string, (image: string) => Promise<Finished>> = {
      docker: (image) => engine.docker(['pull', image]),
      podman: (image) => runProgram(podman, [...store, 'pull', '--authfile', noLogin, '--tls-verify=false', image], { env }),
      skopeo: (image) => runProgram(skopeo, ['inspect', '--no-creds', '--tls-verify=false', `docker://${image}`], { env }),
    };
    for (const [client, pull] of Object.entries(pulls)) {
      output(await pull(`${server.registryHost}/open:1`));
      const refused = await pull(`${server.registryHost}/closed:1`);
      assert.notEqual(refused.code, 0, client);
      assert.match(refused.stderr, /unauthorized/, client);
    }

    // Who logs in pushes as before, with the tokens that clients fetch now.
    const image = `${server.registryHost}/open:1`;
    const forged = await engine.docker(['login', '--username', 'AWS', '--password-stdin', server.registryHost], {
      stdin: 'forged',
    });
    assert.notEqual(forged.code, 0);
    assert.notEqual((await engine.docker(['push', image])).code, 0);
    const password = (await aws('ecr', 'get-login-password')).trim();
    output(await engine.docker(['login', '--username', 'AWS', '--password-stdin', server.registryHost], { stdin: password }));
    output(await engine.docker(['push', image]));
  });
});

test('podman: push and pull', async (t) => {
  const podman = requireTool(t, 'podman');
  if (podman === undefined) return;
  const server = await startHoldfast(t);
  const aws = awsFor(t, server);
  if (aws === undefined) return;
  const folder = await folderFor(t);
  await aws('ecr', 'create-repository', '--repository-name', 'podman');
  const credentials = `AWS:${(await aws('ecr', 'get-login-password')).trim()}`;
  const run = (...args: string[]): Promise<Finished> =>
    runProgram(podman, ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs', ...args], {
      env: { ...server.env, HOME: folder },
    });
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'files', 'hello'), 'hello\n');
  const archive = join(folder, 'files.tar');
  output(await runProgram('tar', ['-cf', archive, '-C', join(folder, 'files'), '.']));
  const image = `${server.registryHost}/podman:1`;
  output(await run('import', archive, image));
  output(await run('push', '--tls-verify=false', '--creds', credentials, image));
  output(await run('rmi', image));
  output(await run('pull', '--tls-verify=false', '--creds', credentials, image));
});

test('skopeo: a list of platforms with its members, tags, inspection and deletion', async (t) => {
  const skopeo = requireTool(t, 'skopeo');
  if (skopeo === undefined) return;
  const server = await startHoldfast(t);
  const aws = awsFor(t, server);
  if (aws === undefined) return;
  const folder = await folderFor(t);
  for (const name of ['one', 'two']) await aws('ecr', 'create-repository', '--repository-name', name);
  const credentials = `AWS:${(await aws('ecr', 'get-login-password')).trim()}`;
  const run = (...args: string[]): Promise<Finished> =>
    runProgram(skopeo, ['--insecure-policy', ...args], { env: { ...server.env, HOME: folder } });

  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'files', 'hello'), 'hello\n');
  output(await server.run(['push', join(folder, 'files'), 'one:1', '--cmd', '/hello']));
  const remote = (name: string): string => `docker://${server.registryHost}/${name}`;
  output(
    await run(
      'copy',
      '--all',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      '--src-creds',
      credentials,
      '--dest-creds',
      credentials,
      remote('one:1'),
      remote('two:1'),
    ),
  );
  const inspected = JSON.parse(output(await run('inspect', '--tls-verify=false', '--creds', credentials, remote('two:1')))) as {
    Digest: string;
    RepoTags: string[];
  };
  assert.deepEqual(inspected.RepoTags, ['1']);
  output(
    await run(
      'copy',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      '--src-creds',
      credentials,
      '--dest-creds',
      credentials,
      remote('two:1'),
      remote('two:2'),
    ),
  );
  assert.deepEqual(JSON.parse(output(await run('list-tags', '--tls-verify=false', '--creds', credentials, remote('two')))), {
    Repository: `${server.registryHost}/two`,
    Tags: ['1', '2'],
  });
  output(await run('delete', '--tls-verify=false', '--creds', credentials, remote('two:2')));
  const gone = await run('inspect', '--tls-verify=false', '--creds', credentials, remote('two:1'));
  assert.notEqual(gone.code, 0, 'skopeo deletes by digest, so both tags are gone');
  assert.match(gone.stderr, /manifest unknown|Requested image not found/);
});
