import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault, type FaultFacts, type FaultKind } from '../core/fault.ts';
import { parsePolicy } from '../core/iam-policy.ts';
import { signRequest } from '../core/sigv4.ts';
import type { NewAccessKey } from './keys.ts';
import type { SignedRequest } from './verify-signature.ts';
import { ACCOUNT, openAccess, START } from './test-world.ts';

const ECR = new Set(['ecr']);
const HOUR = 60 * 60 * 1000;

async function refused<K extends FaultKind>(work: Promise<unknown> | (() => unknown), kind: K): Promise<FaultFacts[K]> {
  const error: unknown = await (typeof work === 'function' ? Promise.resolve().then(work) : work).then(
    () => assert.fail(`not refused with ${kind}`),
    (reason: unknown) => reason,
  );
  if (!isFault(error, kind)) throw error;
  return error.facts as FaultFacts[K];
}

function signed(key: { accessKeyId: string; secretAccessKey: string }, now = START): SignedRequest {
  const request = {
    method: 'POST',
    target: '/',
    headers: [['Host', 'localhost:4600']] as [string, string][],
    body: Buffer.from('{}'),
  };
  return { ...request, headers: signRequest({ ...request, now, region: 'us-east-1', service: 'ecr', ...key }) };
}

test('a new key has the form of AWS’s, and signs', async (t) => {
  const { access } = await openAccess(t);
  const key = await access.keys.create({ allow: ['pull:team/*'], userName: 'ci' });
  assert.match(key.accessKeyId, /^AKIA[A-Z2-7]{16}$/);
  assert.match(key.secretAccessKey, /^[A-Za-z0-9+/]{40}$/);
  assert.equal(key.arn, `arn:aws:iam::${ACCOUNT}:user/ci`);
  const verified = await access.authenticateSignature(signed(key), ECR);
  assert.equal(verified.principal.arn, key.arn);
  assert.equal(verified.principal.accessKeyId, key.accessKeyId);
  assert.equal(verified.region, 'us-east-1');
});

test('a user is named after the key when nobody names it', async (t) => {
  const { access } = await openAccess(t);
  const key = await access.keys.create({ allow: ['full'] });
  assert.equal(key.userName, `key-${key.accessKeyId.slice(-8).toLowerCase()}`);
});

test('names and allowances that are not any are refused', async (t) => {
  const { access } = await openAccess(t);
  for (const userName of ['', 'a b', 'a/b', 'a:b', 'x'.repeat(65)])
    await refused(access.keys.create({ allow: ['full'], userName }), 'parameter-invalid');
  await refused(access.keys.create({ allow: ['everything'] }), 'parameter-invalid');
  assert.deepEqual(await access.keys.list({ limit: 10 }), { items: [] });
});

test('keys are listed oldest first, in pages, without their secrets', async (t) => {
  const { access, clock } = await openAccess(t);
  const made: NewAccessKey[] = [];
  for (let index = 0; index < 5; index++) {
    made.push(await access.keys.create({ allow: ['full'], userName: `user-${index}` }));
    if (index % 2 === 1) clock.advance(1000);
  }
  const seen: string[] = [];
  let next: string | undefined;
  do {
    const page = await access.keys.list({ limit: 2, ...(next === undefined ? {} : { next }) });
    assert.ok(page.items.length <= 2);
    for (const item of page.items) assert.ok(!('secret' in item) && !('secretAccessKey' in item));
    seen.push(...page.items.map((item) => item.accessKeyId));
    next = page.next;
  } while (next !== undefined);
  const order = [...made].sort((a, b) => a.createdAt - b.createdAt || (a.accessKeyId < b.accessKeyId ? -1 : 1));
  assert.deepEqual(
    seen,
    order.map((key) => key.accessKeyId),
  );
  await refused(access.keys.list({ limit: 2, next: 'x' }), 'parameter-invalid');
});

test('a revoked key and all that was made with it is refused at once', async (t) => {
  const { access } = await openAccess(t);
  const key = await access.keys.create({ allow: ['full'], userName: 'ci' });
  const { principal } = await access.authenticateSignature(signed(key), ECR);
  const token = await access.issueToken(principal);
  await access.verifyToken(token.password);
  await access.authenticateBasic(key.accessKeyId, key.secretAccessKey);
  assert.equal((await access.keys.revoke(key.accessKeyId)).revokedAt, START);
  await refused(access.authenticateSignature(signed(key), ECR), 'key-unknown');
  await refused(access.verifyToken(token.password), 'unauthenticated');
  await refused(access.authenticateBasic('AWS', token.password), 'unauthenticated');
  await refused(access.authenticateBasic(key.accessKeyId, key.secretAccessKey), 'unauthenticated');
  await refused(access.issueToken(principal), 'key-unknown');
  assert.equal((await access.keys.list({ limit: 10 })).items[0]?.revokedAt, START);
  await refused(access.keys.revoke('AKIANOBODY'), 'access-key-unknown');
});

