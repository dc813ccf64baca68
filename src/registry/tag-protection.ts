import type { Tag } from '../core/tag.ts';
import { matchesWildcard } from '../core/wildcard.ts';
import type { RegistryOptions } from './context.ts';
import type { ExclusionFilter, TagMutability } from './registry.ts';

/**
 * True when the tag, once set, may not be pointed at something else (ECR user guide, "Preventing image tags from being
 * overwritten"): the exclusions turn the setting's first word around for the tags that they match.
 */
export function isTagProtected(mutability: TagMutability, filters: ExclusionFilter[], tag: Tag): boolean {
  const isExcluded = () => filters.some(({ filter }) => matchesWildcard(filter, tag));
  switch (mutability) {
    case 'MUTABLE':
      return false;
    case 'IMMUTABLE':
      return true;
    case 'IMMUTABLE_WITH_EXCLUSION':
      return !isExcluded();
    case 'MUTABLE_WITH_EXCLUSION':
      return isExcluded();
  }
}

/** What a refusal blames: the whole repository where all its tags are immutable, else the one tag. */
export function protectionReason(
  mutability: TagMutability,
  message: RegistryOptions['tagImmutableMessage'],
): 'repository' | 'tag' {
  return mutability === 'IMMUTABLE' && message === 'as-mutability' ? 'repository' : 'tag';
}
