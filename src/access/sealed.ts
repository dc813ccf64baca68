import { createHmac, timingSafeEqual } from 'node:crypto';

const VERSION = 1;
const MAC_BYTES = 32;
const MAX_TEXT = 2048;

/**
 * Text that only this server can have made: a version, the payload, and an HMAC-SHA256 over both and the purpose, in
 * base64url. There is no header to choose an algorithm, a key or an address: everything but the payload is fixed here.
 * It has no `:` and nothing that a URL or a shell would change, and never starts with `-`.
 */
export function seal(secret: Buffer, purpose: string, payload: Uint8Array): string {
  const body = Buffer.concat([Buffer.of(VERSION), payload]);
  return Buffer.concat([body, mac(secret, purpose, body)]).toString('base64url');
}

/** The payload, or `undefined` for text that was not sealed with this secret for this purpose. */
export function unseal(secret: Buffer, purpose: string, text: string): Buffer | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  // Decoding skips what it does not know; only the one spelling that `seal` gives is taken.
  if (bytes.length <= MAC_BYTES || bytes[0] !== VERSION || bytes.toString('base64url') !== text) return undefined;
  const body = bytes.subarray(0, -MAC_BYTES);
  return timingSafeEqual(bytes.subarray(-MAC_BYTES), mac(secret, purpose, body)) ? body.subarray(1) : undefined;
}

function mac(secret: Buffer, purpose: string, body: Buffer): Buffer {
  return createHmac('sha256', secret).update(`holdfast ${purpose}\n`).update(body).digest();
}
