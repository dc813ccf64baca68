import { Fault } from '../core/fault.ts';
import { isJsonObject, JsonError, parseJson, type Json, type JsonObject } from '../core/json.ts';
import {
  POLICY_LIMITS,
  type CountType,
  type LifecyclePolicy,
  type LifecycleRule,
  type PolicyExtension,
  type RuleAction,
} from './policy.ts';

/**
 * Reads a policy's text. Raises `parameter-invalid` with ECR's own words where they are known (observed in the logs of
 * Terraform and of other tools), and with a sentence of the same form where they are not. The length is the wire's affair,
 * since it is checked before the text is read.
 */
export function parseLifecyclePolicy(text: string): LifecyclePolicy {
  const document = readDocument(text);
  const extension = document.holdfast === undefined ? undefined : readExtension(document.holdfast);
  requireKeys(document, ['rules']);
  onlyKeys(document, ['rules', ...(extension ? ['holdfast'] : [])]);
  const { rules } = document;
  if (!Array.isArray(rules))
    fail(`instance type (${typeName(rules)}) does not match any allowed primitive type (allowed: ["array"])`);
  if (rules.length === 0) fail('array is too short: must have at least 1 elements but instance has 0 elements');
  if (rules.length > POLICY_LIMITS.rules)
    fail(`array is too long: must have at most ${POLICY_LIMITS.rules} elements but instance has ${rules.length} elements`);
  const parsed = rules.map((rule) => readRule(rule, extension !== undefined)).sort((a, b) => a.priority - b.priority);
  checkTogether(parsed);
  return { rules: parsed, ...(extension ? { extension } : {}) };
}

function readDocument(text: string): JsonObject {
  let value: Json;
  try {
    value = parseJson(text, 16);
  } catch (error) {
    if (error instanceof JsonError) fail('Could not map policyString into LifecyclePolicy.');
    throw error;
  }
  if (!isJsonObject(value)) fail('Could not map policyString into LifecyclePolicy.');
  return value;
}

function readExtension(value: Json): PolicyExtension {
  if (!isJsonObject(value) || value.version !== 1)
    fail('"holdfast" must be {"version": 1}, which allows keep rules, sinceImagePulled with expire, and tagMatch');
  onlyKeys(value, ['version', 'confirmAbovePercent']);
  const { confirmAbovePercent: share } = value;
  if (share !== undefined && (typeof share !== 'number' || !(share > 0 && share <= 100)))
    fail('"holdfast.confirmAbovePercent" must be a number above 0, at most 100');
  return { version: 1, ...(share === undefined ? {} : { confirmAbovePercent: share }) };
}

function readRule(value: Json, extended: boolean): LifecycleRule {
  if (!isJsonObject(value))
    fail(`instance type (${typeName(value)}) does not match any allowed primitive type (allowed: ["object"])`);
  requireKeys(value, ['action', 'rulePriority', 'selection']);
  onlyKeys(value, ['rulePriority', 'description', 'selection', 'action']);
  const priority = wholeNumber(value.rulePriority);
  const { description } = value;
  if (description !== undefined && typeof description !== 'string')
    fail(`instance type (${typeName(description)}) does not match any allowed primitive type (allowed: ["string"])`);
  const action = readAction(value.action, extended);
  return {
    priority,
    ...(description === undefined ? {} : { description }),
    action,
    ...readSelection(value.selection, action, extended),
  };
}

const NO_VARIANT = 'instance failed to match exactly one schema (matched 0 out of 2)';

function readAction(value: Json | undefined, extended: boolean): RuleAction {
  if (!isJsonObject(value))
    fail(`instance type (${typeName(value)}) does not match any allowed primitive type (allowed: ["object"])`);
  requireKeys(value, ['type']);
  onlyKeys(value, ['type', 'targetStorageClass']);
  const allowed = ['expire', ...(extended ? ['keep'] : []), 'transition'];
  const type = oneOf(value.type, allowed) as RuleAction;
  // Present with the wrong action, missing with the right one, or null: no variant of the schema fits.
  if ((type === 'transition') !== (value.targetStorageClass === 'archive')) fail(NO_VARIANT);
  if (type !== 'transition' && value.targetStorageClass !== undefined) fail(NO_VARIANT);
  return type;
}

