/** Where new identifiers and secrets come from. */
export interface IdSource {
  /** A version 4 UUID. */
  uuid(): string;
  /** Unpredictable bytes, for secrets. */
  bytes(count: number): Uint8Array;
}
