import { Fault } from '../core/fault.ts';
import type { IdSource } from '../core/ids.ts';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** `AKIA` and 16 characters of base32: 80 bits. */
export function makeAccessKeyId(ids: IdSource): string {
  // 32 letters divide 256 evenly, so each is as likely as the other.
  return `AKIA${Array.from(ids.bytes(16), (byte) => BASE32[byte % 32]).join('')}`;
}

/** 40 characters, as AWS's are: 240 bits. */
export function makeSecret(ids: IdSource): string {
  return Buffer.from(ids.bytes(30)).toString('base64');
}

/** A key that the operator brings. Raises `parameter-invalid`. */
export function parseAccessKeyId(text: string): string {
  if (!/^\w{4,128}$/.test(text)) invalid('accessKeyId', 'must be 4 to 128 letters, digits and "_"');
  return text;
}

export function parseSecret(text: string): string {
  if (!/^[!-~]{4,128}$/.test(text)) invalid('secretAccessKey', 'must be 4 to 128 printable ASCII characters without a space');
  return text;
}

/** IAM's user names. Raises `parameter-invalid`. */
export function parseUserName(text: string): string {
  if (!/^[\w+=,.@-]{1,64}$/.test(text)) invalid('userName', 'must be 1 to 64 letters, digits and any of _ + = , . @ -');
  return text;
}

function invalid(member: string, constraint: string): never {
  throw new Fault('parameter-invalid', { member, constraint });
}
