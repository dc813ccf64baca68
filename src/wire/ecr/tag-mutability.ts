import { Fault } from '../../core/fault.ts';
import type { ExclusionFilter, TagMutability } from '../../registry/registry.ts';

/** The filters that belong to a mode. Raises `parameter-invalid` for filters that are missing, or there and without meaning. */
export function checkExclusionFilters(mutability: TagMutability, filters: ExclusionFilter[] | undefined): ExclusionFilter[] {
  const wantsFilters = mutability.endsWith('_WITH_EXCLUSION');
  if (wantsFilters && filters === undefined)
    refuse(`ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as ${mutability}`);
  if (!wantsFilters && filters !== undefined)
    refuse(`ImageTagMutabilityExclusionFilters are not allowed when imageTagMutability is set to ${mutability}`);
  for (const { filter } of filters ?? []) {
    if (filter.split('*').length > 3) refuse(`The filter '${filter}' has more than two wildcards (*)`);
  }
  return filters ?? [];
}

function refuse(constraint: string): never {
  throw new Fault('parameter-invalid', { member: 'imageTagMutabilityExclusionFilters', constraint });
}
