import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import { isInRange, readIpAddress, readIpRange } from './ip-range.ts';

test('addresses are read as Node reads them', () => {
  const texts = [
    '1.2.3.4',
    '255.255.255.255',
    '256.1.1.1',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '::',
    '::1',
    '1::',
    '1::2::3',
    ':::',
    '2001:db8::1',
    '2001:DB8:0:0:0:0:0:1',
    '1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::',
    '::2:3:4:5:6:7:8',
    '1::2:3:4:5:6:7:8',
    '::ffff:1.2.3.4',
    '::1.2.3.4',
    '1:2:3:4:5:6:1.2.3.4',
    '1.2.3.4::',
    '12345::',
    'g::',
    '::ffff:1.2.3',
    ':1',
    '1:',
  ];
  for (const text of texts) assert.equal(readIpAddress(text) !== undefined, isIP(text) !== 0, text);
});

test('an IPv4 address in IPv6 clothes is the IPv4 address', () => {
  assert.deepEqual(readIpAddress('::ffff:10.1.2.3'), readIpAddress('10.1.2.3'));
  assert.deepEqual(readIpAddress('::FFFF:a01:203'), readIpAddress('10.1.2.3'));
  assert.deepEqual(readIpRange('::ffff:10.0.0.0/104'), readIpRange('10.0.0.0/8'));
});

test('ranges', () => {
  const cases: [range: string, address: string, inside: boolean][] = [
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['10.0.0.0/9', '10.128.0.0', false],
    ['10.0.0.4/30', '10.0.0.7', true],
    ['10.0.0.4/30', '10.0.0.8', false],
    ['10.0.0.4', '10.0.0.4', true],
    ['10.0.0.4', '10.0.0.5', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '::1', true],
    ['2001:db8::/33', '2001:db8:7fff::', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['::1/128', '::1', true],
  ];
  for (const [text, address, inside] of cases) {
    const range = readIpRange(text);
    const bytes = readIpAddress(address);
    assert.ok(range && bytes);
    assert.equal(isInRange(bytes, range), inside, `${address} in ${text}`);
  }
});

test('what is not a range', () => {
  for (const text of [
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.1/8',
    '::/129',
    '::ffff:10.0.0.0/90',
    'any',
    '10.0.0.0/ 8',
  ]) {
    assert.equal(readIpRange(text), undefined, text);
  }
});
