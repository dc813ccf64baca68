import type { Access } from '../../access/access.ts';
import type { Place } from '../../core/place.ts';
import type { RepositoryName } from '../../core/repository-name.ts';
import type { Repository } from '../../registry/registry.ts';

/** What a call acts on: a repository, the name of one that is not there (yet), or the registry as a whole. */
export type Resource = Repository | (Place & { readonly name: RepositoryName | '*' });

/** What this wire needs of the access room. */
export type OciAccess = Pick<Access, 'authenticateBasic' | 'authorize' | 'issueToken' | 'readResourcePolicy'> & {
  readonly downloads: Pick<Access['downloads'], 'verify'>;
};
