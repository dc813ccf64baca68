import { ecsCoverage } from '../../src/wire/ecs/operations.ts';

/** What there is of the ECS API, and what there is not and what to do instead. */
export function ecsOperationsTables(): string {
  const rows = ecsCoverage();
  const there = rows.filter(({ status }) => status === 'implemented').map(({ operation }) => `\`${operation}\``);
  const refused = new Map<string, string[]>();
  for (const { operation, why } of rows) {
    if (why !== undefined) refused.set(why, [...(refused.get(why) ?? []), `\`${operation}\``]);
  }
  return [
    `Of ${rows.length} operations, ${there.length} are here: ${there.join(', ')}.`,
    '',
    'The others are refused with `UnsupportedFeatureException` or `ClientException`, whose message says what the right column says.',
    '',
    '| Refused | Why, and what to do instead |',
    '|---|---|',
    ...[...refused].map(([why, operations]) => `| ${operations.join(' ')} | ${why} |`),
    '',
  ].join('\n');
}
