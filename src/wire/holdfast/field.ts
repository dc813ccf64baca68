import { isDigest, type Digest } from '../../core/digest.ts';
import { Fault } from '../../core/fault.ts';
import type { Json } from '../../core/json.ts';
import { isRepositoryName, type RepositoryName } from '../../core/repository-name.ts';
import { isTag, type Tag } from '../../core/tag.ts';
import { parseTime } from './time.ts';

/** One member of an operation's input: how it is read, and what the documentation says of it. */
export interface Field<T> {
  /** What it holds, for people: `string`, `time`, `list of strings`. */
  type: string;
  help: string;
  optional: boolean;
  /** What text in a path or a query stands for; JSON bodies bring their own types. */
  fromText(text: string): Json;
  /** Raises `parameter-invalid`. */
  parse(value: Json, name: string): T;
}

export type Fields = Record<string, Field<unknown>>;
export type InputOf<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

const asText = (text: string): Json => text;

function refuse(member: string, constraint: string): never {
  throw new Fault('parameter-invalid', { member, constraint });
}

/** The same member, which may be left out. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return { ...field, optional: true };
}

export function textField(help: string, { max = 512 }: { max?: number } = {}): Field<string> {
  return {
    type: 'string',
    help,
    optional: false,
    fromText: asText,
    parse(value, name) {
      if (typeof value !== 'string') refuse(name, 'Must be a string');
      if (value === '' || value.length > max) refuse(name, `Must have 1 to ${max} characters`);
      return value;
    },
  };
}

function namedField<T extends string>(type: string, help: string, is: (text: string) => text is T, rule: string): Field<T> {
  return {
    type,
    help,
    optional: false,
    fromText: asText,
    parse(value, name) {
      if (typeof value !== 'string' || !is(value)) refuse(name, rule);
      return value;
    },
  };
}

export const repositoryField: Field<RepositoryName> = namedField(
  'string',
  "the repository's name",
  isRepositoryName,
  'Must be a repository name: 2 to 256 lower-case letters and digits, joined by ".", "_", "-" and "/"',
);
export const tagField: Field<Tag> = namedField(
  'string',
  'the tag',
  isTag,
  'Must be a tag: up to 128 letters, digits, "_", "." and "-"',
);
export const digestField: Field<Digest> = namedField(
  'string',
  "the image's digest",
  isDigest,
  'Must be sha256: and 64, or sha512: and 128 lower-case hexadecimal digits',
);

export function timeField(help: string): Field<number> {
  return {
    type: 'time',
    help,
    optional: false,
    fromText: asText,
    parse(value, name) {
      const time = typeof value === 'string' ? parseTime(value) : undefined;
      return time ?? refuse(name, 'Must be a time as 2026-03-01T14:05:09Z, or a day as 2026-03-01');
    },
  };
}

export function countField(help: string, min: number, max: number): Field<number> {
  return {
    type: 'integer',
    help,
    optional: false,
    fromText: (text) => (/^[0-9]{1,15}$/.test(text) ? Number(text) : text),
    parse(value, name) {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max)
        refuse(name, `Must be a whole number from ${min} to ${max}`);
      return value;
    },
  };
}

export function flagField(help: string): Field<boolean> {
  return {
    type: 'boolean',
    help,
    optional: false,
    fromText: (text) => (text === 'true' || text === 'false' ? text === 'true' : text),
    parse(value, name) {
      if (typeof value !== 'boolean') refuse(name, 'Must be true or false');
      return value;
    },
  };
}

export function textsField(help: string, most: number): Field<string[]> {
  const each = textField('');
  return {
    type: 'list of strings',
    help,
    optional: false,
    fromText: (text) => text.split(','),
    parse(value, name) {
      if (!Array.isArray(value) || value.length === 0 || value.length > most)
        refuse(name, `Must be a list of 1 to ${most} strings`);
      return value.map((entry, index) => each.parse(entry, `${name}[${index}]`));
    },
  };
}

/** The two members of every list. */
export const pageFields = {
  limit: optional(countField('how many at most (default 100)', 1, 1000)),
  next: optional(textField('what the page before gave as `next`', { max: 4096 })),
};

export function readPage({ limit, next }: { limit: number | undefined; next: string | undefined }): {
  limit: number;
  next?: string;
} {
  return { limit: limit ?? 100, ...(next === undefined ? {} : { next }) };
}
