import type { RegistryScanningConfiguration, RepositoryScanningConfiguration } from '@aws-sdk/client-ecr';
import { repositoryArn } from '../../core/place.ts';
import { matchesWildcard } from '../../core/wildcard.ts';
import type { Repository } from '../../registry/registry.ts';
import type { Input } from '../aws/shape.ts';

export type ScanningConfiguration = Required<Input<RegistryScanningConfiguration>>;
type Filter = ScanningConfiguration['rules'][number]['repositoryFilters'][number];

// With ENHANCED scanning, a repository that both frequencies match is scanned continuously.
const STRONGEST_FIRST = ['CONTINUOUS_SCAN', 'SCAN_ON_PUSH', 'MANUAL'] as const;

/** What the registry's rules make of one repository; where none matches, its own flag counts. `scanOnPush` is that flag. */
export function describeRepositoryScanning(
  repository: Repository,
  { rules }: ScanningConfiguration,
): Input<RepositoryScanningConfiguration> {
  const named = {
    repositoryArn: repositoryArn(repository, repository.name),
    repositoryName: repository.name,
    scanOnPush: repository.scanOnPush,
  };
  for (const frequency of STRONGEST_FIRST) {
    const filters = rules.filter((rule) => rule.scanFrequency === frequency).flatMap((rule) => rule.repositoryFilters);
    const appliedScanFilters = filters.filter((filter) => matchesScanFilter(filter, repository.name));
    if (appliedScanFilters.length > 0) {
      return { ...named, scanFrequency: frequency, appliedScanFilters };
    }
  }
  return {
    ...named,
    scanOnPush: repository.scanOnPush,
    scanFrequency: repository.scanOnPush ? 'SCAN_ON_PUSH' : 'MANUAL',
    appliedScanFilters: [],
  };
}

/** Without `*` a filter matches anywhere in the name; with one it matches the whole name (ECR User Guide, "Image scanning filters"). */
export function matchesScanFilter({ filter }: Filter, name: string): boolean {
  return filter.includes('*') ? matchesWildcard(filter, name) : name.includes(filter);
}
