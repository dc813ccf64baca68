import { readdirSync, readFileSync } from 'node:fs';

/** First processes of containers that have this mark on their command line, by the machine's own numbers. */
export function firstProcesses(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const isFirst = /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${name}/status`, 'utf8'));
        return isFirst && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(mark);
      } catch {
        return false;
      }
    })
    .map(Number);
}
