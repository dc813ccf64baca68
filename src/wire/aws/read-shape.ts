import { isJsonObject, type Json } from '../../core/json.ts';
import type { AnyShape, AnyStructure, Input, StructureShape } from './shape.ts';

/** A value that has the right type and breaks a rule of its shape. `path` is as AWS writes it: `imageIds.1.member.imageTag`. */
export interface Violation {
  path: string;
  constraint: Constraint;
  value: unknown;
}

export type Constraint =
  | { kind: 'required' }
  | { kind: 'min-length' | 'max-length' | 'min-value' | 'max-value'; limit: number }
  | { kind: 'pattern'; text: string }
  | { kind: 'enum'; values: readonly string[] };

export type ReadResult<T> =
  | { ok: true; value: T }
  /** A value of another JSON type; AWS calls this a serialization error and looks no further. */
  | { ok: false; mismatch: string }
  | { ok: false; violations: Violation[] };

/** More than this many violations of one request are of no use to anybody. */
const MAX_VIOLATIONS = 10;

class Mismatch extends Error {}

/** Reads a request body by its shape. Members that the shape does not know are ignored, and `null` is absence, as AWS has it. */
export function readShape<T>(shape: StructureShape<T>, value: Json): ReadResult<Input<T>> {
  const violations: Violation[] = [];
  try {
    const read = readStructure(shape as AnyStructure, value, '', violations);
    return violations.length > 0 ? { ok: false, violations } : { ok: true, value: read as Input<T> };
  } catch (error) {
    if (error instanceof Mismatch) return { ok: false, mismatch: error.message };
    throw error;
  }
}

function readStructure(shape: AnyStructure, value: Json, path: string, violations: Violation[]): Record<string, unknown> {
  if (!isJsonObject(value)) mismatch(path, value, 'Structure');
  const result: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(shape.members)) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    const at = path === '' ? name : `${path}.${name}`;
    if (given === undefined || given === null) {
      if (member.required) violate(violations, at, { kind: 'required' }, undefined);
    } else {
      result[name] = readValue(member, given, at, violations);
    }
  }
  return result;
}

function readValue(shape: AnyShape, value: Json, path: string, violations: Violation[]): unknown {
  switch (shape.type) {
    case 'string':
      if (typeof value !== 'string') mismatch(path, value, 'String');
      checkLength(value.length, shape, path, value, violations);
      if (shape.pattern && !shape.pattern.matches(value))
        violate(violations, path, { kind: 'pattern', text: shape.pattern.text }, value);
      if (shape.enum && !shape.enum.includes(value)) violate(violations, path, { kind: 'enum', values: shape.enum }, value);
      return value;
    case 'integer':
    case 'number':
      if (typeof value !== 'number') mismatch(path, value, shape.type === 'integer' ? 'Integer' : 'Double');
      if (shape.type === 'integer' && !Number.isSafeInteger(value)) mismatch(path, value, 'Integer');
      if (shape.min !== undefined && value < shape.min) violate(violations, path, { kind: 'min-value', limit: shape.min }, value);
      if (shape.max !== undefined && value > shape.max) violate(violations, path, { kind: 'max-value', limit: shape.max }, value);
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') mismatch(path, value, 'Boolean');
      return value;
    case 'timestamp':
      if (typeof value !== 'number') mismatch(path, value, 'Timestamp');
      return value;
    case 'blob': {
      const bytes = typeof value === 'string' ? decodeBase64(value) : undefined;
      if (bytes === undefined) mismatch(path, value, 'Blob');
      checkLength(bytes.length, shape, path, undefined, violations);
      return bytes;
    }
    case 'list': {
      if (!Array.isArray(value)) mismatch(path, value, 'List');
      checkLength(value.length, shape, path, undefined, violations);
      if (shape.max !== undefined && value.length > shape.max) return [];
      return value.map((entry, index) => {
        const at = `${path}.${index + 1}.member`;
        if (entry === null) {
          violate(violations, at, { kind: 'required' }, undefined);
          return undefined;
        }
        return readValue(shape.of, entry, at, violations);
      });
    }
    case 'map': {
      if (!isJsonObject(value)) mismatch(path, value, 'Map');
      const entries = Object.entries(value).filter(([, entry]) => entry !== null);
      checkLength(entries.length, shape, path, undefined, violations);
      const result: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
      for (const [key, entry] of entries) {
        if (shape.key) readValue(shape.key, key, `${path}.key`, violations);
        result[key] = readValue(shape.of, entry, `${path}.${key.slice(0, 100)}.member`, violations);
      }
      return result;
    }
    case 'structure':
      return readStructure(shape, value, path, violations);
  }
}

function checkLength(
  length: number,
  { min, max }: { min?: number; max?: number },
  path: string,
  value: unknown,
  violations: Violation[],
): void {
  if (min !== undefined && length < min) violate(violations, path, { kind: 'min-length', limit: min }, value);
  if (max !== undefined && length > max) violate(violations, path, { kind: 'max-length', limit: max }, value);
}

function violate(violations: Violation[], path: string, constraint: Constraint, value: unknown): void {
  if (violations.length < MAX_VIOLATIONS) violations.push({ path, constraint, value });
}

/** Padded or not. The decoder skips what is not base64, so that anything but base64 gives fewer bytes than its length says. */
function decodeBase64(text: string): Buffer | undefined {
  const length = text.endsWith('==') ? text.length - 2 : text.endsWith('=') ? text.length - 1 : text.length;
  const bytes = Buffer.from(text, 'base64');
  return length % 4 !== 1 && bytes.length === Math.floor((length * 3) / 4) ? bytes : undefined;
}

function mismatch(path: string, value: Json, wanted: string): never {
  throw new Mismatch(
    `${describeType(value)} cannot be converted to ${wanted}${path === '' ? '' : ` at '${path.slice(0, 200)}'`}`,
  );
}

function describeType(value: Json): string {
  if (value === null) return 'NULL_VALUE';
  if (Array.isArray(value)) return 'LIST_VALUE';
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
  if (typeof value === 'number') return Number.isInteger(value) ? 'NUMBER_VALUE' : 'DECIMAL_VALUE';
  return typeof value === 'string' ? 'STRING_VALUE' : 'MAP_VALUE';
}
