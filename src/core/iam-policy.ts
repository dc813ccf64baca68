import { Fault } from './fault.ts';
import { readConditions, type Condition, type ConditionContext } from './iam-condition.ts';
import { isJsonObject, JsonError, parseJson, type Json, type JsonObject } from './json.ts';
import { matchesGlob } from './wildcard.ts';

/**
 * IAM policy documents (IAM User Guide, "IAM JSON policy reference" and "Policy evaluation logic"), for one account.
 * An `identity` policy belongs to a caller and names resources; a `resource` policy belongs to one resource and names
 * principals.
 */
export type PolicyKind = 'identity' | 'resource';

export interface Policy {
  readonly kind: PolicyKind;
  readonly statements: readonly Statement[];
}

export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  /** Only in a resource policy. */
  readonly principals?: { readonly negated: boolean; readonly list: readonly PrincipalPattern[] };
  /** Lower case. */
  readonly actions: { readonly negated: boolean; readonly list: readonly string[] };
  /** Absent in a resource policy that means its own resource. */
  readonly resources?: { readonly negated: boolean; readonly list: readonly string[] };
  readonly conditions: readonly Condition[];
}

export type PrincipalPattern =
  | { readonly type: 'everyone' }
  | { readonly type: 'account'; readonly account: string }
  | { readonly type: 'arn'; readonly arn: string }
  /** An AWS service; none of them calls here, so it is nobody. */
  | { readonly type: 'service' };

export interface PolicyQuestion {
  identity: readonly Policy[];
  /** The policies of the resource asked for. */
  resource: readonly Policy[];
  principal: ConditionContext['principal'];
  /** `ecr:PutImage`. */
  action: string;
  /** `*` for an action that has no resource. */
  resourceArn: string;
  context: Omit<ConditionContext, 'principal'>;
}

export type PolicyDecision = 'allowed' | 'denied-explicitly' | 'denied';

export const MAX_POLICY_LENGTH = 10_240;
const ELEMENTS = ['Sid', 'Effect', 'Principal', 'NotPrincipal', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];

/** An explicit deny wins; otherwise one policy that allows is enough, the caller's or the resource's. */
export function evaluatePolicies(question: PolicyQuestion): PolicyDecision {
  const action = question.action.toLowerCase();
  const context: ConditionContext = { ...question.context, principal: question.principal };
  let allowed = false;
  for (const policy of [...question.identity, ...question.resource]) {
    for (const statement of policy.statements) {
      if (!applies(statement, action, question.resourceArn, context)) continue;
      if (statement.effect === 'Deny') return 'denied-explicitly';
      allowed = true;
    }
  }
  return allowed ? 'allowed' : 'denied';
}

function applies(statement: Statement, action: string, resourceArn: string, context: ConditionContext): boolean {
  const { actions, resources, principals, effect, conditions } = statement;
  if (actions.list.some((pattern) => matchesGlob(pattern, action)) === actions.negated) return false;
  if (resources !== undefined && resources.list.some((pattern) => matchesGlob(pattern, resourceArn)) === resources.negated)
    return false;
  if (principals !== undefined) {
    // Allowing an account lets that account's own policies decide, which is where this question comes from already;
    // it is no grant to each of its users (IAM User Guide, "AWS account principals"). Denying one denies all of them.
    const accountCounts = effect === 'Deny' || principals.negated;
    const named = principals.list.some((pattern) => matchesPrincipal(pattern, context.principal, accountCounts));
    if (named === principals.negated) return false;
  }
  return conditions.every((holds) => holds(context));
}

function matchesPrincipal(pattern: PrincipalPattern, principal: ConditionContext['principal'], accountCounts: boolean): boolean {
  if (pattern.type === 'everyone') return true;
  if (pattern.type === 'account') return accountCounts && pattern.account === principal.account;
  return pattern.type === 'arn' && pattern.arn === principal.arn;
}

/**
 * Reads a policy document. Raises `policy-invalid`, naming the element, for one that is malformed, longer than 10,240
 * characters, or asks for something that could not be enforced here exactly as written.
 */
export function parsePolicy(text: string, kind: PolicyKind): Policy {
  if (text.length > MAX_POLICY_LENGTH) fail('the document', `is longer than ${MAX_POLICY_LENGTH} characters`);
  const document = parseDocument(text);
  for (const element of Object.keys(document)) {
    if (!['Version', 'Id', 'Statement'].includes(element)) fail(`"${element.slice(0, 100)}"`, 'is not an element of a policy');
  }
  const { Version: version, Id: id } = document;
  if (version !== undefined && version !== '2012-10-17' && version !== '2008-10-17')
    fail('Version', 'must be "2012-10-17" or "2008-10-17"');
  if (id !== undefined && typeof id !== 'string') fail('Id', 'must be a string');
  const written = document.Statement;
  const list = Array.isArray(written) ? written : written === undefined ? [] : [written];
  if (list.length === 0) fail('Statement', 'must have at least one statement');
  return { kind, statements: list.map((statement, index) => parseStatement(statement, kind, `Statement[${index}]`)) };
}

