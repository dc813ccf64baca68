import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayReceiveCredentials } from './endpoint.ts';

test('a login goes to its origin, a parent domain, a known pair or a listed one', () => {
  const may = (registry: string, realm: string, listed: [string, string][] = []): boolean =>
    mayReceiveCredentials(new URL(registry), new URL(realm), new Map(listed));
  assert.equal(may('https://ghcr.io/', 'https://ghcr.io/token'), true);
  assert.equal(may('https://registry.gitlab.com/', 'https://gitlab.com/jwt/auth'), true);
  assert.equal(may('https://registry-1.docker.io/', 'https://auth.docker.io/token'), true);
  assert.equal(may('https://r.example.com/', 'https://auth.example.com/t', [['r.example.com', 'auth.example.com']]), true);
  assert.equal(may('https://r.example.com/', 'https://auth.example.com/t'), false);
  assert.equal(may('https://r.example.com/', 'http://r.example.com/t'), false);
  assert.equal(may('https://r.example.com/', 'https://r.example.com:8443/t'), false);
  assert.equal(may('https://r.example.com/', 'https://com/t'), false);
  assert.equal(may('https://evilgitlab.com/', 'https://gitlab.com/t'), false);
  assert.equal(may('http://localhost:5000/', 'http://localhost:5001/t'), false);
});
