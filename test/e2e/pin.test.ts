import assert from 'node:assert/strict';
import { chmodSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { findTool } from '../support/tools.ts';
import {
  createTree,
  deleteManifest,
  push,
  run,
  startDebianRegistry,
  type DebianRegistry,
  type Pushed,
  type Tree,
} from './pin-world.ts';

/** `holdfast pin` as a process, against the registry that Debian packages. */
const missing =
  findTool('docker-registry') === undefined && process.env['CI'] !== 'true' ? 'docker-registry is not installed' : false;

describe('holdfast pin against a real registry', { skip: missing }, () => {
  let registry: DebianRegistry;
  let web: Pushed;
  let api: Pushed;
  let tree: Tree;
  let host = '';
  before(async () => {
    registry = await startDebianRegistry();
    host = registry.host;
    web = await push(host, 'team/web', '1.2.3', 'web 1', ['linux/amd64', 'linux/arm64']);
    api = await push(host, 'team/api', '2.0-alpine', 'api 2');
  });
  after(() => registry.stop());
  beforeEach(async () => {
    tree = await createTree();
  });
  afterEach(() => tree.remove());

  const taskDefinition = (image: string): string =>
    `{\r\n  "family": "web",\r\n  "containerDefinitions": [ { "name":"web",   "image" : "${image}" } ]\r\n}`;
  const compose = (image: string): string => `services:\n  api:\n    image:   ${image}   # the api\n`;

  test('shows a diff and writes nothing; then writes exactly that; then has nothing to do', async () => {
    await tree.write({
      'task-definition.json': taskDefinition(`${host}/team/web:1.2.3`),
      'deploy/compose.yaml': compose(`${host}/team/api:2.0-alpine`),
    });
    chmodSync(join(tree.folder, 'deploy/compose.yaml'), 0o640);
    const shown = await tree.run(['pin']);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, new RegExp(`^\\+    image:   ${host}/team/api:2.0-alpine@${api.digest}   # the api$`, 'm'));
    assert.equal(await tree.read('task-definition.json'), taskDefinition(`${host}/team/web:1.2.3`));

    const written = await tree.run(['pin', '--write']);
    assert.equal(written.code, 0, written.stderr);
    assert.match(written.stderr, /2 references in 2 files pinned/);
    assert.equal(await tree.read('task-definition.json'), taskDefinition(`${host}/team/web:1.2.3@${web.digest}`));
    assert.equal(await tree.read('deploy/compose.yaml'), compose(`${host}/team/api:2.0-alpine@${api.digest}`));
    assert.equal(statSync(join(tree.folder, 'deploy/compose.yaml')).mode & 0o777, 0o640);

    const again = await tree.run(['pin', '--write', '--update']);
    assert.match(again.stderr, /Nothing to do/);
    assert.equal((await tree.run(['pin', 'check'])).code, 0);
    assert.deepEqual(readdirSync(tree.folder).sort(), ['deploy', 'task-definition.json']);
  });

  test('a dead registry and a missing tag are listed, the rest is written, exit 1; --atomic writes nothing', async () => {
    const files = {
      'compose.yaml': compose(`${host}/team/api:2.0-alpine`),
      'gone/compose.yaml': compose(`${host}/team/api:nope`),
      'dead/compose.yaml': compose('127.0.0.1:1/team/api:1'),
    };
    await tree.write(files);
    const atomic = await tree.run(['pin', '--write', '--atomic']);
    assert.equal(atomic.code, 1);
    assert.equal(await tree.read('compose.yaml'), files['compose.yaml']);
    const ran = await tree.run(['pin', '--write']);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /^not-found: .*team\/api:nope \(gone\/compose.yaml:3\)/m);
    assert.match(ran.stderr, /^unreachable: 127\.0\.0\.1:1\/team\/api:1/m);
    assert.equal(await tree.read('compose.yaml'), compose(`${host}/team/api:2.0-alpine@${api.digest}`));
    assert.equal(await tree.read('dead/compose.yaml'), files['dead/compose.yaml']);
    assert.deepEqual(
      readdirSync(tree.folder).filter((name) => name.startsWith('.')),
      [],
    );
  });

  test('update follows a moved tag, a policy moves it further, remove takes the digest away', async () => {
    const first = await push(host, 'team/moving', '1.0.0', 'a');
    await tree.write({ 'compose.yaml': compose(`${host}/team/moving:1.0.0@${first.digest}`) });
    const second = await push(host, 'team/moving', '1.0.0', 'b');
    const third = await push(host, 'team/moving', '1.1.0', 'c');
    await push(host, 'team/moving', '2.0.0', 'd');
    const stale = await tree.run(['pin', 'check', '--json']);
    assert.equal(stale.code, 1);
    assert.deepEqual(
      JSON.parse(stale.stdout).findings.map(({ rule }: { rule: string }) => rule),
      ['stale'],
    );
    assert.match((await tree.run(['pin', '--write'])).stderr, /Nothing to do/);
    await tree.run(['pin', '--write', '--update']);
    assert.equal(await tree.read('compose.yaml'), compose(`${host}/team/moving:1.0.0@${second.digest}`));
    await tree.run(['pin', '--write', '--policy', 'minor']);
    assert.equal(await tree.read('compose.yaml'), compose(`${host}/team/moving:1.1.0@${third.digest}`));
    await tree.run(['pin', 'remove', '--write']);
    assert.equal(await tree.read('compose.yaml'), compose(`${host}/team/moving:1.1.0`));
  });

  test('check finds what is unpinned, and a digest that vanished, be it one child of an index', async () => {
    const lost = await push(host, 'team/lost', '1', 'lost', ['linux/amd64', 'linux/arm64']);
    await tree.write({
      'a/compose.yaml': compose(`${host}/team/lost:1@${lost.digest}`),
      'b/compose.yaml': compose(`${host}/team/lost:1`),
    });
    await deleteManifest(host, 'team/lost', lost.children[1]!);
    const text = await tree.run(['pin', 'check']);
    assert.equal(text.code, 1);
    assert.match(text.stdout, /^a\/compose.yaml:3:14: vanished: .*the image for linux\/arm64 of its index is gone$/m);
    assert.match(text.stdout, /^b\/compose.yaml:3:14: unpinned: /m);
    await deleteManifest(host, 'team/lost', lost.digest);
    const rules = JSON.parse((await tree.run(['pin', 'check', 'a', '--json'])).stdout).findings.map(
      ({ rule }: { rule: string }) => rule,
    );
    assert.deepEqual(rules, ['vanished', 'stale']);

    const offline = await tree.run(['pin', 'check', '--offline', '--sarif'], { HOME: '/nonexistent' });
    assert.equal(offline.code, 1);
    const { results } = JSON.parse(offline.stdout).runs[0];
    assert.deepEqual(
      results.map((result: { ruleId: string; locations: { physicalLocation: unknown }[] }) => [
        result.ruleId,
        result.locations[0]!.physicalLocation,
      ]),
      [['image-unpinned', { artifactLocation: { uri: 'b/compose.yaml' }, region: { startLine: 3, startColumn: 14 } }]],
    );
    const github = await tree.run(['pin', 'check', '--offline', '--github']);
    assert.match(github.stdout, /^::error file=b\/compose.yaml,line=3,col=14,title=image unpinned::/);
  });

  test('a pin of one platform’s image is not stale while the tag’s index has it', async () => {
    await tree.write({ 'compose.yaml': compose(`${host}/team/web:1.2.3@${web.children[0]}`) });
    const ran = await tree.run(['pin', 'check']);
    assert.equal(ran.code, 0, ran.stdout);
  });

  test('the lock file says what was resolved, and --frozen resolves from nothing else', async () => {
    await tree.write({ 'compose.yaml': compose(`${host}/team/web:1.2.3`) });
    assert.equal((await tree.run(['pin', '--write', '--lock'])).code, 0);
    const lock = await tree.read('pins.lock.json');
    const pin = JSON.parse(lock).pins[`${host}/team/web:1.2.3`];
    assert.deepEqual(
      [pin.digest, pin.mediaType, pin.platforms],
      [web.digest, 'application/vnd.oci.image.index.v1+json', ['linux/amd64', 'linux/arm64']],
    );
    await tree.run(['pin', '--write', '--lock', '--update']);
    assert.equal(await tree.read('pins.lock.json'), lock);

    await tree.write({
      'compose.yaml': compose(`${host}/team/web:1.2.3`),
      'other/compose.yaml': compose(`${host}/team/api:2.0-alpine`),
    });
    const frozen = await tree.run(['pin', '--write', '--frozen']);
    assert.equal(frozen.code, 1);
    assert.match(frozen.stderr, /team\/api:2.0-alpine .*not in the lock file/);
    assert.equal(await tree.read('compose.yaml'), compose(`${host}/team/web:1.2.3@${web.digest}`));
    await tree.write({ 'compose.yaml': compose(`${host}/team/web:1.2.3@sha256:${'0'.repeat(64)}`), 'pins.lock.json': lock });
    assert.match((await tree.run(['pin', 'check', '--offline', 'compose.yaml'])).stdout, /unlocked/);
    await tree.write({ 'pins.lock.json': '{"version": 9}' });
    const broken = await tree.run(['pin']);
    assert.deepEqual([broken.code, /pins\.lock\.json is not a lock file/.test(broken.stderr)], [1, true]);
  });

  test('what is pinned already comes into the lock as it is', async () => {
    await tree.write({ 'compose.yaml': compose(`${host}/team/web:1.2.3@${web.digest}`) });
    assert.equal((await tree.run(['pin', '--write', '--lock'])).code, 0);
    assert.equal(JSON.parse(await tree.read('pins.lock.json')).pins[`${host}/team/web:1.2.3`].digest, web.digest);
  });

  test('commits what it wrote and nothing else, on a branch', async () => {
    const git = (...args: string[]) =>
      run(tree.folder, 'git', ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...args]);
    const identity = {
      GIT_AUTHOR_NAME: 'Ann',
      GIT_AUTHOR_EMAIL: 'ann@example.com',
      GIT_COMMITTER_NAME: 'Ann',
      GIT_COMMITTER_EMAIL: 'ann@example.com',
    };
    await tree.write({ 'compose.yaml': compose(`${host}/team/api:2.0-alpine`), 'other.txt': 'one\n' });
    await git('init', '--quiet', '--initial-branch=main');
    await git('add', '.');
    await git('commit', '--quiet', '--message=start');
    await tree.write({ 'other.txt': 'two\n' });
    const ran = await tree.run(['pin', '--write', '--branch', 'pins', '--commit', 'Pin images'], identity);
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(
      (await git('log', '--format=%s %D', '--name-only', '-1')).stdout.trim(),
      'Pin images HEAD -> pins\n\ncompose.yaml',
    );
    assert.equal((await git('status', '--porcelain')).stdout.trim(), 'M other.txt');

    await tree.write({ 'compose.yaml': `${compose(`${host}/team/api:2.0-alpine`)}# mine\n` });
    const dirty = await tree.run(['pin', '--commit', 'Pin again'], identity);
    assert.deepEqual(
      [dirty.code, /left alone: compose\.yaml: it has changes that are not committed/.test(dirty.stderr)],
      [1, true],
    );
  });

  test('what cannot be read is reported and left alone, and the others go on', async () => {
    await tree.write({
      'bad.yaml': 'image: [nginx:1\n  - x: {\n',
      'good/compose.yaml': compose(`${host}/team/api:2.0-alpine`),
      'huge.json': Buffer.alloc(5 << 20, 32),
      'binary.yaml': Buffer.from([0x69, 0, 0x3a]),
    });
    symlinkSync('.', join(tree.folder, 'loop'));
    symlinkSync('nowhere', join(tree.folder, 'dangling.yaml'));
    const ran = await tree.run(['pin', '--write']);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /left alone: bad\.yaml: line/);
    assert.match(ran.stderr, /left alone: huge\.json: larger than/);
    assert.equal(await tree.read('good/compose.yaml'), compose(`${host}/team/api:2.0-alpine@${api.digest}`));
  });

  test('pin resolve prints pinned references, list prints states', async () => {
    const resolved = await tree.run(['pin', 'resolve', `${host}/team/web:1.2.3`, `${host}/team/nope:1`]);
    assert.equal(resolved.code, 1);
    assert.equal(resolved.stdout, `${host}/team/web:1.2.3@${web.digest}\n`);
    assert.match(resolved.stderr, new RegExp(`^not-found: ${host}/team/nope:1`));
    await tree.write({
      'compose.yaml': compose('${IMAGE}'),
      'Dockerfile': `FROM ${host}/team/web:1.2.3@${web.digest}\nFROM nginx\n`,
    });
    const listed = await tree.run(['pin', 'list', '--json']);
    assert.deepEqual(
      JSON.parse(listed.stdout).references.map(({ path, state }: { path: string; state: string }) => `${path} ${state}`),
      ['Dockerfile pinned', 'Dockerfile unpinned', 'compose.yaml variable'],
    );
  });

  test('wrong usage is exit code 2', async () => {
    for (const args of [
      ['pin', '--policy', 'most'],
      ['pin', '--frozen'],
      ['pin', '--style=x'],
      ['pin', 'check', '--json', '--sarif'],
      ['pin', 'resolve'],
      ['pin', '--concurrency', '0'],
      ['pin', 'drift'],
    ]) {
      assert.equal((await tree.run(args)).code, 2, args.join(' '));
    }
  });

  describe('with cru’s own command lines', () => {
    const STAMP = /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm;

    test('the command of the article', async () => {
      await push(host, 'mvanholsteijn/paas-monitor', '3.4.0', 'paas');
      const name = `${host}/mvanholsteijn/paas-monitor`;
      await tree.write({
        'paas-monitor.json': taskDefinition(`${name}:latest`),
        'old.json': taskDefinition(`${name}:3.1.0@sha256:${'1'.repeat(64)}`),
        'other.json': taskDefinition(`${host}/team/web:1.2.3`),
      });
      const ran = await tree.run(['cru', 'update', '--image-reference', `${name}:3.4.0`, '--resolve-digest', '.']);
      assert.equal(ran.code, 0, ran.stderr);
      const digest = /Digest (sha256:[a-f0-9]{64})/.exec(ran.stderr)?.[1] ?? '';
      assert.equal(ran.stderr.match(STAMP)?.length, 4);
      assert.deepEqual(ran.stderr.replace(STAMP, '').trim().split('\n'), [
        `resolving repository ${name} Tag 3.4.0 to Digest ${digest}`,
        `INFO: updating reference ${name}:3.1.0@sha256:${'1'.repeat(64)} to ${name}:3.4.0@${digest} in old.json`,
        `INFO: updating reference ${name}:latest to ${name}:3.4.0@${digest} in paas-monitor.json`,
        'INFO: updated a total of 2 files',
      ]);
      assert.equal(await tree.read('paas-monitor.json'), taskDefinition(`${name}:3.4.0@${digest}`));
      assert.equal(await tree.read('other.json'), taskDefinition(`${host}/team/web:1.2.3`));
      const again = await tree.run(['cru', 'update', `--image-reference=${name}:3.4.0`, '--resolve-digest', '.']);
      assert.match(again.stderr, /INFO: no files were updated by cru/);
    });

    test('list, --all, --matching-tag, --resolve-tag, --dry-run', async () => {
      const name = `${host}/team/web`;
      await push(host, 'team/web', 'stable', 'web 1', ['linux/amd64', 'linux/arm64']);
      const alone = `${host}/team/api@${api.digest}`;
      await tree.write({
        'a/compose.yaml': compose(`${name}:1.2.3`),
        'b/compose.yaml': compose(alone),
        'c/compose.yaml': compose(`${name}:stable`),
      });
      const listed = await tree.run(['cru', 'list']);
      assert.equal(listed.stdout, `a/compose.yaml:${name}:1.2.3\nb/compose.yaml:${alone}\nc/compose.yaml:${name}:stable\n`);
      assert.equal((await tree.run(['cru', 'list', '--no-filename', 'a'])).stdout, `${name}:1.2.3\n`);

      const dry = await tree.run(['cru', 'update', '--all', '--matching-tag', '--resolve-digest', '--dry-run', '.']);
      assert.match(dry.stderr, /INFO: 3 image references found/);
      assert.equal(await tree.read('a/compose.yaml'), compose(`${name}:1.2.3`));
      await tree.run(['cru', 'update', '--all', '--matching-tag', '--resolve-digest', '.']);
      assert.equal(await tree.read('a/compose.yaml'), compose(`${name}:1.2.3@${web.digest}`));
      assert.equal(await tree.read('b/compose.yaml'), compose(alone), 'a digest alone does not become another image');
      await tree.run(['cru', 'update', `--image-reference=${name}:stable`, '--matching-tag', '.']);
      assert.equal(await tree.read('a/compose.yaml'), compose(`${name}:1.2.3@${web.digest}`));
      assert.equal(await tree.read('c/compose.yaml'), compose(`${name}:stable`));
      const byTag = await tree.run(['cru', 'update', `--image-reference=${name}:stable`, '--resolve-tag', '.']);
      assert.match(byTag.stderr, new RegExp(`resolving repository ${name} tag 'stable' to '1.2.3'`));
      assert.equal(await tree.read('c/compose.yaml'), compose(`${name}:1.2.3`));
      await tree.run(['cru', 'update', '--all', 'a']);
      assert.equal(await tree.read('a/compose.yaml'), compose(`${name}:latest`));
    });

    test('a path that is not there is an error, as it was', async () => {
      const ran = await tree.run(['cru', 'list', 'nowhere']);
      assert.deepEqual([ran.code, ran.stderr.replace(STAMP, '')], [1, 'ERROR: nowhere is not a file or directory\n']);
    });

    test('one image that cannot be resolved does not stop the others', async () => {
      await tree.write({ 'a/compose.yaml': compose(`${host}/team/api:1`), 'b/compose.yaml': compose('127.0.0.1:1/x/y:1') });
      const ran = await tree.run([
        'cru',
        'update',
        `--image-reference=${host}/team/api:2.0-alpine`,
        '--image-reference=127.0.0.1:1/x/y:2',
        '--resolve-digest',
      ]);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, /WARNING: could not get digest for image tag 2 for 127\.0\.0\.1:1\/x\/y/);
      assert.equal(await tree.read('a/compose.yaml'), compose(`${host}/team/api:2.0-alpine@${api.digest}`));
    });
  });
});