test('a lookup that began before a revocation is not remembered after it', async (t) => {
  const { access, another, meta } = await openAccess(t);
  const key = await access.keys.create({ allow: ['full'] });
  const answered = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  // The database has answered, and the answer is still on its way.
  const slow = meta.read.withPlugin({
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      answered.resolve();
      await released.promise;
      return result;
    },
  });
  const room = another({ meta: { ...meta, read: slow } });
  const early = room.keys.find(key.accessKeyId);
  await answered.promise;
  await room.keys.revoke(key.accessKeyId);
  released.resolve();
  assert.equal((await early)?.secret, key.secretAccessKey);
  assert.equal(room.keys.peek(key.accessKeyId), undefined);
  assert.equal(await room.keys.find(key.accessKeyId), undefined);
});

test('another server on the same database sees a revocation within five seconds', async (t) => {
  const { access, another, clock } = await openAccess(t);
  const other = another();
  const key = await access.keys.create({ allow: ['full'] });
  const { principal } = await other.authenticateSignature(signed(key), ECR);
  const token = await other.issueToken(principal);
  await access.verifyToken(token.password);
  await access.keys.revoke(key.accessKeyId);
  clock.advance(5000);
  await refused(other.verifyToken(token.password), 'unauthenticated');
  await refused(other.authenticateSignature(signed(key, clock.now()), ECR), 'key-unknown');
});

test('keys belong to their account', async (t) => {
  const { access, another } = await openAccess(t);
  const key = await access.keys.create({ allow: ['full'] });
  const other = another({ account: '210987654321' });
  await refused(other.authenticateSignature(signed(key), ECR), 'key-unknown');
  await refused(other.keys.revoke(key.accessKeyId), 'access-key-unknown');
  assert.deepEqual(await other.keys.list({ limit: 10 }), { items: [] });
});

test('when a key was last used is kept, without a write for each request', async (t) => {
  const { access, another, clock } = await openAccess(t);
  const key = await access.keys.create({ allow: ['full'] });
  const lastUsed = async (room = access) => (await room.keys.list({ limit: 1 })).items[0]?.lastUsedAt;
  assert.equal(await lastUsed(), undefined);
  clock.advance(1000);
  await access.authenticateBasic(key.accessKeyId, key.secretAccessKey);
  assert.equal(await lastUsed(), START + 1000);
  assert.equal(await lastUsed(another()), undefined);
  await access.keys.flushUse();
  assert.equal(await lastUsed(another()), START + 1000);
  await refused(access.authenticateBasic(key.accessKeyId, 'wrong'), 'unauthenticated');
  await access.keys.flushUse();
  assert.equal(await lastUsed(another()), START + 1000);
});

test('a token: user AWS, twelve hours, no colon, safe in a shell and a URL', async (t) => {
  const { access, another, clock } = await openAccess(t);
  const { principal } = await access.authenticateSignature(
    signed(await access.keys.create({ allow: ['full'], userName: 'ci' })),
    ECR,
  );
  clock.advance(1);
  const token = await access.issueToken(principal);
  assert.match(token.password, /^[A-Za-z0-9][A-Za-z0-9_-]+$/);
  assert.equal(token.expiresAt, START + 12 * HOUR);
  for (const room of [access, another()]) {
    for (let round = 0; round < 2; round++) assert.deepEqual(await room.authenticateBasic('AWS', token.password), principal);
  }
  clock.set(START + 12 * HOUR - 1);
  await access.verifyToken(token.password);
  clock.set(START + 12 * HOUR);
  await refused(access.verifyToken(token.password), 'token-expired');
  await refused(access.verifyToken(token.password), 'token-expired');
  await refused(another().verifyToken(token.password), 'token-expired');
});

test('a token with any bit changed, any byte more or less, or another spelling is not one', async (t) => {
  const { access } = await openAccess(t);
  const { principal } = await access.authenticateSignature(signed(await access.keys.create({ allow: ['full'] })), ECR);
  const { password } = await access.issueToken(principal);
  const bytes = Buffer.from(password, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    await refused(access.verifyToken(changed.toString('base64url')), 'unauthenticated');
  }
  for (const other of [
    '',
    'x',
    password.slice(1),
    password.slice(0, -1),
    `${password}A`,
    `${password}=`,
    ` ${password}`,
    `${password}\n`,
    password.replace(/^./, '-'),
    bytes.subarray(0, 32).toString('base64url'),
    bytes.subarray(-32).toString('base64url'),
    'A'.repeat(5000),
  ]) {
    await refused(access.verifyToken(other), 'unauthenticated');
  }
});

