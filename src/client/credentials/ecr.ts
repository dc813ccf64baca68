import type { Clock } from '../../core/clock.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import type { AwsCaller } from '../aws-call.ts';
import { FetchError } from '../outcome.ts';
import type { AwsKeys } from './aws-keys.ts';
import { parseEcrHost } from './ecr-host.ts';
import { CredentialError, type CredentialSource, type Credentials } from './keychain.ts';

export interface OwnRegistry {
  /** `host[:port]` in image names. */
  host: string;
  endpoint: URL;
  region: string;
  /** Its own keys: those for AWS are never used with it. */
  keys: AwsKeys | undefined;
}

/** Used again for so long, in milliseconds; the tokens are good for 12 hours. */
const KEPT = 6 * 3600_000;

/**
 * Logins for Amazon ECR hosts, and for a person's own Holdfast (`own`), from AWS keys: `GetAuthorizationToken` gives a user
 * name and a password for all repositories of a region. The keys only sign; they go nowhere.
 */
export function createEcrSource(options: {
  findKeys(): Promise<AwsKeys | undefined>;
  call: AwsCaller;
  clock: Clock;
  own?: OwnRegistry;
}): CredentialSource {
  const { findKeys, call, clock, own } = options;
  const kept = new Map<string, { until: number; credentials: Credentials }>();

  async function fetchLogin(
    host: string,
    keys: AwsKeys | undefined,
    endpoint: URL,
    region: string,
    service: string,
    target: string,
  ): Promise<Credentials | undefined> {
    if (keys === undefined) return undefined;
    try {
      return readAnswer(await call(keys, { endpoint, region, service, target, input: {} }));
    } catch (error) {
      if (!(error instanceof FetchError)) throw error;
      throw new CredentialError(`The AWS keys gave no login for ${host} (${error.failure.reason}): going on without it`);
    }
  }

  return {
    async find(host) {
      const parsed = parseEcrHost(host);
      const isOwn = own !== undefined && host === own.host;
      if (parsed === undefined && !isOwn) return undefined;
      const old = kept.get(host);
      if (old !== undefined && clock.monotonic() < old.until) return old.credentials;
      // Keys for AWS itself are never shown to an endpoint that was put in its place, nor the other way round.
      const credentials = isOwn
        ? await fetchLogin(
            host,
            own.keys,
            own.endpoint,
            own.region,
            'ecr',
            'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
          )
        : await fetchLogin(
            host,
            await findKeys(),
            new URL(parsed!.api.url),
            parsed!.region,
            parsed!.api.service,
            parsed!.api.target,
          );
      if (credentials !== undefined) kept.set(host, { until: clock.monotonic() + KEPT, credentials });
      return credentials;
    },
  };
}

function readAnswer(answer: JsonObject): Credentials {
  const data = answer['authorizationData'];
  const first = Array.isArray(data) ? data[0] : data;
  const token = isJsonObject(first) ? first['authorizationToken'] : undefined;
  const decoded = typeof token === 'string' ? Buffer.from(token, 'base64').toString('utf8') : '';
  const colon = decoded.indexOf(':');
  if (colon < 0) throw new CredentialError('GetAuthorizationToken answered without a token: going on without that login');
  return { kind: 'password', username: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
