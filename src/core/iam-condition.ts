import { isInRange, readIpAddress, readIpRange } from './ip-range.ts';
import { isJsonObject, type Json } from './json.ts';
import { matchesGlob } from './wildcard.ts';

/** What a request says of itself to conditions; a key that is left out is missing, as IAM means it. */
export interface ConditionContext {
  principal: { arn: string; account: string; userName: string };
  /** An IP address, without a port. */
  sourceIp?: string;
  secureTransport?: boolean;
  region?: string;
  /** The tags of the resource (`aws:ResourceTag/…` and `ecr:ResourceTag/…`). */
  resourceTags?: ReadonlyMap<string, string>;
}

/** One line of a `Condition` block: true for a context, or not. */
export type Condition = (context: ConditionContext) => boolean;

type KeyType = 'string' | 'arn' | 'ip' | 'bool';
interface Key {
  type: KeyType;
  read(context: ConditionContext): string[];
}
interface Operator {
  /** The types of key that it makes sense for. */
  types: KeyType[];
  negated?: true;
  /** Turns a written value into a test; `undefined` when the value is not one that this operator takes. */
  test(written: string): ((value: string) => boolean) | undefined;
}

const KEYS: Record<string, Key> = {
  'aws:principalarn': { type: 'arn', read: ({ principal }) => [principal.arn] },
  'aws:principalaccount': { type: 'string', read: ({ principal }) => [principal.account] },
  'aws:username': { type: 'string', read: ({ principal }) => [principal.userName] },
  'aws:sourceip': { type: 'ip', read: ({ sourceIp }) => (sourceIp === undefined ? [] : [sourceIp]) },
  'aws:securetransport': {
    type: 'bool',
    read: ({ secureTransport }) => (secureTransport === undefined ? [] : [String(secureTransport)]),
  },
  'aws:requestedregion': { type: 'string', read: ({ region }) => (region === undefined ? [] : [region]) },
  // What AWS says of calls by its services, from organizations and through endpoints of networks. No call here is one of
  // these, so the keys are missing from every request, as they are at AWS from the requests of all others.
  ...Object.fromEntries(
    ['PrincipalOrgID', 'PrincipalOrgPaths', 'SourceAccount', 'SourceOrgID', 'SourceOrgPaths', 'SourceVpc', 'SourceVpce'].map(
      (name) => [`aws:${name.toLowerCase()}`, { type: 'string', read: () => [] }],
    ),
  ),
  'aws:sourcearn': { type: 'arn', read: () => [] },
};
const KEY_NAMES =
  'aws:PrincipalArn, aws:PrincipalAccount, aws:username, aws:SourceIp, aws:SecureTransport, aws:RequestedRegion, aws:ResourceTag/… and ecr:ResourceTag/…, and, never there in a request, aws:SourceArn, aws:SourceAccount, aws:SourceVpc, aws:SourceVpce and those of organizations';

const equals: Operator = { types: ['string', 'arn', 'ip', 'bool'], test: (written) => (value) => value === written };
const equalsIgnoreCase: Operator = {
  types: ['string', 'arn', 'ip', 'bool'],
  test: (written) => (value) => value.toLowerCase() === written.toLowerCase(),
};
const like: Operator = { types: ['string', 'arn', 'ip', 'bool'], test: (written) => (value) => matchesGlob(written, value) };
const arnLike: Operator = {
  types: ['arn'],
  test: (written) => (splitArn(written) === undefined ? undefined : (value) => matchesArn(written, value)),
};
const bool: Operator = {
  types: ['bool'],
  test: (written) => (/^(?:true|false)$/i.test(written) ? (value) => value === written.toLowerCase() : undefined),
};
const ipAddress: Operator = {
  types: ['ip'],
  test(written) {
    const range = readIpRange(written);
    if (range === undefined) return undefined;
    return (value) => {
      const address = readIpAddress(value);
      return address !== undefined && isInRange(address, range);
    };
  },
};

const OPERATORS = new Map<string, Operator>([
  ['StringEquals', equals],
  ['StringNotEquals', { ...equals, negated: true }],
  ['StringEqualsIgnoreCase', equalsIgnoreCase],
  ['StringNotEqualsIgnoreCase', { ...equalsIgnoreCase, negated: true }],
  ['StringLike', like],
  ['StringNotLike', { ...like, negated: true }],
  ['ArnEquals', arnLike],
  ['ArnLike', arnLike],
  ['ArnNotEquals', { ...arnLike, negated: true }],
  ['ArnNotLike', { ...arnLike, negated: true }],
  ['Bool', bool],
  ['IpAddress', ipAddress],
  ['NotIpAddress', { ...ipAddress, negated: true }],
]);