type Selection = Omit<LifecycleRule, 'priority' | 'description' | 'action'>;

function readSelection(value: Json | undefined, action: RuleAction, extended: boolean): Selection {
  if (!isJsonObject(value))
    fail(`instance type (${typeName(value)}) does not match any allowed primitive type (allowed: ["object"])`);
  requireKeys(value, action === 'keep' ? ['tagStatus'] : ['countNumber', 'countType', 'tagStatus']);
  onlyKeys(value, [
    'tagStatus',
    'tagPatternList',
    'tagPrefixList',
    ...(extended ? ['tagMatch'] : []),
    'storageClass',
    'countType',
    'countUnit',
    'countNumber',
  ]);
  const tagStatus = oneOf(value.tagStatus, ['any', 'tagged', 'untagged']) as LifecycleRule['tagStatus'];
  const list = readList(value, tagStatus);
  const storageClass =
    value.storageClass === undefined
      ? 'standard'
      : (oneOf(value.storageClass, ['archive', 'standard']) as LifecycleRule['storageClass']);
  const tagMatch = value.tagMatch === undefined ? 'all' : (oneOf(value.tagMatch, ['all', 'any']) as LifecycleRule['tagMatch']);
  return { tagStatus, ...list, tagMatch, storageClass, ...readCount(value, action, storageClass, extended) };
}

function readList(value: JsonObject, tagStatus: LifecycleRule['tagStatus']): Pick<LifecycleRule, 'patterns' | 'listMember'> {
  const { tagPatternList, tagPrefixList } = value;
  if (tagPatternList === null || tagPrefixList === null) fail(NO_VARIANT);
  if (tagStatus !== 'tagged') {
    if (tagPatternList !== undefined || tagPrefixList !== undefined) {
      fail(`Cannot specify tagPrefixList or tagPatternList when tagStatus=${tagStatus.toUpperCase()}.`);
    }
    return { patterns: [] };
  }
  if (tagPatternList !== undefined && tagPrefixList !== undefined)
    fail('Cannot specify both tagPrefixList and tagPatternList in one rule.');
  const listMember = tagPatternList !== undefined ? 'tagPatternList' : 'tagPrefixList';
  const written = tagPatternList ?? tagPrefixList;
  if (written === undefined || (Array.isArray(written) && written.length === 0))
    fail('Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.');
  if (!Array.isArray(written))
    fail(`instance type (${typeName(written)}) does not match any allowed primitive type (allowed: ["array"])`);
  const entries = written.map((entry) => {
    if (typeof entry !== 'string')
      fail(`instance type (${typeName(entry)}) does not match any allowed primitive type (allowed: ["string"])`);
    if (entry === '' || entry.length > 300) fail(`"${listMember}" entries must have 1 to 300 characters`);
    return entry;
  });
  if (listMember === 'tagPatternList') {
    const rich = entries.find((entry) => entry.split('*').length - 1 > POLICY_LIMITS.wildcards);
    if (rich !== undefined) fail(`A tag pattern can have at most ${POLICY_LIMITS.wildcards} wildcards (*): "${rich}".`);
    return { patterns: entries, listMember };
  }
  const starred = entries.find((entry) => entry.includes('*'));
  if (starred !== undefined) fail(`A tag prefix cannot have a wildcard (*): "${starred}". Use tagPatternList instead.`);
  return { patterns: entries.map((entry) => `${entry}*`), listMember };
}