test('there is no algorithm to choose: JSON web tokens of every kind are not tokens', async (t) => {
  const { access } = await openAccess(t);
  const key = await access.keys.create({ allow: ['full'] });
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = part({ sub: key.accessKeyId, aud: 'ecr', exp: 99_999_999_999 });
  for (const header of [
    { alg: 'none' },
    { alg: 'HS256' },
    { alg: 'RS256', jwk: {} },
    { alg: 'HS256', kid: '../../dev/null' },
    { alg: 'RS256', x5u: 'http://evil' },
  ]) {
    for (const signature of ['', 'AA', 'A'.repeat(43)])
      await refused(access.verifyToken(`${part(header)}.${claims}.${signature}`), 'unauthenticated');
  }
});

test('what is sealed for one purpose opens nothing else, nor on another database', async (t) => {
  const { access } = await openAccess(t);
  const elsewhere = await openAccess(t);
  const { principal } = await access.authenticateSignature(signed(await access.keys.create({ allow: ['full'] })), ECR);
  const { password } = await access.issueToken(principal);
  await refused(elsewhere.access.verifyToken(password), 'unauthenticated');
  await refused(access.downloads.verify(password, 'GET'), 'download-grant-invalid');
  const grant = {
    account: ACCOUNT,
    region: 'us-east-1',
    repository: 'team/app',
    digest: `sha256:${'a'.repeat(64)}`,
    expiresAt: START + HOUR,
  };
  const link = await access.downloads.sign(grant as never);
  await refused(access.verifyToken(link), 'unauthenticated');
  await refused(elsewhere.access.downloads.verify(link, 'GET'), 'download-grant-invalid');
});

test('basic credentials: a key and its secret, whole', async (t) => {
  const { access } = await openAccess(t);
  const key = await access.keys.create({ allow: ['full'], userName: 'ci' });
  assert.equal((await access.authenticateBasic(key.accessKeyId, key.secretAccessKey)).userName, 'ci');
  for (const [user, password] of [
    [key.accessKeyId, ''],
    [key.accessKeyId, key.secretAccessKey.slice(1)],
    [key.accessKeyId, `${key.secretAccessKey}\0`],
    [key.accessKeyId, `${key.secretAccessKey}${'x'.repeat(1000)}`],
    [key.accessKeyId.toLowerCase(), key.secretAccessKey],
    ['AWS', key.secretAccessKey],
    ['aws', key.secretAccessKey],
    ['', ''],
    ['nobody', ''],
    ['x'.repeat(10_000), 'x'],
  ] as const) {
    await refused(access.authenticateBasic(user, password), 'unauthenticated');
  }
});

test('a download grant: one blob, GET, an hour', async (t) => {
  const { access, another, clock } = await openAccess(t);
  const grant = {
    account: ACCOUNT,
    region: 'us-east-1',
    repository: 'team/app' as never,
    digest: `sha256:${'a'.repeat(64)}` as never,
    expiresAt: START + HOUR,
  };
  const token = await access.downloads.sign(grant);
  assert.match(token, /^[A-Za-z0-9_-]+$/);
  assert.deepEqual(await another().downloads.verify(token, 'GET'), grant);
  for (const method of ['HEAD', 'PUT', 'get', ''])
    await refused(access.downloads.verify(token, method), 'download-grant-invalid');
  const bytes = Buffer.from(token, 'base64url');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await refused(access.downloads.verify(changed.toString('base64url'), 'GET'), 'download-grant-invalid');
  }
  await assert.rejects(access.downloads.sign({ ...grant, expiresAt: START + HOUR + 1 }), RangeError);
  clock.set(START + HOUR - 1);
  await access.downloads.verify(token, 'GET');
  clock.set(START + HOUR);
  await refused(access.downloads.verify(token, 'GET'), 'download-grant-invalid');
  clock.set(START - 1);
  await refused(access.downloads.verify(token, 'GET'), 'download-grant-invalid');
});

test('the first key is made once, and is the same at every start', async (t) => {
  const { access, another } = await openAccess(t);
  const first = await access.ensureFirstKey({});
  assert.ok(first?.changed);
  assert.deepEqual(await another().ensureFirstKey({}), { ...first, changed: false });
  const { principal } = await access.authenticateSignature(signed(first), ECR);
  assert.equal(principal.arn, `arn:aws:iam::${ACCOUNT}:user/admin`);
  access.authorize({ principal, action: 'ecr:DeleteRepository', resourceArn: '*' });
  await access.keys.revoke(first.accessKeyId);
  assert.equal(await another().ensureFirstKey({}), undefined);
});

