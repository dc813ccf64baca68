/** Bounds on what one client can make the server hold, wait for, or read. */
export interface HttpLimits {
  /** All header lines of a request, in bytes; more is 431. */
  headerBytes: number;
  /** Header lines of a request; more is 431. */
  headers: number;
  /** For all header lines to arrive, in milliseconds. */
  headersTimeout: number;
  /** An idle connection is kept this long, in milliseconds. */
  keepAliveTimeout: number;
  /** How often slow connections are looked for, in milliseconds. */
  sweepInterval: number;
  /** A body must bring this many bytes in every sweep interval in which the server waits for it; else the connection is cut. */
  bodyBytesPerSweep: number;
  /** A reader that takes no byte of its answer for this long is cut off, in milliseconds. */
  stalledReader: number;
  /** After an answer, the rest of a refused body is read and dropped for this long, in milliseconds. */
  drain: number;
  connections: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  headerBytes: 32 * 1024,
  headers: 200,
  headersTimeout: 15_000,
  keepAliveTimeout: 75_000,
  sweepInterval: 15_000,
  bodyBytesPerSweep: 15 * 1024,
  stalledReader: 300_000,
  drain: 15_000,
  connections: 8_192,
};
