import { Fault } from '../../core/fault.ts';
import { holdOperations } from './holds.ts';
import { imageOperations } from './images.ts';
import { keyOperations } from './keys.ts';
import { lifecycleOperations } from './lifecycle.ts';
import type { ApiOperation, Method } from './operation.ts';
import { secretOperations } from './secrets.ts';
import { tagOperations } from './tags.ts';
import { taskOperations } from './tasks.ts';
import { upkeepOperations } from './upkeep.ts';

export const ROOT = '/holdfast/v1';

/** Every operation of our own API; docs/api.md is written from it. */
export const apiOperations: ApiOperation[] = [
  ...holdOperations,
  ...tagOperations,
  ...imageOperations,
  ...lifecycleOperations,
  ...taskOperations,
  ...keyOperations,
  ...secretOperations,
  ...upkeepOperations,
];

export interface Match {
  operation: ApiOperation;
  /** What stands in the path for `{…}`, decoded. */
  parameters: Record<string, string>;
}

/** The operation of a request. `{ allowed }` when only other methods are answered there; raises `operation-unknown`. */
export function matchOperation(method: string, path: string): Match | { allowed: Method[] } {
  const allowed: Method[] = [];
  for (const operation of apiOperations) {
    const parameters = matchPath(`${ROOT}${operation.path}`, path);
    if (parameters === undefined) continue;
    if (operation.method === method) return { operation, parameters };
    allowed.push(operation.method);
  }
  if (allowed.length > 0) return { allowed };
  throw new Fault('operation-unknown', { operation: `${method} ${path.slice(0, 200)}` });
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const segment = given[index] ?? '';
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name === undefined ? part !== segment : segment === '') return undefined;
    if (name !== undefined) parameters[name] = decode(segment, name);
  }
  return parameters;
}

/** Raises `parameter-invalid` for a percent sign that begins no character. */
export function decode(text: string, member: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Fault('parameter-invalid', { member: member.slice(0, 100), constraint: 'Is not percent-encoded UTF-8' });
  }
}
