import { cpus, totalmem } from 'node:os';

/** Where a benchmark puts what it measured: one row for each figure. */
export interface Report {
  /** `value` is what was promised or found, in a few words; `detail` the medians behind it. */
  row(name: string, value: string, detail?: string): void;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

/** `x2.31`. */
export function ratio(ours: number, theirs: number): string {
  return `x${(ours / theirs).toFixed(2)}`;
}

/** The machine, in a line: a figure means nothing without it. */
export function machine(): string {
  const [first] = cpus();
  return `${cpus().length} x ${first?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
}