test('a key that the operator brings replaces the first one', async (t) => {
  const { access, another } = await openAccess(t);
  const made = await access.ensureFirstKey({});
  assert.ok(made);
  await access.authenticateSignature(signed(made), ECR);
  const given = { accessKeyId: 'operator', secretAccessKey: 'first-secret' };
  assert.deepEqual(await access.ensureFirstKey(given), { ...given, changed: true });
  assert.deepEqual(await another().ensureFirstKey(given), { ...given, changed: false });
  assert.deepEqual(await another().ensureFirstKey({}), { ...given, changed: false });
  await refused(access.authenticateSignature(signed(made), ECR), 'key-unknown');
  const { principal } = await access.authenticateSignature(signed(given), ECR);
  assert.equal(principal.userName, 'admin');
  const token = await access.issueToken(principal);

  const rotated = { ...given, secretAccessKey: 'second-secret' };
  assert.deepEqual(await access.ensureFirstKey(rotated), { ...rotated, changed: true });
  await access.authenticateSignature(signed(rotated), ECR);
  await refused(access.authenticateSignature(signed(given), ECR), 'signature-invalid');
  await refused(access.verifyToken(token.password), 'unauthenticated');

  await access.keys.revoke(given.accessKeyId);
  assert.deepEqual(await access.ensureFirstKey(rotated), { ...rotated, changed: true });
  await access.authenticateSignature(signed(rotated), ECR);
});

test('half a key, or one that is none, is refused', async (t) => {
  const { access } = await openAccess(t);
  for (const given of [
    { accessKeyId: 'operator' },
    { secretAccessKey: 'secret' },
    { accessKeyId: 'AWS', secretAccessKey: 'secret' },
    { accessKeyId: 'a:b:c', secretAccessKey: 'secret' },
    { accessKeyId: 'a/b/c', secretAccessKey: 'secret' },
    { accessKeyId: 'operator', secretAccessKey: '' },
    { accessKeyId: 'operator', secretAccessKey: 'with space' },
    { accessKeyId: 'operator', secretAccessKey: 'x'.repeat(129) },
  ]) {
    await refused(access.ensureFirstKey(given), 'parameter-invalid');
  }
});

test('authorisation says who may not do what to what, and whose deny it was', async (t) => {
  const { access } = await openAccess(t);
  const key = await access.keys.create({ allow: ['pull:team/*'], userName: 'ci' });
  const principal = await access.authenticateBasic(key.accessKeyId, key.secretAccessKey);
  const resourceArn = `arn:aws:ecr:us-east-1:${ACCOUNT}:repository/team/app`;
  const push = { principal, action: 'ecr:PutImage', resourceArn };
  const policy = (Effect: string, Action: string) =>
    access.readResourcePolicy(JSON.stringify({ Statement: { Effect, Principal: { AWS: principal.arn }, Action } }));

  access.authorize({ ...push, action: 'ecr:BatchGetImage' });
  assert.deepEqual(await refused(() => access.authorize(push), 'access-denied'), {
    principal: principal.arn,
    action: 'ecr:PutImage',
    resource: resourceArn,
    explicit: false,
  });
  assert.equal(access.isAllowed(push), false);
  access.authorize({ ...push, resourcePolicies: [policy('Allow', 'ecr:PutImage')] });
  const denied = { ...push, action: 'ecr:BatchGetImage', resourcePolicies: [policy('Deny', 'ecr:Batch*')] };
  assert.deepEqual(await refused(() => access.authorize(denied), 'access-denied'), {
    principal: principal.arn,
    action: 'ecr:BatchGetImage',
    resource: resourceArn,
    explicit: true,
    deniedBy: 'resource',
  });
  const strict = {
    ...principal,
    policies: [parsePolicy('{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}', 'identity')],
  };
  assert.equal((await refused(() => access.authorize({ ...push, principal: strict }), 'access-denied')).deniedBy, 'identity');
  await refused(() => access.readResourcePolicy('{}'), 'policy-invalid');
});

test('no fault carries a secret', async (t) => {
  const { access } = await openAccess(t);
  const key = await access.keys.create({ allow: ['pull:a'] });
  const principal = await access.authenticateBasic(key.accessKeyId, key.secretAccessKey);
  const { password } = await access.issueToken(principal);
  const request = signed({ ...key, secretAccessKey: `${key.secretAccessKey}x` });
  const attempts: Promise<unknown>[] = [
    access.authenticateBasic('AWS', `${password}x`),
    access.authenticateBasic(key.accessKeyId, `${key.secretAccessKey}x`),
    access.authenticateSignature(request, ECR),
    access.ensureFirstKey({ accessKeyId: 'operator', secretAccessKey: `${key.secretAccessKey} x` }),
    access.downloads.verify(password, 'GET'),
  ];
  for (const attempt of attempts) {
    await assert.rejects(attempt, (error: Error) => {
      assert.ok(!String(error.stack).includes(key.secretAccessKey) && !String(error.stack).includes(password), error.message);
      return true;
    });
  }
});
