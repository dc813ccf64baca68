import { isJsonObject, JsonError, parseJson } from '../core/json.ts';
import type { Place } from '../core/place.ts';
import type { OrchestratorContext } from './context.ts';
import { secretNames } from './pull-logins.ts';
import type { ContainerDefinition } from './task-definition-rows.ts';

/** Where a container's secret comes from: names in the server's own store, the likeliest first, and a member of what is there. */
interface SecretSource {
  names: string[];
  jsonKey?: string;
}

const MANAGER = /^(arn:[a-z-]+:secretsmanager:[^:]*:[^:]*:secret:[^:]+)(?::([^:]*):([^:]*):([^:]*))?$/;
const PARAMETER = /^arn:[a-z-]+:ssm:[a-z0-9-]*:[0-9]*:parameter\/([A-Za-z0-9/_.-]{1,1011})$/;
const CURRENT = 'AWSCURRENT';

/**
 * Reads `valueFrom`: a Secrets Manager ARN, which may go on with `:json-key:version-stage:version-id`, the ARN of a
 * parameter, or a name. Region and account do not count. Or says, for people, why it is none of these. Pure.
 */
export function parseSecretSource(valueFrom: string): SecretSource | { failure: string } {
  const parameter = PARAMETER.exec(valueFrom)?.[1];
  // A name with a slash in it begins with one, which its ARN leaves out.
  if (parameter !== undefined) return { names: parameter.includes('/') ? [`/${parameter}`, parameter] : [parameter] };
  const [, arn = valueFrom, jsonKey = '', stage = '', version = ''] = MANAGER.exec(valueFrom) ?? [];
  if (version !== '' || (stage !== '' && stage !== CURRENT))
    return {
      failure: `a secret has one version here, its current one: leave ${version === '' ? stage : version} out of '${shown(valueFrom)}'.`,
    };
  const names = secretNames(arn);
  if (names.length === 0)
    return { failure: `'${shown(valueFrom)}' is neither a secret's name nor an ARN of Secrets Manager or Parameter Store.` };
  return { names, ...(jsonKey === '' ? {} : { jsonKey }) };
}

/**
 * The values of a container's `secrets`, as they are now; or why one cannot be had, for people. The reason never holds a
 * part of a value.
 */
export async function readContainerSecrets(
  { readSecret }: Pick<OrchestratorContext, 'readSecret'>,
  place: Place,
  secrets: NonNullable<ContainerDefinition['secrets']>,
): Promise<{ values: Record<string, string> } | { failure: string }> {
  const values: Record<string, string> = {};
  for (const { name, valueFrom } of secrets) {
    const source = parseSecretSource(valueFrom);
    if ('failure' in source) return { failure: `secret ${name}: ${source.failure}` };
    let value: string | undefined;
    let found = '';
    for (const candidate of source.names) {
      if (value === undefined) value = await readSecret?.(place, (found = candidate));
    }
    const advice = `Set it with: holdfast secret set ${found}`;
    if (value === undefined) return { failure: `secret ${name}: there is no secret '${found}' in ${place.region}. ${advice}` };
    if (source.jsonKey !== undefined) value = memberOf(value, source.jsonKey);
    if (value === undefined)
      return {
        failure: `secret ${name}: the secret '${found}' is no JSON object with a member '${shown(source.jsonKey ?? '')}'. ${advice}`,
      };
    values[name] = value;
  }
  return { values };
}

/** A text as it is; anything else in JSON. */
function memberOf(text: string, key: string): string | undefined {
  try {
    const json = parseJson(text);
    const member = isJsonObject(json) && Object.hasOwn(json, key) ? json[key] : undefined;
    return member === undefined || typeof member === 'string' ? member : JSON.stringify(member);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

function shown(text: string): string {
  return text.slice(0, 200);
}
