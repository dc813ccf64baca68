import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, readFile, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { digestOf } from '../../src/core/digest.ts';
import { readTar } from '../../src/core/tar-reader.ts';
import { createCleanup } from '../support/cleanup.ts';
import { freePort } from '../support/free-port.ts';
import { buildImage, buildIndex, layoutFiles, temporaryFolder, writeTree } from '../support/image-source.ts';
import { runProgram, startHoldfast, type Finished, type HoldfastProcess } from '../support/server.ts';
import { requireAbility, requireTool } from '../support/tools.ts';

interface Pushed {
  name: string;
  image: string;
  digest: string;
  mediaType: string;
  blobsPushed: number;
  blobsPresent: number;
  bytesPushed: number;
}

interface Manifest {
  mediaType: string;
  config: { digest: string };
  layers: { digest: string; mediaType: string }[];
  manifests?: { digest: string }[];
}

describe('holdfast push, without an engine', () => {
  const cleanup = createCleanup();
  let server: HoldfastProcess;
  let authorization = '';

  before(async () => {
    server = await startHoldfast(cleanup);
    authorization = `Basic ${Buffer.from(`${server.credentials.accessKeyId}:${server.credentials.secretAccessKey}`).toString('base64')}`;
  });
  after(() => cleanup.run());

  async function push(...args: string[]): Promise<Pushed> {
    const { code, stdout, stderr } = await server.run(['push', ...args, '--create', '--json']);
    assert.equal(code, 0, `holdfast push ${args.join(' ')}: ${stderr}`);
    return JSON.parse(stdout) as Pushed;
  }

  async function fails(code: number, message: RegExp, ...args: string[]): Promise<Finished> {
    const finished = await server.run(['push', ...args, '--create']);
    assert.match(finished.stderr, message);
    assert.deepEqual([finished.code, finished.stdout], [code, '']);
    return finished;
  }

  async function fetchBytes(path: string): Promise<Buffer> {
    const answer = await fetch(`${server.url}/v2/${path}`, { headers: { authorization, accept: '*/*' } });
    assert.equal(answer.status, 200, path);
    return Buffer.from(await answer.arrayBuffer());
  }

  const fetchManifest = async (repository: string, name: string): Promise<Manifest> =>
    JSON.parse((await fetchBytes(`${repository}/manifests/${name}`)).toString()) as Manifest;
  const fetchConfig = async (repository: string, manifest: Manifest) =>
    JSON.parse((await fetchBytes(`${repository}/blobs/${manifest.config.digest}`)).toString()) as {
      os: string;
      architecture: string;
      config: Record<string, unknown>;
      rootfs: { diff_ids: string[] };
    };

  describe('an OCI layout', () => {
    test('its image arrives byte for byte, and a second push sends nothing', async (t) => {
      const image = buildImage('layout');
      const layout = await writeTree(await temporaryFolder(t), layoutFiles(image));
      const first = await push(layout, 'layout/one:v1');
      assert.deepEqual(
        [first.digest, first.name, first.image, first.blobsPushed],
        [image.digest, `${server.registryHost}/layout/one:v1`, `${server.registryHost}/layout/one@${image.digest}`, 2],
      );
      for (const [digest, bytes] of image.blobs) {
        assert.deepEqual(
          await fetchBytes(digest === image.digest ? 'layout/one/manifests/v1' : `layout/one/blobs/${digest}`),
          bytes,
        );
      }
      const second = await push(layout, `${server.registryHost}/layout/one:v2`);
      assert.deepEqual([second.blobsPushed, second.blobsPresent, second.bytesPushed], [0, 2, 0]);
      const { stdout, stderr } = await server.run(['push', layout, 'layout/one']);
      assert.equal(stdout, `${image.digest}\n`);
      assert.match(stderr, /^Pushed .*\/layout\/one:latest: 0 B sent; 2 of 2 blobs were there\.\n$/);
    });

    test('an index is pushed whole, one platform of it when that is asked for', async (t) => {
      const [amd, arm] = [buildImage('amd'), buildImage('arm', { os: 'linux', architecture: 'arm64' })];
      const index = buildIndex(amd, arm);
      const layout = await writeTree(await temporaryFolder(t), layoutFiles(index));
      assert.equal((await push(layout, 'layout/index:all')).digest, index.digest);
      for (const { digest } of [amd, arm]) await fetchManifest('layout/index', digest);
      assert.equal((await push(layout, 'layout/index:arm', '--platform', 'linux/arm64')).digest, arm.digest);
      await fails(
        1,
        /has no image for linux\/s390x\.\n +It has: linux\/amd64, linux\/arm64/,
        layout,
        'layout/index:s390x',
        '--platform',
        'linux/s390x',
      );
    });

    test('images of one platform each are an index already', async (t) => {
      const images = [buildImage('amd'), buildImage('arm', { os: 'linux', architecture: 'arm64' })];
      const files = layoutFiles(...images);
      const layout = await writeTree(await temporaryFolder(t), files);
      const pushed = await push(layout, 'layout/platforms:v1');
      assert.equal(pushed.digest, digestOf(files['index.json'] ?? ''));
      assert.deepEqual(
        (await fetchManifest('layout/platforms', 'v1')).manifests?.map(({ digest }) => digest),
        images.map(({ digest }) => digest),
      );
    });

    test('of several images one is chosen by its name', async (t) => {
      const [one, two] = [buildImage('one'), buildImage('two')];
      const layout = await writeTree(
        await temporaryFolder(t),
        layoutFiles({ ...one, name: 'one' }, { ...two, name: 'registry.example/app:two' }),
      );
      await fails(2, /has 2 images\. Choose one with --image: one, registry\.example\/app:two/, layout, 'layout/several');
      assert.equal((await push(layout, 'layout/several:one', '--image', 'one')).digest, one.digest);
      assert.equal((await push(layout, 'layout/several:two', '--image', 'app:two')).digest, two.digest);
      await fails(1, /has no image three\.\n +It has: one, /, layout, 'layout/several', '--image', 'three');
    });

    test('what is damaged or missing is told, and nothing of it can be pulled', async (t) => {
      const image = buildImage('damaged');
      const [layer] = [...image.blobs].find(([, bytes]) => bytes.toString().startsWith('layer')) ?? [];
      const folder = await temporaryFolder(t);
      const layout = await writeTree(join(folder, 'damaged'), {
        ...layoutFiles(image),
        [`blobs/${layer?.replace(':', '/')}`]: 'layer demaged',
      });
      await fails(1, /Nothing was pushed: the source is damaged: what it has as sha256:/, layout, 'layout/damaged:v1');
      const shorter = await writeTree(join(folder, 'shorter'), {
        ...layoutFiles(image),
        [`blobs/${layer?.replace(':', '/')}`]: 'lay',
      });
      await fails(1, /has 3 bytes, and its image says 13/, shorter, 'layout/damaged:v1');
      const manifest = await writeTree(join(folder, 'manifest'), {
        ...layoutFiles(image),
        [`blobs/${image.digest.replace(':', '/')}`]: '{}',
      });
      await fails(1, /is damaged: it is not what its name says/, manifest, 'layout/damaged:v1');
      const missing = await writeTree(join(folder, 'missing'), layoutFiles(image));
      await rm(join(missing, `blobs/${layer?.replace(':', '/')}`));
      await fails(1, /which its image needs/, missing, 'layout/damaged:v1');
      const partial = await writeTree(
        join(folder, 'partial'),
        layoutFiles(buildIndex(image, buildImage('gone', { os: 'linux', architecture: 'arm64' }))),
      );
      await rm(join(partial, `blobs/${buildImage('gone', { os: 'linux', architecture: 'arm64' }).digest.replace(':', '/')}`));
      await fails(
        1,
        /\(linux\/arm64\): it holds only a part of its index\.\n +Choose an image that it has with --platform/,
        partial,
        'layout/damaged:v1',
      );
      assert.equal((await push(partial, 'layout/damaged:amd', '--platform', 'linux/amd64')).digest, image.digest);
      const tags = JSON.parse((await fetchBytes('layout/damaged/tags/list')).toString()) as { tags: string[] };
      assert.deepEqual(tags.tags, ['amd']);
    });
  });

  describe('an archive', () => {
    test('of an OCI layout, plain and compressed', async (t) => {
      const image = buildImage('archive');
      const folder = await temporaryFolder(t);
      const layout = await writeTree(join(folder, 'layout'), layoutFiles(image));
      for (const [name, flag] of [
        ['plain.tar', undefined],
        ['packed.tar.gz', '-z'],
      ] as const) {
        const archive = join(folder, name);
        assert.equal((await runProgram('tar', ['-C', layout, ...(flag ? [flag] : []), '-cf', archive, '.'])).code, 0);
        assert.equal((await push(archive, `archive/oci:${name}`)).digest, image.digest);
      }
    });

    test('of docker save: layers are packed and checked, links between layers followed', async (t) => {
      const folder = await temporaryFolder(t);
      const content = await writeTree(join(folder, 'content'), { 'etc/motd': 'hello' });
      await runProgram('tar', ['-C', content, '-cf', join(folder, 'layer.tar'), '.']);
      const layer = await readFile(join(folder, 'layer.tar'));
      const config = JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        config: { Cmd: ['sh'] },
        rootfs: { type: 'layers', diff_ids: [digestOf(layer), digestOf(layer)] },
      });
      const configName = `${digestOf(config).slice('sha256:'.length)}.json`;
      const entry = (tags: string[]): object => ({ Config: configName, RepoTags: tags, Layers: ['a/layer.tar', 'b/layer.tar'] });
      const files = {
        'a/layer.tar': layer,
        'b/layer.tar@': '../a/layer.tar',
        [configName]: config,
        'manifest.json': JSON.stringify([entry(['app:v1'])]),
      };
      const saved = await writeTree(join(folder, 'saved'), files);
      const archive = join(folder, 'saved.tar');
      const pack = (): Promise<Finished> =>
        runProgram('tar', ['-C', saved, '-cf', archive, ...['manifest.json', configName, 'a', 'b']]);
      await pack();

      const pushed = await push(archive, 'archive/docker:v1');
      assert.equal(pushed.mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
      const manifest = await fetchManifest('archive/docker', 'v1');
      assert.equal(manifest.config.digest, digestOf(config));
      assert.deepEqual(gunzipSync(await fetchBytes(`archive/docker/blobs/${manifest.layers[0]?.digest}`)), layer);
      assert.equal(manifest.layers[1]?.digest, manifest.layers[0]?.digest);
      assert.equal((await push(archive, 'archive/docker:again')).digest, pushed.digest);

      await writeFile(join(saved, 'manifest.json'), JSON.stringify([entry(['app:v1']), entry(['app:v2', 'app:latest'])]));
      await pack();
      await fails(2, /has 2 images\. Choose one with --image: app:v1, app:v2, app:latest/, archive, 'archive/docker:x');
      assert.equal((await push(archive, 'archive/docker:latest', '--image', 'app:latest')).digest, pushed.digest);

      await writeFile(join(saved, 'a/layer.tar'), Buffer.concat([layer, Buffer.alloc(512, 1)]));
      await pack();
      await fails(
        1,
        /Nothing was pushed: the layer a\/layer\.tar .* is damaged/,
        archive,
        'archive/docker:bad',
        '--image',
        'app:v1',
      );
    });

    test('that is none, that is cut short, that holds something else', async (t) => {
      const folder = await writeTree(await temporaryFolder(t), {
        text: 'x'.repeat(2000),
        empty: '',
        'some/file': 'x',
        'bad.gz': Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]),
      });
      await runProgram('tar', ['-C', folder, '-cf', join(folder, 'other.tar'), 'some']);
      await fails(1, /is no archive that can be read/, join(folder, 'text'), 'archive/none');
      await fails(1, /is no image: it has neither index\.json nor manifest\.json/, join(folder, 'empty'), 'archive/none');
      await fails(1, /is no image: it has neither index\.json nor manifest\.json/, join(folder, 'other.tar'), 'archive/none');
      await fails(1, /cannot be unpacked: it is damaged or cut short/, join(folder, 'bad.gz'), 'archive/none');
      await fails(1, /Cannot stat .*: there is no such file or folder/, join(folder, 'nothing'), 'archive/none');
    });

    test('a bomb is refused before it fills the disk', async (t) => {
      const folder = await temporaryFolder(t);
      const bomb = join(folder, 'bomb.tar.gz');
      assert.equal((await runProgram('sh', ['-c', 'head -c 200000000 /dev/zero | gzip -9 > "$1"', 'sh', bomb])).code, 0);
      await fails(1, /unpacks to more than 200 times its size/, bomb, 'archive/bomb');
    });
  });

  describe('a plain folder', () => {
    async function makeFolder(t: TestContext): Promise<string> {
      const folder = await writeTree(join(await temporaryFolder(t), 'site'), {
        'www/index.html': '<h1>hello</h1>',
        'bin/run': '#!/bin/sh\n',
        'empty': '',
        'www/link@': 'index.html',
        'ü': 'name',
      });
      await chmod(join(folder, 'bin/run'), 0o755);
      await chmod(join(folder, 'www/index.html'), 0o600);
      await mkdir(join(folder, 'none'));
      return folder;
    }

    test('becomes an image of one layer, sorted, without times and owners', async (t) => {
      const folder = await makeFolder(t);
      const pushed = await push(
        folder,
        'folder/site:v1',
        '--cmd',
        `/bin/run --port 80 "a b"`,
        '--entrypoint',
        '["/sbin/init"]',
        '--env',
        'A=1',
        '--env',
        'B=x=y',
        '--workdir',
        '/www',
        '--user',
        '1000:1000',
        '--port',
        '80',
        '--port',
        '53/udp',
        '--label',
        'team=a',
        '--platform',
        'linux/arm64/v8',
      );
      const manifest = await fetchManifest('folder/site', 'v1');
      const config = await fetchConfig('folder/site', manifest);
      assert.deepEqual(config.config, {
        User: '1000:1000',
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'A=1', 'B=x=y'],
        Entrypoint: ['/sbin/init'],
        Cmd: ['/bin/run', '--port', '80', 'a b'],
        WorkingDir: '/www',
        Labels: { team: 'a' },
      });
      assert.deepEqual([config.os, config.architecture], ['linux', 'arm64']);
      const tar = gunzipSync(await fetchBytes(`folder/site/blobs/${manifest.layers[0]?.digest}`));
      assert.deepEqual(config.rootfs.diff_ids, [digestOf(tar)]);
      const entries: unknown[] = [];
      for await (const { displayName, type, mode, uid, gid, mtime, linkName } of readTar(pieces(tar)))
        entries.push([displayName, type, mode.toString(8), uid, gid, mtime, linkName.toString()]);
      assert.deepEqual(entries, [
        ['bin/', 'folder', '755', 0, 0, 0, ''],
        ['bin/run', 'file', '755', 0, 0, 0, ''],
        ['empty', 'file', '644', 0, 0, 0, ''],
        ['none/', 'folder', '755', 0, 0, 0, ''],
        ['www/', 'folder', '755', 0, 0, 0, ''],
        ['www/index.html', 'file', '600', 0, 0, 0, ''],
        ['www/link', 'symbolic-link', '777', 0, 0, 0, 'index.html'],
        ['ü', 'file', '644', 0, 0, 0, ''],
      ]);
      assert.equal(pushed.mediaType, 'application/vnd.oci.image.manifest.v1+json');
    });

    test('the same content gives the same digest, wherever it lies and whenever it was written', async (t) => {
      const folder = await makeFolder(t);
      const first = await push(folder, 'folder/same:a', '--cmd', 'run');
      const copy = `${folder}-copy`;
      await cp(folder, copy, { recursive: true, verbatimSymlinks: true });
      await rename(join(copy, 'empty'), join(copy, 'moved'));
      await rename(join(copy, 'moved'), join(copy, 'empty'));
      await utimes(join(copy, 'empty'), 1, 1);
      assert.equal((await push(copy, 'folder/same:b', '--cmd', 'run')).digest, first.digest);
      await writeFile(join(copy, 'empty'), 'x');
      assert.notEqual((await push(copy, 'folder/same:c', '--cmd', 'run')).digest, first.digest);
    });

    test('wrong usage is told before anything is sent', async (t) => {
      const folder = await makeFolder(t);
      const layout = await writeTree(await temporaryFolder(t), layoutFiles(buildImage('x')));
      await fails(2, /is a plain folder .*Say what its image runs with --cmd/, folder, 'folder/usage');
      await fails(2, /--cmd: "\|" means something to a shell only/, folder, 'folder/usage', '--cmd', 'a | b');
      await fails(2, /--env wants NAME=VALUE/, folder, 'folder/usage', '--cmd', 'a', '--env', 'A');
      await fails(2, /--port wants 1 to 65535/, folder, 'folder/usage', '--cmd', 'a', '--port', '65536');
      await fails(2, /--platform wants a name like linux\/amd64/, folder, 'folder/usage', '--cmd', 'a', '--platform', 'arm');
      await fails(2, /--cmd is for plain folders/, layout, 'folder/usage', '--cmd', 'a');
      await fails(2, /REPOSITORY\[:TAG\] is missing/, folder);
      await fails(1, /"Folder" is not a repository name/, folder, 'Folder', '--cmd', 'a');
      await runProgram('mkfifo', [join(folder, 'pipe')]);
      await fails(1, /pipe is a pipe, which an image cannot hold/, folder, 'folder/usage', '--cmd', 'a');
    });

    test('nothing is left in the temporary folder', async (t) => {
      const temporary = await temporaryFolder(t);
      const folder = await makeFolder(t);
      await server.run(['push', folder, 'folder/tidy', '--create', '--cmd', 'a'], { env: { TMPDIR: temporary } });
      await server.run(['push', folder, 'folder/none', '--cmd', 'a'], { env: { TMPDIR: temporary } });
      assert.deepEqual(await readdir(temporary), []);
    });
  });

  test('without --create a missing repository is told with what to do', async (t) => {
    const layout = await writeTree(await temporaryFolder(t), layoutFiles(buildImage('x')));
    const { code, stderr } = await server.run(['push', layout, 'team/none:v1']);
    assert.match(
      stderr,
      /There is no repository .*\/team\/none\.\n +Add --create, or create it with: aws ecr create-repository --repository-name team\/none\n/,
    );
    assert.equal(code, 1);
  });

  test('AWS_REGION chooses the region, as it does for the aws command line', async (t) => {
    const regions = await startHoldfast(t, { HOLDFAST_REGION: 'us-east-1,eu-west-1' });
    const layout = await writeTree(await temporaryFolder(t), layoutFiles(buildImage('europe')));
    const env = { ...regions.env, HOLDFAST_DATA: '', AWS_REGION: 'eu-west-1' };
    const pushed = await regions.run(['push', layout, 'europe:v1', '--create', '--json'], { env });
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.match((JSON.parse(pushed.stdout) as Pushed).name, /^123456789012\.dkr\.ecr\.eu-west-1\.localhost:\d+\/europe:v1$/);
    assert.equal((await regions.run(['tags', 'at', 'europe', 'v1', 'now'], { env })).code, 0);
    assert.equal((await regions.run(['tags', 'at', 'europe', 'v1', 'now'])).code, 1);
  });

  test('without a server, or with a key that it does not know, the push says so', async (t) => {
    const layout = await writeTree(await temporaryFolder(t), layoutFiles(buildImage('x')));
    const env = { HOLDFAST_DATA: '', AWS_ENDPOINT_URL: server.url, AWS_ACCESS_KEY_ID: 'AKIANOBODY', AWS_SECRET_ACCESS_KEY: 'x' };
    const stranger = await server.run(['push', layout, 'xx:v1'], { env });
    assert.match(stranger.stderr, /gave no login: .*\n +The key is the one of AWS_ENDPOINT_URL/);
    const nowhere = await server.run(['push', layout, 'xx:v1'], { cwd: layout, env: { HOLDFAST_DATA: '' } });
    assert.match(nowhere.stderr, /No running server was found/);
    const silent = await server.run(['push', layout, 'xx:v1'], { env: { ...env, AWS_ENDPOINT_URL: 'http://127.0.0.1:9' } });
    assert.match(silent.stderr, /127\.0\.0\.1:9 gave no login: nobody listens there/);
    assert.deepEqual([stranger.code, nowhere.code, silent.code], [1, 1, 1]);
  });

  test('an immutable tag is not moved, and the refusal is the registry’s own', async (t) => {
    const aws = requireTool(t, 'aws');
    if (aws === undefined) return;
    const made = await runProgram(
      aws,
      ['ecr', 'create-repository', '--repository-name', 'fixed', '--image-tag-mutability', 'IMMUTABLE'],
      { env: server.env },
    );
    assert.equal(made.code, 0, made.stderr);
    const folder = await temporaryFolder(t);
    const [one, two] = await Promise.all(
      ['one', 'two'].map((text) => writeTree(join(folder, text), layoutFiles(buildImage(text)))),
    );
    await push(one ?? '', 'fixed:v1');
    await push(one ?? '', 'fixed:v1');
    await fails(1, /cannot be overwritten because the repository is immutable/, two ?? '', 'fixed:v1');
  });

  test('skopeo and podman read what was pushed', async (t) => {
    const skopeo = requireTool(t, 'skopeo');
    if (skopeo === undefined) return;
    const folder = await writeTree(await temporaryFolder(t), { hello: 'hello' });
    const { digest } = await push(folder, 'clients/hello:v1', '--cmd', '/hello');
    const { stdout: password } = await runProgram('sh', ['-c', 'aws ecr get-login-password'], { env: server.env });
    const login = `AWS:${password.trim() || '-'}`;
    const credentials = password === '' ? `${server.credentials.accessKeyId}:${server.credentials.secretAccessKey}` : login;
    const out = await temporaryFolder(t);
    const copied = await runProgram(skopeo, [
      'copy',
      '--src-tls-verify=false',
      '--src-creds',
      credentials,
      `docker://${server.registryHost}/clients/hello:v1`,
      `oci:${out}/copy:v1`,
    ]);
    assert.equal(copied.code, 0, copied.stderr);
    const index = JSON.parse(await readFile(join(out, 'copy/index.json'), 'utf8')) as { manifests: { digest: string }[] };
    assert.equal(index.manifests[0]?.digest, digest);

    for (const format of ['docker-archive', 'oci-archive']) {
      const archive = join(out, `${format}.tar`);
      assert.equal((await runProgram(skopeo, ['copy', `oci:${out}/copy:v1`, `${format}:${archive}:app:v1`])).code, 0);
      const again = await push(archive, `clients/${format}:v1`);
      const manifest = await fetchManifest(`clients/${format}`, again.digest);
      assert.equal(manifest.config.digest, (await fetchManifest('clients/hello', 'v1')).config.digest, format);
    }
  });

  test('podman pulls what was pushed', async (t) => {
    const podman = requireTool(t, 'podman');
    if (podman === undefined || !requireAbility(t, process.getuid?.() === 0, 'podman needs root here')) return;
    const folder = await writeTree(await temporaryFolder(t), { hello: 'hello' });
    const { digest } = await push(folder, 'clients/podman:v1', '--cmd', '/hello');
    const storage = await temporaryFolder(t);
    const { accessKeyId, secretAccessKey } = server.credentials;
    const flags = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run'), '--storage-driver', 'vfs'];
    const pulled = await runProgram(podman, [
      ...flags,
      'pull',
      '--tls-verify=false',
      '--creds',
      `${accessKeyId}:${secretAccessKey}`,
      `${server.registryHost}/clients/podman:v1`,
    ]);
    assert.equal(pulled.code, 0, pulled.stderr);
    const inspected = await runProgram(podman, [
      ...flags,
      'image',
      'inspect',
      '--format',
      '{{.Digest}} {{.Config.Cmd}}',
      `${server.registryHost}/clients/podman:v1`,
    ]);
    assert.equal(inspected.stdout.trim(), `${digest} [/hello]`);
  });

  test('another registry is pushed to by its whole name', async (t) => {
    const registry = requireTool(t, 'docker-registry');
    if (registry === undefined) return;
    const folder = await temporaryFolder(t);
    const host = `127.0.0.1:${await freePort()}`;
    const config = join(folder, 'config.yml');
    await writeFile(
      config,
      `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${folder}/data } }\nhttp: { addr: ${host} }\n`,
    );
    const child = spawn(registry, ['serve', config], { stdio: 'ignore' });
    t.after(() => void child.kill('SIGKILL'));
    await answers(`http://${host}/v2/`);

    const images = [buildImage('amd'), buildImage('arm', { os: 'linux', architecture: 'arm64' })];
    const index = buildIndex(...images);
    const layout = await writeTree(join(folder, 'layout'), layoutFiles(index));
    const { code, stdout, stderr } = await server.run(['push', layout, `${host}/team/app:v1`, '--json']);
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as Pushed).digest, index.digest);
    const stored = await fetch(`http://${host}/v2/team/app/manifests/v1`, {
      headers: { accept: 'application/vnd.oci.image.index.v1+json' },
    });
    assert.equal(stored.headers.get('docker-content-digest'), index.digest);
    const nobody = await server.run(['push', layout, `127.0.0.1:${await freePort()}/team/app:v1`]);
    assert.match(nobody.stderr, /nobody listens there/);
  });
});

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Once the address answers at all. */
async function answers(url: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; ;) {
    try {
      await fetch(url);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
