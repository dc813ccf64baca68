/** A rule for each environment and a catch-all. */
export function environments(): string {
  return policyFrom(['Prod-', 'Stage-', 'Test-', 'Dev-'], 90);
}

/** As many rules, one for each prefix and a catch-all. */
export function policyOf(count: number): string {
  return policyFrom(
    Array.from({ length: count - 1 }, (_, index) => `env${index}-`),
    30,
  );
}

function policyFrom(prefixes: string[], days: number): string {
  return JSON.stringify({
    rules: [
      ...prefixes.map((prefix, index) => ({
        rulePriority: index + 1,
        selection: { tagStatus: 'tagged', tagPrefixList: [prefix], countType: 'imageCountMoreThan', countNumber: 5 },
        action: { type: 'expire' },
      })),
      {
        rulePriority: prefixes.length + 1,
        selection: { tagStatus: 'any', countType: 'sinceImagePushed', countUnit: 'days', countNumber: days },
        action: { type: 'expire' },
      },
    ],
  });
}
