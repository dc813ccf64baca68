import type { StringShape } from '../../aws/shape.ts';

/** The few kinds of value that the ECS model is made of. Its own rules on them are the orchestrator's, with ECS's own words. */

export const TEXT = { type: 'string' } as const;
export const WHOLE = { type: 'integer' } as const;
export const DECIMAL = { type: 'number' } as const;
export const FLAG = { type: 'boolean' } as const;
export const TIME = { type: 'timestamp' } as const;
export const TEXT_MAP = { type: 'map', of: TEXT } as const;

/** Of what this server refuses as soon as it is there, whatever is in it. */
export const PRESENCE = { type: 'structure', members: {} } as never;

export function list<const S>(of: S): { type: 'list'; of: S } {
  return { type: 'list', of };
}

export function oneOf<const T extends string>(...values: T[]): StringShape<T> {
  return { type: 'string', enum: values };
}