function parseDocument(text: string): JsonObject {
  let value: Json;
  try {
    value = parseJson(text, 16);
  } catch (error) {
    if (error instanceof JsonError) fail('the document', `cannot be read: ${error.message}`);
    throw error;
  }
  if (!isJsonObject(value)) fail('the document', 'must be a JSON object');
  return value;
}

function parseStatement(value: Json, kind: PolicyKind, where: string): Statement {
  if (!isJsonObject(value)) fail(where, 'must be an object');
  for (const element of Object.keys(value)) {
    if (!ELEMENTS.includes(element)) fail(`${where}."${element.slice(0, 100)}"`, 'is not an element of a statement');
  }
  const { Sid: sid, Effect: effect, Condition: condition } = value;
  if (sid !== undefined && typeof sid !== 'string') fail(`${where}.Sid`, 'must be a string');
  if (effect !== 'Allow' && effect !== 'Deny') fail(`${where}.Effect`, 'must be "Allow" or "Deny"');
  const principal = pick(value, 'Principal', 'NotPrincipal', where);
  if (kind === 'resource' && principal === undefined) fail(where, 'needs a Principal or a NotPrincipal');
  if (kind === 'identity' && principal !== undefined) fail(where, 'is in the policy of a caller and cannot name principals');
  const action = pick(value, 'Action', 'NotAction', where) ?? fail(where, 'needs an Action or a NotAction');
  const resource = pick(value, 'Resource', 'NotResource', where);
  if (kind === 'identity' && resource === undefined) fail(where, 'needs a Resource or a NotResource');
  return {
    effect,
    actions: {
      negated: action.negated,
      list: readStrings(action.value, action.where).map((text) => readAction(text, action.where)),
    },
    conditions:
      condition === undefined ? [] : readConditions(condition, (inside, why) => fail(`${where}.Condition${inside}`, why)),
    ...(principal === undefined
      ? {}
      : { principals: { negated: principal.negated, list: readPrincipals(principal.value, principal.where) } }),
    ...(resource === undefined
      ? {}
      : {
          resources: {
            negated: resource.negated,
            list: readStrings(resource.value, resource.where).map((text) => readResource(text, resource.where)),
          },
        }),
  };
}

/** The element or its negation, not both. */
function pick(
  statement: JsonObject,
  plain: string,
  negated: string,
  where: string,
): { value: Json; negated: boolean; where: string } | undefined {
  const [yes, no] = [statement[plain], statement[negated]];
  if (yes !== undefined && no !== undefined) fail(where, `has both ${plain} and ${negated}`);
  if (yes !== undefined) return { value: yes, negated: false, where: `${where}.${plain}` };
  return no === undefined ? undefined : { value: no, negated: true, where: `${where}.${negated}` };
}

function readStrings(value: Json, where: string): string[] {
  const list = Array.isArray(value) ? value : [value];
  if (list.length === 0) fail(where, 'is empty');
  return list.map((text) =>
    typeof text === 'string' && text !== '' ? text : fail(where, 'must be a string or a list of strings'),
  );
}

function readAction(text: string, where: string): string {
  if (text !== '*' && !/^[A-Za-z0-9-]{1,64}:[A-Za-z0-9*?]{1,128}$/.test(text))
    fail(where, `"${text.slice(0, 100)}" is not an action such as "ecr:PutImage" or "ecr:*"`);
  return text.toLowerCase();
}

function readResource(text: string, where: string): string {
  if (text.includes('${')) fail(where, 'uses a policy variable, which is not supported');
  if (text !== '*' && text.split(':').length < 6) fail(where, `"${text.slice(0, 100)}" is neither "*" nor an ARN`);
  return text;
}

function readPrincipals(value: Json, where: string): PrincipalPattern[] {
  if (value === '*') return [{ type: 'everyone' }];
  if (!isJsonObject(value)) fail(where, 'must be "*" or an object such as { "AWS": "…" }');
  const patterns: PrincipalPattern[] = [];
  for (const [type, written] of Object.entries(value)) {
    const texts = readStrings(written, `${where}.${type.slice(0, 100)}`);
    if (type === 'AWS') patterns.push(...texts.map((text) => readPrincipal(text, where)));
    else if (type === 'Service') patterns.push({ type: 'service' });
    else fail(where, `"${type.slice(0, 100)}" is not supported; supported are AWS and Service`);
  }
  if (patterns.length === 0) fail(where, 'is empty');
  return patterns;
}

function readPrincipal(text: string, where: string): PrincipalPattern {
  if (text === '*') return { type: 'everyone' };
  if (/^\d{12}$/.test(text)) return { type: 'account', account: text };
  const [, account = '', name] =
    /^arn:aws[a-z-]*:(?:iam|sts)::(\d{12}):(root|(?:user|role|assumed-role|federated-user)\/[\w+=,.@/-]{1,512})$/.exec(text) ??
    [];
  if (name === undefined)
    fail(
      where,
      `"${text.slice(0, 200)}" is not "*", an account of 12 digits, or the ARN of a root, user or role (without wildcards)`,
    );
  return name === 'root' ? { type: 'account', account } : { type: 'arn', arn: text };
}

function fail(where: string, why: string): never {
  throw new Fault('policy-invalid', { reason: `${where} ${why}` });
}
