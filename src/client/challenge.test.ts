import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from './challenge.ts';

test('reads what registries send', () => {
  const cases: [string, [string, Record<string, string>][]][] = [
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
      [['bearer', { realm: 'https://auth.docker.io/token', service: 'registry.docker.io' }]],
    ],
    [
      'Bearer realm="https://x/t",scope="repository:a/b:pull,push",error="invalid_token", Basic realm="y"',
      [
        ['bearer', { realm: 'https://x/t', scope: 'repository:a/b:pull,push', error: 'invalid_token' }],
        ['basic', { realm: 'y' }],
      ],
    ],
    [
      'Basic realm="https://1.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com"',
      [['basic', { realm: 'https://1.dkr.ecr.us-east-1.amazonaws.com/', service: 'ecr.amazonaws.com' }]],
    ],
    ['BEARER Realm = "a\\"b" , service=plain', [['bearer', { realm: 'a"b', service: 'plain' }]]],
    [
      'Negotiate, Basic realm=x',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    ['Bearer realm="first",realm="second"', [['bearer', { realm: 'first' }]]],
    ['Bearer realm="open', [['bearer', {}]]],
    ['', []],
    ['=;;;', []],
  ];
  for (const [header, expected] of cases) {
    assert.deepEqual(
      parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]),
      expected,
      header,
    );
  }
});
