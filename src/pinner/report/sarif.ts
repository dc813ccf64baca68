import type { CheckFinding, CheckRule } from '../check.ts';

const RULES: Record<CheckRule, { text: string; help: string; level: 'error' | 'warning' }> = {
  unpinned: { text: 'An image reference has no digest', help: 'Run "holdfast pin --write".', level: 'error' },
  stale: {
    text: 'A tag points to another digest than the pinned one',
    help: 'Run "holdfast pin --update --write".',
    level: 'error',
  },
  vanished: {
    text: 'A pinned digest is no longer in its registry',
    help: 'Run "holdfast pin --update --write", or restore the image.',
    level: 'error',
  },
  unlocked: {
    text: 'A pinned digest is not the locked one',
    help: 'Run "holdfast pin --update --write --lock".',
    level: 'error',
  },
  unknown: {
    text: 'A registry could not be asked',
    help: 'Check that the registry can be reached and that there is a login for it.',
    level: 'warning',
  },
};

/** Findings as a SARIF 2.1.0 log with one run, for code scanning. Paths are relative to the working directory. */
export function sarifLog(findings: readonly CheckFinding[], version: string): unknown {
  const rules = Object.entries(RULES);
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'holdfast pin check',
            version,
            rules: rules.map(([rule, { text, help, level }]) => ({
              id: `image-${rule}`,
              shortDescription: { text },
              help: { text: help },
              defaultConfiguration: { level },
            })),
          },
        },
        results: findings.map(({ rule, path, found, message }) => ({
          ruleId: `image-${rule}`,
          ruleIndex: rules.findIndex(([name]) => name === rule),
          level: RULES[rule].level,
          message: { text: message },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: path.split('/').map(encodeURIComponent).join('/') },
                region: { startLine: found.line, startColumn: found.column },
              },
            },
          ],
          partialFingerprints: { 'reference/v1': `${path}|${found.position}|${rule}` },
        })),
      },
    ],
  };
}
