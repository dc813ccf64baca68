/** Older ones can lose pages when a write meets a checkpoint (sqlite.org/wal.html, "The WAL-Reset Bug"). */
const OLDEST = [3, 51, 3];
/** Taken back by its makers. */
const WITHDRAWN = '3.52.0';

/** Raises an Error that says what to do when this version of SQLite can lose data. */
export function refuseOldSqlite(version: string): void {
  const parts = version.split('.').map(Number);
  const difference = OLDEST.map((least, index) => (parts[index] ?? 0) - least).find((step) => step !== 0) ?? 0;
  if (difference < 0 || version === WITHDRAWN) {
    throw new Error(`SQLite ${version} can lose data: 3.51.3, 3.53 or newer is needed. Use the newest release of Node 24.`);
  }
}
