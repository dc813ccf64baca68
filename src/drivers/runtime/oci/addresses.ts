/** Networks of IPv4 as numbers. Pure. */
export interface Subnet {
  /** Of the network itself. */
  base: number;
  prefix: number;
}

export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const parts = match?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', length = ''] = text.split('/');
  const base = parseIpv4(address);
  const prefix = /^\d{1,2}$/.test(length) ? Number(length) : Number.NaN;
  if (base === undefined || !(prefix <= 32)) return undefined;
  const size = 2 ** (32 - prefix);
  return { base: Math.floor(base / size) * size, prefix };
}

export function formatSubnet({ base, prefix }: Subnet): string {
  return `${formatIpv4(base)}/${prefix}`;
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  const size = 2 ** (32 - Math.min(a.prefix, b.prefix));
  return Math.floor(a.base / size) === Math.floor(b.base / size);
}

/** The gateway: the first address. */
export function gatewayOf({ base }: Subnet): string {
  return formatIpv4(base + 1);
}

/** The next free address behind `last`, round and round; never the gateway's or the broadcast's. `undefined`: all are taken. */
export function nextAddress({ base, prefix }: Subnet, taken: ReadonlySet<string>, last: number): number | undefined {
  const usable = 2 ** (32 - prefix) - 3;
  const from = last >= base + 2 && last < base + 2 + usable ? last - base - 2 + 1 : 0;
  for (let step = 0; step < usable; step++) {
    const address = base + 2 + ((from + step) % usable);
    if (!taken.has(formatIpv4(address))) return address;
  }
  return undefined;
}

/** As Docker makes them: locally administered, the address in its last four bytes. */
export function macOf(address: string): string {
  return ['02', '42', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');
}
