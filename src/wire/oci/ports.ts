import type { Place } from '../../core/place.ts';
import type { RepositoryName } from '../../core/repository-name.ts';
import type { DownloadGrant } from '../../access/download-grants.ts';
import type { Principal } from '../../access/principal.ts';
import type { Repository } from '../../registry/registry.ts';

/** What a call acts on: a repository, the name of one that is not there (yet), or the registry as a whole. */
export type Resource = Repository | (Place & { readonly name: RepositoryName | '*' });

/** What this wire needs of the access room. */
export interface OciAccess {
  /** Raises `unauthenticated`, `token-expired`. */
  authenticateBasic(user: string, password: string): Promise<Principal>;
  /** `action` as IAM names it (`ecr:BatchGetImage`). Raises `access-denied`. */
  authorize(principal: Principal, action: string, resource: Resource): void | Promise<void>;
  /** Raises `download-grant-invalid`. */
  verifyDownload(token: string, method: string): Promise<DownloadGrant>;
}
