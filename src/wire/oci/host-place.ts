import { Fault } from '../../core/fault.ts';
import type { Place } from '../../core/place.ts';

/** The account and the regions that are served; an ordinary host name leads to the first region. */
export interface ServedPlaces {
  readonly account: string;
  readonly regions: readonly string[];
}

const ECR_HOST = /^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]{1,64})\./;

/** Whether a host name says which registry it is: `<account>.dkr.ecr.<region>.<any suffix>`. */
export const isEcrHost = (host: string): boolean => ECR_HOST.test(host.toLowerCase());

/**
 * The account and region of a `Host` header: those of a name like `<account>.dkr.ecr.<region>.<any suffix>`, the first
 * region for any other name. Raises `account-unknown` and `region-unknown`.
 */
export function createHostPlaces({ account, regions }: ServedPlaces): (host: string | undefined) => Place {
  const places = new Map<string, Place>(regions.map((region) => [region, { account, region }]));
  const [usual] = places.values();
  if (usual === undefined) throw new Error('a registry serves at least one region');
  return (host) => {
    // Most hosts are a plain name or address; only a digit can begin the other form.
    if (host === undefined || host.length < 24 || host.charCodeAt(0) > 0x39) return usual;
    const [, namedAccount, namedRegion] = ECR_HOST.exec(host.toLowerCase()) ?? [];
    if (namedAccount === undefined || namedRegion === undefined) return usual;
    if (namedAccount !== account) throw new Fault('account-unknown', { account: namedAccount, served: [account] });
    const place = places.get(namedRegion);
    if (place === undefined) throw new Fault('region-unknown', { region: namedRegion, served: [...regions] });
    return place;
  };
}
