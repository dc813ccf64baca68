import type { Clock } from '../core/clock.ts';
import { isJsonObject, JsonError, parseJson, type JsonObject } from '../core/json.ts';
import { signRequest } from '../core/sigv4.ts';
import { readBody } from './body.ts';
import type { AwsKeys } from './credentials/aws-keys.ts';
import { FetchError } from './outcome.ts';
import { createTransport, type Transport } from './transport.ts';

export interface AwsCall {
  /** Of the service's API; https, or http on this machine. */
  endpoint: URL;
  region: string;
  /** As in the credential scope: `ecr`, `ecs`. */
  service: string;
  /** `X-Amz-Target`. */
  target: string;
  input: JsonObject;
}

/** Makes one signed AWS JSON 1.1 call. Raises FetchError: `denied` for a refusal of keys or permissions, `not-found` for what is not there. */
export type AwsCaller = (keys: AwsKeys, call: AwsCall) => Promise<JsonObject>;

const ANSWER_LIMIT = 16 * 1024 * 1024;
const IDLE = 30_000;

export function createAwsCaller(
  clock: Clock,
  settings: { endpointHosts: Iterable<string>; userAgent: string },
): AwsCaller & { close(): void } {
  // The endpoint of a person's own server is theirs to name: it may be anywhere, without TLS too.
  const hosts = new Set(settings.endpointHosts);
  const transport: Transport = createTransport({
    connectionsPerHost: 4,
    connectTimeout: 10_000,
    headerTimeout: 30_000,
    insecureHosts: hosts,
    privateHosts: hosts,
    userAgent: settings.userAgent,
  });
  const call: AwsCaller = async (keys, { endpoint, region, service, target, input }) => {
    const body = JSON.stringify(input).replaceAll(
      /[\u007f-\uffff]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    const headers = signRequest({
      method: 'POST',
      target: '/',
      headers: [
        ['host', endpoint.host],
        ['content-type', 'application/x-amz-json-1.1'],
        ['x-amz-target', target],
        ...(keys.sessionToken === undefined ? [] : [['x-amz-security-token', keys.sessionToken] as const]),
      ],
      body,
      now: clock.now(),
      region,
      service,
      accessKeyId: keys.accessKeyId,
      secretAccessKey: keys.secretAccessKey,
    });
    const answer = await transport.send(endpoint.host, {
      method: 'POST',
      url: new URL('/', endpoint),
      headers: Object.fromEntries(headers),
      body,
    });
    const text = await readBody(endpoint.host, answer, ANSWER_LIMIT, { clock, idleTimeout: IDLE });
    const value = readObject(text);
    if (answer.status === 200 && value !== undefined) return value;
    throw refusal(endpoint.host, answer.status, value);
  };
  return Object.assign(call, { close: () => transport.close() });
}

function refusal(host: string, status: number, value: JsonObject | undefined): FetchError {
  const type = typeof value?.['__type'] === 'string' ? value['__type'].replace(/^.*#/, '').slice(0, 100) : undefined;
  const message = value?.['message'] ?? value?.['Message'];
  const said = typeof message === 'string' ? `: ${message.slice(0, 300)}` : '';
  const reason = `${type ?? `HTTP ${status}`}${said}`;
  if (status === 429 || type === 'ThrottlingException') return new FetchError({ kind: 'rate-limited', host, reason });
  if (type !== undefined && /NotFound/.test(type)) return new FetchError({ kind: 'not-found', host, reason });
  if (
    status === 401 ||
    status === 403 ||
    (type !== undefined && /AccessDenied|Signature|Token|Credential|UnrecognizedClient/.test(type))
  ) {
    return new FetchError({ kind: 'denied', host, reason });
  }
  return new FetchError({ kind: 'unreachable', host, reason });
}

function readObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value = parseJson(bytes);
    return isJsonObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}
