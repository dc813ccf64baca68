/** Addresses as bytes: 4 for IPv4, 16 for IPv6. An IPv4 address written as `::ffff:1.2.3.4` is the IPv4 address. */
export interface IpRange {
  network: Uint8Array;
  prefix: number;
}

/** `undefined` for text that is not an address; a zone (`%eth0`) is not part of one. */
export function readIpAddress(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined;
  return text.includes(':') ? readIpv6(text) : readIpv4(text);
}

/** `10.0.0.0/8`, `2001:db8::/32`, or one address. `undefined` for anything else, host bits that are set included. */
export function readIpRange(text: string): IpRange | undefined {
  const [address = '', prefixText, ...rest] = text.split('/');
  const network = readIpAddress(address);
  if (network === undefined || rest.length > 0) return undefined;
  const bits = network.length * 8;
  if (prefixText === undefined) return { network, prefix: bits };
  if (!/^\d{1,3}$/.test(prefixText)) return undefined;
  // A prefix on `::ffff:10.0.0.0/104` counts from the start of the IPv6 form.
  const prefix = Number(prefixText) - (network.length === 4 && address.includes(':') ? 96 : 0);
  if (prefix < 0 || prefix > bits) return undefined;
  const range = { network, prefix };
  return isInRange(network, range) && hostBitsAreZero(range) ? range : undefined;
}

export function isInRange(address: Uint8Array, range: IpRange): boolean {
  if (address.length !== range.network.length) return false;
  const whole = range.prefix >> 3;
  for (let at = 0; at < whole; at++) if (address[at] !== range.network[at]) return false;
  const mask = 0xff & (0xff00 >> (range.prefix & 7));
  return mask === 0 || ((address[whole] ?? 0) & mask) === ((range.network[whole] ?? 0) & mask);
}

function hostBitsAreZero({ network, prefix }: IpRange): boolean {
  return network.every((byte, at) => {
    const kept = Math.min(8, Math.max(0, prefix - at * 8));
    return (byte & (0xff >> kept)) === 0;
  });
}

function readIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  // A leading zero means octal to some readers and decimal to others.
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function readIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => readGroups(half, index === halves.length - 1));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...(tail ?? [])];
  const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return isMapped ? bytes.slice(12) : bytes;
}

/** Groups of 16 bits; the last two may be written as an IPv4 address. */
function readGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (isEnd && index === parts.length - 1 && part.includes('.')) {
      const v4 = readIpv4(part);
      if (v4 === undefined) return undefined;
      groups.push(((v4[0] ?? 0) << 8) | (v4[1] ?? 0), ((v4[2] ?? 0) << 8) | (v4[3] ?? 0));
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups.length <= 8 ? groups : undefined;
}
