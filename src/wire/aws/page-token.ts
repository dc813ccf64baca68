import { createHash } from 'node:crypto';
import { Fault } from '../../core/fault.ts';

/**
 * Makes an opaque `nextToken` of what a list needs to go on. `scope` names the list (operation and filters): a token is
 * good for that one only. Tokens hold no secret and give no right, so they are marked but not signed.
 */
export function encodePageToken(scope: string, position: readonly string[]): string {
  const text = JSON.stringify(position);
  return Buffer.from(`${mark(scope, text)}${text}`).toString('base64url');
}

/** Raises `parameter-invalid` for a token that this server did not give for this list. */
export function decodePageToken(scope: string, token: string): string[] {
  const text = Buffer.from(token, 'base64url').toString();
  const position = text.slice(MARK_LENGTH);
  if (token.length > 8192 || mark(scope, position) !== text.slice(0, MARK_LENGTH)) {
    throw new Fault('parameter-invalid', { member: 'nextToken', constraint: 'The token is not one that this list gave' });
  }
  return JSON.parse(position) as string[];
}

const MARK_LENGTH = 12;

function mark(scope: string, text: string): string {
  return createHash('sha256').update(`${scope}\n${text}`).digest('hex').slice(0, MARK_LENGTH);
}