/**
 * Reads a `Condition` block. Whatever could not be enforced exactly is refused through `fail`, which is given where and
 * why: an unknown operator or key, an operator that does not fit the key, a value that the operator cannot read.
 */
export function readConditions(block: Json, fail: (where: string, why: string) => never): Condition[] {
  if (!isJsonObject(block)) return fail('', 'must be an object');
  const conditions: Condition[] = [];
  for (const [operator, keys] of Object.entries(block)) {
    if (!isJsonObject(keys)) return fail(`.${operator}`, 'must be an object');
    for (const [key, written] of Object.entries(keys)) {
      const where = `.${operator}["${key.slice(0, 100)}"]`;
      conditions.push(readCondition(operator, key, readValues(written, where, fail), (why) => fail(where, why)));
    }
  }
  return conditions;
}

function readCondition(written: string, keyName: string, values: string[], fail: (why: string) => never): Condition {
  const key = findKey(keyName) ?? fail(`the key "${keyName.slice(0, 100)}" is not supported; supported are ${KEY_NAMES}`);
  if (written === 'Null') {
    const tests = values.map((value) => bool.test(value) ?? fail('takes "true" or "false"'));
    return (context) => tests.some((matches) => matches(String(key.read(context).length === 0)));
  }
  const parts = /^(?:(ForAnyValue|ForAllValues):)?([A-Za-z]+?)(IfExists)?$/.exec(written);
  const [, set, name = '', ifExists] = parts ?? [];
  const operator =
    OPERATORS.get(name) ??
    fail(`the operator "${written.slice(0, 100)}" is not supported; supported are Null, ${[...OPERATORS.keys()].join(', ')}`);
  if (!operator.types.includes(key.type)) fail(`the operator ${name} does not fit the key ${keyName}`);
  const tests = values.map((value) => operator.test(value) ?? fail(`"${value.slice(0, 100)}" is not a value for ${name}`));
  const holds = operator.negated
    ? (value: string) => !tests.some((matches) => matches(value))
    : (value: string) => tests.some((matches) => matches(value));
  return (context) => {
    const given = key.read(context);
    if (given.length === 0) {
      // IAM's rules for a missing key: a negated test holds, ForAnyValue never does, ForAllValues and IfExists always do.
      if (ifExists || set === 'ForAllValues') return true;
      return set === undefined && operator.negated === true;
    }
    if (set === 'ForAnyValue') return given.some(holds);
    // Without a set operator a negated test must hold for every value, and a plain one for some value.
    return set === 'ForAllValues' || operator.negated ? given.every(holds) : given.some(holds);
  };
}

/** Names of keys are not case-sensitive, tag keys included. */
function findKey(name: string): Key | undefined {
  const lower = name.toLowerCase();
  const tag = /^(?:aws|ecr):resourcetag\/(.{1,128})$/su.exec(lower)?.[1];
  if (tag === undefined) return Object.hasOwn(KEYS, lower) ? KEYS[lower] : undefined;
  return {
    type: 'string',
    read: ({ resourceTags }) => [...(resourceTags ?? [])].filter(([key]) => key.toLowerCase() === tag).map(([, value]) => value),
  };
}

function readValues(written: Json, where: string, fail: (where: string, why: string) => never): string[] {
  const list = Array.isArray(written) ? written : [written];
  if (list.length === 0) return fail(where, 'has no value');
  return list.map((value) => {
    if (typeof value !== 'string' && typeof value !== 'boolean' && typeof value !== 'number')
      return fail(where, 'must be a string or a list of strings');
    const text = String(value);
    if (text.includes('${')) return fail(where, 'uses a policy variable, which is not supported');
    return text;
  });
}

/** Six parts, the last of which may have colons. */
function splitArn(text: string): string[] | undefined {
  const parts = text.split(':');
  if (parts.length < 6 || parts[0] !== 'arn') return undefined;
  return [...parts.slice(0, 5), parts.slice(5).join(':')];
}

/** Part by part, so that a `*` in one part never swallows the next. */
function matchesArn(pattern: string, arn: string): boolean {
  const wanted = splitArn(pattern);
  const given = splitArn(arn);
  return wanted !== undefined && given !== undefined && wanted.every((part, index) => matchesGlob(part, given[index] ?? ''));
}
