import { Fault } from '../../core/fault.ts';

/** SQLSTATE classes and codes (PostgreSQL, appendix A). */
const DISK_FULL = '53100';
const IO_ERROR = '58030';
const CORRUPTED = /^XX00[12]$/;
/** PostgreSQL's texts hold every character but U+0000. */
const NOT_IN_TEXT = '22021';
/** Connections refused or cut: class 08, too many of them, and the server stopping, starting or dropping us. */
const UNREACHABLE = /^(?:08...|53300|57P0[1235])$/;

/**
 * A fault for what the machine or the network has done; an error of the query itself comes back as it is. Neither has the
 * password in it: PostgreSQL and `pg` name the user and the database at most.
 */
export function readPostgresError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === NOT_IN_TEXT)
    return new Fault('request-invalid', { reason: 'A text has the character U+0000, which cannot be kept.' }, { cause: error });
  if (code === DISK_FULL) return new Fault('storage-full', {}, { cause: error });
  const reason = `the metadata database: ${describe(error)}`;
  if (code === IO_ERROR || CORRUPTED.test(code)) return new Fault('storage-failed', { reason }, { cause: error });
  if (isConnectionLost(error)) return new Fault('storage-unreachable', { reason }, { cause: error });
  return error;
}

/** Whether the connection itself is of no more use, whatever became of the query. */
export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  // `pg` gives its own errors no code; a system call's has a `syscall`.
  return (
    UNREACHABLE.test(code) ||
    'syscall' in error ||
    /^(?:Connection terminated|Client has encountered|timeout )/.test(error.message)
  );
}

/** Of several addresses tried, the first says why. */
function describe(error: Error): string {
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return first instanceof Error ? first.message : error.message;
}
