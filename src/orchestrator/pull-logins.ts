import { isJsonObject, parseJson, JsonError } from '../core/json.ts';
import type { Place } from '../core/place.ts';
import type { OrchestratorContext, PullLogin } from './context.ts';

/** AWS adds a hyphen and six characters to a secret's name in its ARN; they may be left out. */
const ARN = /^arn:[a-z-]+:secretsmanager:[a-z0-9-]*:[0-9]*:secret:([A-Za-z0-9/_+=.@-]{1,519})$/;
const NAME = /^[A-Za-z0-9/_+=.@-]{1,512}$/;
const SUFFIX = /-[A-Za-z0-9]{6}$/;

/**
 * The names that `credentialsParameter` may mean, the likeliest first: a name, or a Secrets Manager ARN, whose region and
 * account do not count. Empty for anything else. Pure.
 */
export function secretNames(parameter: string): string[] {
  const inArn = ARN.exec(parameter)?.[1];
  if (inArn !== undefined) return [...new Set([inArn, inArn.replace(SUFFIX, '')])].filter((name) => NAME.test(name));
  return NAME.test(parameter) ? [parameter] : [];
}

/**
 * What a container's `repositoryCredentials` log in with: a secret `{"username", "password"}` (ECS, "Using non-AWS
 * container images"); or why there is none, for people. The reason never holds a part of the value.
 */
export async function readPullLogin(
  { readSecret }: Pick<OrchestratorContext, 'readSecret'>,
  place: Place,
  parameter: string,
): Promise<{ login: PullLogin } | { failure: string }> {
  const names = secretNames(parameter);
  if (names.length === 0)
    return { failure: `credentialsParameter '${parameter.slice(0, 200)}' is neither a secret's name nor a Secrets Manager ARN.` };
  for (const name of names) {
    const value = await readSecret?.(place, name);
    if (value === undefined) continue;
    const login = parseLogin(value);
    if (login !== undefined) return { login };
    return { failure: `the secret '${name}' is not of the form {"username":"…","password":"…"}. ${advise(name)}` };
  }
  const name = names.at(-1) ?? parameter;
  return { failure: `there is no secret '${name}' in ${place.region}. ${advise(name)}` };
}

function advise(name: string): string {
  return `Set it with: holdfast secret set ${name}`;
}

function parseLogin(value: string): PullLogin | undefined {
  try {
    const json = parseJson(Buffer.from(value), 4);
    const { username, password } = isJsonObject(json) ? json : {};
    const isLogin = typeof username === 'string' && typeof password === 'string' && username !== '' && password !== '';
    return isLogin ? { username, password } : undefined;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}
