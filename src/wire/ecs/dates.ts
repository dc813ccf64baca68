import type { AnyShape, AnyStructure, StructureShape } from '../aws/shape.ts';

/** Makes Dates of the timestamps (seconds) in an input that has been read by its shape. */
export function reviveDates<T>(shape: StructureShape<T>, value: unknown): unknown {
  return revive(shape as AnyStructure, value);
}

function revive(shape: AnyShape, value: unknown): unknown {
  switch (shape.type) {
    case 'timestamp':
      return typeof value === 'number' ? new Date(value * 1000) : value;
    case 'list':
      return hasTimestamp(shape.of) ? (value as unknown[]).map((entry) => revive(shape.of, entry)) : value;
    case 'structure': {
      const members = value as Record<string, unknown>;
      for (const [name, member] of Object.entries(shape.members)) {
        if (members[name] !== undefined && hasTimestamp(member)) members[name] = revive(member, members[name]);
      }
      return members;
    }
    default:
      return value;
  }
}

function hasTimestamp(shape: AnyShape): boolean {
  if (shape.type === 'timestamp') return true;
  if (shape.type === 'list') return hasTimestamp(shape.of);
  return shape.type === 'structure' && Object.values(shape.members).some(hasTimestamp);
}

/** An answer as it goes over the wire: Dates as seconds with milliseconds; what is undefined is left out when it is written. */
export function writeDates(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map(writeDates);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, writeDates(member)]));
}
