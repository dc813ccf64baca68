import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16);
linkLocal.addSubnet('fe80::', 10, 'ipv6');
// The metadata service of a cloud machine, where it has its own address.
linkLocal.addAddress('fd00:ec2::254', 'ipv6');
linkLocal.addAddress('100.100.100.200');

const inner = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  inner.addSubnet(network, bits);
}
for (const [network, bits] of [
  ['::', 128],
  ['fc00::', 7],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  inner.addSubnet(network, bits, 'ipv6');
}
// Ranges that carry an IPv4 address inside: NAT64 and 6to4 could lead back into a private network.
const carriers = new BlockList();
carriers.addSubnet('64:ff9b::', 96, 'ipv6');
carriers.addSubnet('2002::', 16, 'ipv6');

export type AddressClass = 'public' | 'private' | 'loopback' | 'link-local';

/** Which network an IP address (without brackets) belongs to; IPv4 mapped into IPv6 counts as the IPv4 address. */
export function classifyAddress(address: string): AddressClass {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? unmapHex(address);
  const plain = (mapped ?? address).replace(/%.*$/, '');
  const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
  if (loopback.check(plain, family)) return 'loopback';
  if (linkLocal.check(plain, family)) return 'link-local';
  if (inner.check(plain, family) || (family === 'ipv6' && carriers.check(plain, family))) return 'private';
  return 'public';
}

function unmapHex(address: string): string | undefined {
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address);
  if (!match) return undefined;
  const high = parseInt(match[1]!, 16);
  const low = parseInt(match[2]!, 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** `host` of a URL or a reference, without port and brackets, in lower case. */
export function hostnameOf(host: string): string {
  const bare = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d+$/, '');
  return bare.toLowerCase().replace(/\.$/, '');
}

/** True for names and addresses that never leave this machine. */
export function isLoopbackHost(host: string): boolean {
  const name = hostnameOf(host);
  return name === 'localhost' || name.endsWith('.localhost') || (isIP(name) !== 0 && classifyAddress(name) === 'loopback');
}

const INNER_SUFFIXES = ['localhost', 'local', 'internal', 'lan', 'home', 'corp', 'intranet', 'private', 'home.arpa', 'test'];

/**
 * True when the host as written can only be a private one: a private address, a name without a dot, or a name below a
 * suffix that the public DNS does not serve. Whoever writes such a host has named a private address.
 */
export function namesPrivateAddress(host: string): boolean {
  const name = hostnameOf(host);
  if (isIP(name) !== 0) return classifyAddress(name) !== 'public';
  return !name.includes('.') || INNER_SUFFIXES.some((suffix) => name.endsWith(`.${suffix}`));
}
