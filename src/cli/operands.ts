import { isDigest, parseDigest, type Digest } from '../core/digest.ts';
import { parseRepositoryName, type RepositoryName } from '../core/repository-name.ts';
import { parseTag, type Tag } from '../core/tag.ts';
import { CommandFailure, UsageError } from './command.ts';
import { printable } from './format.ts';

/**
 * The operands by their names; a name with a question mark may be missing. Raises UsageError, with what is missing or
 * too much.
 */
export function nameOperands<const Names extends readonly string[]>(
  operands: string[],
  names: Names,
): { [K in keyof Names]: Names[K] extends `${string}?` ? string | undefined : string } {
  const missing = names.find((name, index) => !name.endsWith('?') && (operands[index] ?? '') === '');
  if (missing !== undefined) throw new UsageError(`${missing} is missing.`);
  const surplus = operands[names.length];
  if (surplus !== undefined) throw new UsageError(`"${printable(surplus.slice(0, 100))}" is one word too many.`);
  return names.map((_, index) => operands[index]) as {
    [K in keyof Names]: Names[K] extends `${string}?` ? string | undefined : string;
  };
}

export interface ImageName {
  repository: RepositoryName;
  tag?: Tag;
  digest?: Digest;
}

/**
 * `REPOSITORY[:TAG][@DIGEST]`, with the server's own host before it or not. Raises `repository-name-invalid`,
 * `tag-name-invalid`, `digest-invalid`, and UsageError for another registry's host.
 */
export function parseImageName(text: string, registryHost: string): ImageName {
  const bare = text.startsWith(`${registryHost}/`) ? text.slice(registryHost.length + 1) : text;
  const first = bare.split('/')[0] ?? '';
  if (bare.includes('/') && (/[.:]/.test(first) || first === 'localhost') && !/^[a-z0-9._-]+$/.test(first)) {
    throw new UsageError(`"${printable(first.slice(0, 100))}" is another registry; this command works on ${registryHost}.`);
  }
  const at = bare.indexOf('@');
  const digest = at < 0 ? undefined : parseDigest(bare.slice(at + 1));
  const named = at < 0 ? bare : bare.slice(0, at);
  const colon = named.lastIndexOf(':');
  const tag = colon > named.lastIndexOf('/') ? parseTag(named.slice(colon + 1)) : undefined;
  return {
    repository: parseRepositoryName(tag === undefined ? named : named.slice(0, colon)),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** A repository and nothing behind it. */
export function parseRepository(text: string, registryHost: string): RepositoryName {
  const { repository, tag, digest } = parseImageName(text, registryHost);
  if (tag !== undefined || digest !== undefined) throw new UsageError('Name the repository alone, without a tag or a digest.');
  return repository;
}

const SHORTEST = 6;

/**
 * The digest that a person means by a whole one or by its first characters, with the algorithm or without; tables print
 * such. `candidates` are asked for only when they are needed. Raises CommandFailure unless exactly one of them begins so.
 */
export async function completeDigest(text: string, candidates: () => Promise<Digest[]>): Promise<Digest> {
  if (isDigest(text)) return text;
  const [, algorithm = '', hex = ''] = /^(sha256:|sha512:)?([0-9a-f]+)$/.exec(text) ?? [];
  if (hex.length < SHORTEST)
    throw new UsageError(
      `"${printable(text.slice(0, 100))}" is not a digest, nor the first ${SHORTEST} characters or more of one.`,
    );
  const found = [
    ...new Set(
      (await candidates()).filter((digest) =>
        algorithm === '' ? digest.slice(digest.indexOf(':') + 1).startsWith(hex) : digest.startsWith(text),
      ),
    ),
  ];
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new CommandFailure(
    found.length === 0 ? `No digest here begins with ${text}.` : `${found.length} digests begin with ${text}; write more of it.`,
    { kind: 'digest-unknown' },
  );
}

/** A whole number from 1 to `most`. Raises UsageError. */
export function countOption(value: unknown, name: string, fallback: number, most: number): number {
  if (value === undefined) return fallback;
  const count = typeof value === 'string' && /^[0-9]{1,9}$/.test(value) ? Number(value) : 0;
  if (count < 1 || count > most) throw new UsageError(`--${name} wants a whole number from 1 to ${most}.`);
  return count;
}

/** An option that was given, or undefined. */
export function textOption(options: Record<string, unknown>, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}
