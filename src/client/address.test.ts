import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyAddress, isLoopbackHost, namesPrivateAddress } from './address.ts';

test('addresses know their network', () => {
  const cases: Record<string, string[]> = {
    loopback: ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1'],
    'link-local': ['169.254.169.254', 'fe80::1%eth0', 'fd00:ec2::254', '::ffff:169.254.169.254', '::ffff:a9fe:a9fe'],
    private: [
      '10.0.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
      'fc00::1',
      '::',
      '64:ff9b::a00:1',
      '2002:a00:1::',
    ],
    public: ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:8.8.8.8'],
  };
  for (const [expected, addresses] of Object.entries(cases)) {
    for (const address of addresses) assert.equal(classifyAddress(address), expected, address);
  }
});

test('a host that can only be private names a private address', () => {
  for (const host of [
    'localhost:5000',
    '127.0.0.1',
    '[::1]:5000',
    '10.1.2.3:443',
    'registry:5000',
    'registry.local',
    'cache.corp.internal:5000',
  ]) {
    assert.equal(namesPrivateAddress(host), true, host);
  }
  for (const host of ['ghcr.io', '8.8.8.8', 'registry.example.com:5000', 'local.example.com', 'docker.io']) {
    assert.equal(namesPrivateAddress(host), false, host);
  }
});

test('loopback is a name or an address, not a prefix', () => {
  for (const host of ['localhost', 'LOCALHOST:1', 'a.localhost', '127.1.1.1:80', '[::1]'])
    assert.equal(isLoopbackHost(host), true, host);
  for (const host of ['localhost.example.com', '127.0.0.1.example.com', 'xlocalhost', '10.0.0.1'])
    assert.equal(isLoopbackHost(host), false, host);
});
