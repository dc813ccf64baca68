import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createManualClock } from '../../core/clock.ts';
import { createDockerConfigSource } from './docker-config.ts';
import { createKeychain } from './keychain.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-docker-config-'));
});
after(() => rm(folder, { recursive: true }));

async function keychain(config: unknown) {
  const path = join(folder, 'config.json');
  await writeFile(path, typeof config === 'string' ? config : JSON.stringify(config));
  const warnings: string[] = [];
  const source = createDockerConfigSource([join(folder, 'absent.json'), path], {
    environment: { PATH: `${folder}:/usr/bin:/bin` },
    timeout: 5000,
  });
  return { ...createKeychain([source], createManualClock(0), (message) => warnings.push(message)), warnings };
}

async function helper(name: string, script: string): Promise<void> {
  await writeFile(join(folder, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, `docker-credential-${name}`), 0o755);
}

const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString('base64') });

test('auths, under each spelling of the host', async () => {
  const { find } = await keychain({
    auths: {
      'https://index.docker.io/v1/': auth('hub:p:w'),
      'a.example': auth('a:1'),
      'https://b.example/v1/': auth('b:2'),
      'c.example': { identitytoken: 'refresh' },
      'd.example': {},
    },
  });
  assert.deepEqual(await find('docker.io'), { kind: 'password', username: 'hub', password: 'p:w' });
  assert.deepEqual(await find('a.example'), { kind: 'password', username: 'a', password: '1' });
  assert.deepEqual(await find('b.example'), { kind: 'password', username: 'b', password: '2' });
  assert.deepEqual(await find('c.example'), { kind: 'identity', token: 'refresh' });
  assert.equal(await find('d.example'), undefined);
  assert.equal(await find('example'), undefined);
});

test('a helper is asked for its host, before anything else', async () => {
  await helper('good', 'read server; printf \'{"ServerURL":"%s","Username":"u","Secret":"for %s"}\' "$server" "$server"');
  await helper('token', 'echo \'{"Username":"<token>","Secret":"refresh"}\'');
  await helper('none', 'echo "credentials not found in native keychain"; exit 1');
  const { find, warnings } = await keychain({
    credHelpers: { 'a.example': 'good', 'b.example': 'token' },
    credsStore: 'none',
    auths: { 'a.example': auth('x:y'), 'c.example': auth('c:3') },
  });
  assert.deepEqual(await find('a.example'), { kind: 'password', username: 'u', password: 'for a.example' });
  assert.deepEqual(await find('b.example'), { kind: 'identity', token: 'refresh' });
  assert.deepEqual(await find('c.example'), { kind: 'password', username: 'c', password: '3' });
  assert.deepEqual(warnings, []);
});

test('a helper that is missing, fails or lies is warned of once, and never shows a secret', async () => {
  await helper('bad', 'echo "secret-word"; exit 3');
  await helper('odd', 'echo "secret-word"');
  const { find, warnings } = await keychain({
    credHelpers: { 'a.example': 'absent', 'b.example': 'bad', 'c.example': 'odd', 'd.example': '../../bin/sh' },
  });
  for (const host of ['a.example', 'a.example', 'b.example', 'c.example', 'd.example']) assert.equal(await find(host), undefined);
  assert.equal(warnings.length, 4);
  assert.match(warnings[0]!, /not installed/);
  assert.ok(warnings.every((warning) => !warning.includes('secret-word')));
});

test('a config that is no JSON is warned of and passed over', async () => {
  const { find, warnings } = await keychain('{"auths": ');
  assert.equal(await find('a.example'), undefined);
  assert.match(warnings[0]!, /is not the JSON/);
});
