/**
 * The input of an AWS operation, as data: one shape language for every JSON service. A shape is written against the
 * operation's type in AWS's own SDK (types only), so a member that is forgotten, misspelt, or required on one side only
 * does not compile.
 */
export interface StringShape<T extends string = string> {
  type: 'string';
  min?: number;
  max?: number;
  pattern?: Pattern;
  enum?: readonly T[];
}

/** `text` is what messages quote; `matches` is what is asked, and linear in the length of the value. */
export interface Pattern {
  text: string;
  matches(value: string): boolean;
}

export interface NumberShape {
  type: 'integer' | 'number';
  min?: number;
  max?: number;
}

export interface BooleanShape {
  type: 'boolean';
}

/** Base64 on the wire; `min` and `max` count decoded bytes. */
export interface BlobShape {
  type: 'blob';
  min?: number;
  max?: number;
}

/** Seconds since the epoch, with a fraction. */
export interface TimestampShape {
  type: 'timestamp';
}

export interface ListShape<E = unknown> {
  type: 'list';
  of: ShapeOf<E>;
  min?: number;
  max?: number;
}

export interface MapShape<E = unknown> {
  type: 'map';
  of: ShapeOf<E>;
  key?: StringShape;
  min?: number;
  max?: number;
}

export interface StructureShape<T = unknown> {
  type: 'structure';
  members: { [K in keyof T]-?: MemberOf<T, K> };
}

type MemberOf<T, K extends keyof T> = ShapeOf<Exclude<T[K], undefined>> &
  (Record<never, never> extends Pick<T, K> ? { required?: false } : { required: true });

/** The shape that describes a value of an SDK type. */
export type ShapeOf<T> = [T] extends [string]
  ? StringShape<T>
  : [T] extends [number]
    ? NumberShape
    : [T] extends [boolean]
      ? BooleanShape
      : [T] extends [Date]
        ? TimestampShape
        : [T] extends [Uint8Array]
          ? BlobShape
          : [T] extends [(infer E)[]]
            ? ListShape<E>
            : string extends keyof T
              ? MapShape<T[keyof T]>
              : StructureShape<T>;

/** What a reader gives for an SDK input type: required members are there, timestamps are seconds, blobs are bytes. */
export type Input<T> = T extends Uint8Array
  ? Uint8Array
  : T extends Date
    ? number
    : T extends (infer E)[]
      ? Input<E>[]
      : T extends object
        ? { [K in keyof T]: Input<Exclude<T[K], undefined>> }
        : T;

/** An SDK output type as it goes over the wire: timestamps are seconds since the epoch, blobs are base64. */
export type Wire<T> = T extends Uint8Array
  ? string
  : T extends Date
    ? number
    : T extends (infer E)[]
      ? Wire<E>[]
      : T extends object
        ? { [K in keyof T]: Wire<T[K]> }
        : T;

/** Any shape, for code that walks them. */
export type AnyShape = StringShape | NumberShape | BooleanShape | BlobShape | TimestampShape | AnyList | AnyMap | AnyStructure;
export interface AnyList {
  type: 'list';
  of: AnyShape;
  min?: number;
  max?: number;
}
export interface AnyMap {
  type: 'map';
  of: AnyShape;
  key?: StringShape;
  min?: number;
  max?: number;
}
export interface AnyStructure {
  type: 'structure';
  members: { [name: string]: AnyShape & { required?: boolean } };
}
