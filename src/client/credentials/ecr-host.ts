/** What the host of an Amazon ECR registry says. */
export interface EcrHost {
  /** 12 digits; absent for the public gallery. */
  account?: string;
  region: string;
  /** Where GetAuthorizationToken is asked, and as which service. */
  api: { url: string; service: 'ecr' | 'ecr-public'; target: string };
}

const PRIVATE_TARGET = 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken';
const REGION = /^[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}$/;

/**
 * Reads `<12 digits>.dkr.ecr[-fips].<region>.amazonaws.com[.cn]`, its dual-stack form `<12 digits>.dkr-ecr[-fips].<region>.on.aws`,
 * and `public.ecr.aws`, label by label: every label must be there and none besides, or AWS keys would go to whoever owns
 * a host that only contains such a name.
 */
export function parseEcrHost(host: string): EcrHost | undefined {
  if (host === 'public.ecr.aws') {
    return {
      region: 'us-east-1',
      api: {
        url: 'https://api.ecr-public.us-east-1.amazonaws.com/',
        service: 'ecr-public',
        target: 'SpencerFrontendService.GetAuthorizationToken',
      },
    };
  }
  const [account = '', ...labels] = host.split('.');
  if (!/^\d{12}$/.test(account)) return undefined;
  if (labels[0] === 'dkr' && (labels[1] === 'ecr' || labels[1] === 'ecr-fips')) {
    const [, service, region = '', ...domain] = labels;
    const suffix = domain.join('.');
    const isChina = region.startsWith('cn-');
    if (!REGION.test(region) || suffix !== (isChina ? 'amazonaws.com.cn' : 'amazonaws.com')) return undefined;
    const name = service === 'ecr-fips' ? 'ecr-fips' : 'api.ecr';
    return { account, region, api: { url: `https://${name}.${region}.${suffix}/`, service: 'ecr', target: PRIVATE_TARGET } };
  }
  if (labels[0] === 'dkr-ecr' || labels[0] === 'dkr-ecr-fips') {
    const [service, region = '', ...domain] = labels;
    if (!REGION.test(region) || region.startsWith('cn-') || domain.join('.') !== 'on.aws') return undefined;
    const name = service === 'dkr-ecr-fips' ? 'ecr-fips' : 'ecr';
    return { account, region, api: { url: `https://${name}.${region}.api.aws/`, service: 'ecr', target: PRIVATE_TARGET } };
  }
  return undefined;
}
