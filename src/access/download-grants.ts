import type { Clock } from '../core/clock.ts';
import { parseDigest, type Digest } from '../core/digest.ts';
import { Fault } from '../core/fault.ts';
import { parseRepositoryName, type RepositoryName } from '../core/repository-name.ts';
import { seal, unseal } from './sealed.ts';
import type { ReadServerSecret } from './server-secret.ts';

export const MAX_GRANT_LIFETIME = 60 * 60 * 1000;
const PURPOSE = 'download grant for GET';

/** Leave to read one blob of one repository, without any other credential. */
export interface DownloadGrant {
  account: string;
  region: string;
  repository: RepositoryName;
  digest: Digest;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface DownloadGrants {
  /** For at most an hour from now. */
  sign(grant: DownloadGrant): Promise<string>;
  /**
   * What may be read; whoever asks serves that and nothing that the rest of the URL says. Raises `download-grant-invalid`
   * for a forged or expired grant and for every method but GET.
   */
  verify(token: string, method: string): Promise<DownloadGrant>;
}

export function createDownloadGrants({ clock, readSecret }: { clock: Clock; readSecret: ReadServerSecret }): DownloadGrants {
  return {
    async sign(grant) {
      if (grant.expiresAt > clock.now() + MAX_GRANT_LIFETIME) throw new RangeError('a download grant lasts for at most an hour');
      const { account, region, repository, digest, expiresAt } = grant;
      return seal(await readSecret(), PURPOSE, Buffer.from(JSON.stringify([account, region, repository, digest, expiresAt])));
    },
    async verify(token, method) {
      if (method !== 'GET') throw new Fault('download-grant-invalid', { reason: 'it is good for GET only' });
      const payload = unseal(await readSecret(), PURPOSE, token);
      if (payload === undefined) throw new Fault('download-grant-invalid', { reason: 'it was not made by this server' });
      const [account, region, repository, digest, expiresAt] = JSON.parse(payload.toString()) as [
        string,
        string,
        string,
        string,
        number,
      ];
      const now = clock.now();
      if (expiresAt <= now || expiresAt > now + MAX_GRANT_LIFETIME)
        throw new Fault('download-grant-invalid', { reason: 'it has expired; ask for a new one' });
      return { account, region, repository: parseRepositoryName(repository), digest: parseDigest(digest), expiresAt };
    },
  };
}
