/** What one look at the machine gave. */
export interface Check {
  name: string;
  /** `missing`: not there, or too old to use. */
  status: 'ok' | 'warning' | 'missing';
  /** What is there, in a few words. */
  found: string;
  /** What it means and what to do; absent when all is well. */
  advice?: string;
  /** True when `holdfast serve` cannot do without. */
  needed: boolean;
}

/** The leading numbers of a version: `1.1.5+ds1` is [1, 1, 5]. */
export function parseVersion(text: string): number[] | undefined {
  const match = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match?.slice(1).map((part) => Number(part ?? 0));
}

/** True when `version` is `least` or newer. */
export function isAtLeast(version: number[], least: number[]): boolean {
  for (const [index, wanted] of least.entries()) {
    const part = version[index] ?? 0;
    if (part !== wanted) return part > wanted;
  }
  return true;
}
