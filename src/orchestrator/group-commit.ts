import type { MetaStore } from '../core/meta-store.ts';
import type { OrchestratorTables, OrchestratorTransaction } from './context.ts';

/** Pieces of work that share a transaction. */
const MOST = 64;

/**
 * Writes for many at the price of a few: what is asked for while a transaction is under way goes into the next one
 * together, and is flushed to the disk once. A piece of work that throws takes nothing else with it: the pieces are then
 * done again, each by itself. As with every transaction, work may run twice, and keeps no state of its own.
 */
export function createGroupCommit(
  meta: Pick<MetaStore<OrchestratorTables>, 'transact'>,
): Pick<MetaStore<OrchestratorTables>, 'transact'> {
  interface Piece {
    work: (transaction: OrchestratorTransaction) => Promise<unknown>;
    resolve: (value: unknown) => void;
    reject: (error: unknown) => void;
  }
  const waiting: Piece[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    isRunning = true;
    while (waiting.length > 0) {
      const pieces = waiting.splice(0, MOST);
      const results = await together(pieces);
      for (const [index, piece] of pieces.entries()) {
        if (results !== undefined) piece.resolve(results[index]);
        else await meta.transact(piece.work).then(piece.resolve, piece.reject);
      }
    }
    isRunning = false;
  }

  /** Undefined when one of several has failed. */
  async function together(pieces: Piece[]): Promise<unknown[] | undefined> {
    if (pieces.length === 1) return undefined;
    try {
      return await meta.transact(async (transaction) => {
        const results: unknown[] = [];
        for (const { work } of pieces) results.push(await work(transaction));
        return results;
      });
    } catch {
      // Whose fault it was comes out when each is done alone, and goes to whoever asked for it.
      return undefined;
    }
  }

  return {
    transact: <T>(work: (transaction: OrchestratorTransaction) => Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
        if (!isRunning) void run();
      }),
  };
}
