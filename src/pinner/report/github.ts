import type { CheckFinding } from '../check.ts';

/** Findings as workflow commands, which GitHub shows on the lines of a pull request. */
export function githubAnnotations(findings: readonly CheckFinding[]): string {
  return findings
    .map(({ rule, path, found, message }) => {
      const level = rule === 'unknown' ? 'warning' : 'error';
      return `::${level} file=${property(path)},line=${found.line},col=${found.column},title=${property(`image ${rule}`)}::${data(message)}\n`;
    })
    .join('');
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
