import { ecrCoverage } from '../../src/wire/ecr/operations.ts';

/** What there is of the ECR API, and what there is not and what to do instead. */
export function ecrOperationsTables(): string {
  const rows = ecrCoverage();
  const there = rows.filter(({ status }) => status === 'implemented').map(({ operation }) => `\`${operation}\``);
  const refused = new Map<string, string[]>();
  for (const { operation, why } of rows) {
    if (why !== undefined) refused.set(why, [...(refused.get(why) ?? []), `\`${operation}\``]);
  }
  return [
    `Of ${rows.length} operations, ${there.length} are here: ${there.join(', ')}.`,
    '',
    'The others are refused with `ValidationException`, whose message says what the right column says.',
    '',
    '| Refused | Why, and what to do instead |',
    '|---|---|',
    ...[...refused].map(([why, operations]) => `| ${operations.join(' ')} | ${why} |`),
    '',
  ].join('\n');
}