function readCount(
  value: JsonObject,
  action: RuleAction,
  storageClass: string,
  extended: boolean,
): Pick<LifecycleRule, 'countType' | 'countNumber'> {
  if (action === 'keep') {
    if (value.countType !== undefined || value.countNumber !== undefined || value.countUnit !== undefined)
      fail('A keep rule keeps all that it selects: it has no countType, countNumber or countUnit.');
    return {};
  }
  const types = ['imageCountMoreThan', 'sinceImagePulled', 'sinceImagePushed', 'sinceImageTransitioned'];
  if (typeof value.countType !== 'string' || !types.includes(value.countType)) fail(NO_VARIANT);
  const countType = value.countType as CountType;
  // The unit belongs to the three that count days, and to them alone.
  if (value.countUnit !== (countType === 'imageCountMoreThan' ? undefined : 'days')) fail(NO_VARIANT);
  const countNumber = wholeNumber(value.countNumber);
  if (countType === 'sinceImagePulled' && action === 'expire' && !extended) {
    fail(
      'countType sinceImagePulled can only be used with the transition action. To expire by the last pull, add "holdfast": {"version": 1} to the policy.',
    );
  }
  if ((countType === 'sinceImageTransitioned') !== (storageClass === 'archive')) {
    fail('countType sinceImageTransitioned requires storageClass archive, and the others require storageClass standard.');
  }
  if (countType === 'sinceImageTransitioned') {
    if (action !== 'expire') fail('countType sinceImageTransitioned can only be used with the expire action.');
    if (countNumber < POLICY_LIMITS.archiveDays)
      fail(`numeric instance is lower than the required minimum (minimum: ${POLICY_LIMITS.archiveDays}, found: ${countNumber})`);
  }
  return { countType, countNumber };
}

/** Rules that only make sense, or only make sense once, beside the others. */
function checkTogether(rules: LifecycleRule[]): void {
  const lists = new Set<string>();
  for (const [index, rule] of rules.entries()) {
    if (rules[index + 1]?.priority === rule.priority)
      fail(`Rule priorities must be unique: ${rule.priority} is used more than once.`);
    if (rule.tagStatus === 'tagged' && rule.action !== 'keep') {
      const key = JSON.stringify([rule.storageClass, rule.tagMatch, [...rule.patterns].sort()]);
      if (lists.has(key))
        fail(
          `Tag lists must be unique per storage class: the list of the rule with priority ${rule.priority} is used more than once.`,
        );
      lists.add(key);
    }
  }
  for (const storageClass of ['standard', 'archive']) {
    const acting = rules.filter((rule) => rule.storageClass === storageClass && rule.action !== 'keep');
    if (acting.filter((rule) => rule.tagStatus === 'untagged').length > 1)
      fail('Only one rule can select Untagged images per storage class.');
    if (acting.slice(0, -1).some((rule) => rule.tagStatus === 'any'))
      fail('Rule for tagStatus=ANY must have the lowest priority per storage class');
  }
}

function onlyKeys(value: JsonObject, allowed: string[]): void {
  const extra = Object.keys(value)
    .filter((key) => !allowed.includes(key))
    .sort();
  if (extra.length > 0)
    fail(
      `object instance has properties which are not allowed by the schema: (${JSON.stringify(extra.map((key) => key.slice(0, 100)))})`,
    );
}

function requireKeys(value: JsonObject, required: string[]): void {
  const missing = required.filter((key) => value[key] === undefined);
  if (missing.length > 0) fail(`object has missing required properties (${JSON.stringify(missing)})`);
}

function oneOf(value: Json | undefined, allowed: string[]): string {
  if (typeof value !== 'string')
    fail(`instance type (${typeName(value)}) does not match any allowed primitive type (allowed: ["string"])`);
  if (!allowed.includes(value))
    fail(
      `instance value (${JSON.stringify(value.slice(0, 100))}) not found in enum :(possible values: ${JSON.stringify(allowed)})`,
    );
  return value;
}

/** At least 1; at most what a day count can mean. */
function wholeNumber(value: Json | undefined): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    fail(`instance type (${typeName(value)}) does not match any allowed primitive type (allowed: ["integer"])`);
  if (value < 1) fail(`numeric instance is lower than the required minimum (minimum: 1, found: ${value})`);
  if (value > 2_147_483_647) fail(`numeric instance is greater than the required maximum (maximum: 2147483647, found: ${value})`);
  return value;
}

function typeName(value: Json | undefined): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function fail(detail: string): never {
  throw new Fault('parameter-invalid', {
    member: 'LifecyclePolicyText',
    constraint: `Lifecycle policy validation failure: ${detail}`,
  });
}
