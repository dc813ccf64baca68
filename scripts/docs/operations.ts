import { ecrCoverage } from '../../src/wire/ecr/operations.ts';
import { ecsCoverage } from '../../src/wire/ecs/operations.ts';

/** What there is of the ECR API, and what there is not and what to do instead. */
export const ecrOperationsTables = (): string => coverageTables(ecrCoverage(), '`ValidationException`');

/** The same of the ECS API. */
export const ecsOperationsTables = (): string =>
  coverageTables(ecsCoverage(), '`UnsupportedFeatureException` or `ClientException`');

function coverageTables(
  rows: readonly { operation: string; status: string; why?: string | undefined }[],
  refusal: string,
): string {
  const there = rows.filter(({ status }) => status === 'implemented').map(({ operation }) => `\`${operation}\``);
  const refused = new Map<string, string[]>();
  for (const { operation, why } of rows) {
    if (why !== undefined) refused.set(why, [...(refused.get(why) ?? []), `\`${operation}\``]);
  }
  return [
    `Of ${rows.length} operations, ${there.length} are here: ${there.join(', ')}.`,
    '',
    `The others are refused with ${refusal}, whose message says what the right column says.`,
    '',
    '| Refused | Why, and what to do instead |',
    '|---|---|',
    ...[...refused].map(([why, operations]) => `| ${operations.join(' ')} | ${why} |`),
    '',
  ].join('\n');
}
