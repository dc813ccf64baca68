import { Fault } from '../../core/fault.ts';
import type { Place } from '../../core/place.ts';

/** Accounts and regions that the registry serves; the first of each is where an ordinary host name leads. */
export interface ServedPlaces {
  readonly accounts: readonly string[];
  readonly regions: readonly string[];
}

const ECR_HOST = /^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]{1,64})\./;

/**
 * The account and region of a `Host` header: those of a name like `<account>.dkr.ecr.<region>.<any suffix>`, the first
 * ones served for any other name. Raises `account-unknown` and `region-unknown`.
 */
export function createHostPlaces(served: ServedPlaces): (host: string | undefined) => Place {
  const [account, region] = [served.accounts[0], served.regions[0]];
  if (account === undefined || region === undefined) throw new Error('a registry serves at least one account and one region');
  const places = new Map<string, Place>();
  for (const each of served.accounts) for (const where of served.regions) places.set(`${each}/${where}`, { account: each, region: where });
  const usual: Place = { account, region };
  return (host) => {
    // Most hosts are a plain name or address; only a digit can begin the other form.
    if (host === undefined || host.length < 24 || !(host.charCodeAt(0) <= 0x39)) return usual;
    const [, namedAccount, namedRegion] = ECR_HOST.exec(host.toLowerCase()) ?? [];
    if (namedAccount === undefined || namedRegion === undefined) return usual;
    const place = places.get(`${namedAccount}/${namedRegion}`);
    if (place !== undefined) return place;
    if (!served.accounts.includes(namedAccount)) throw new Fault('account-unknown', { account: namedAccount, served: [...served.accounts] });
    throw new Fault('region-unknown', { region: namedRegion, served: [...served.regions] });
  };
}
