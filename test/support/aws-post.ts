import { request as httpRequest } from 'node:http';
import { signRequest } from '../../src/core/sigv4.ts';
import type { AwsServer } from './aws-server.ts';

export const ECR_TARGET = 'AmazonEC2ContainerRegistry_V20150921';

/** What came back; `json` is filled in when the answer is in the AWS JSON protocol. */
export interface AwsAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json: Record<string, unknown>;
}

export interface Sending {
  target?: string;
  body?: string;
  contentType?: string;
  region?: string;
  service?: string;
  /** Changes headers after they have been signed. */
  tamper?: (headers: [string, string][]) => void;
  sign?: boolean;
}

/** Signs and sends one request just as it is told, good or not. */
export async function postToAws(server: AwsServer, sending: Sending): Promise<AwsAnswer> {
  const {
    target = `${ECR_TARGET}.DescribeRegistry`,
    body = '{}',
    contentType = 'application/x-amz-json-1.1',
    region = 'us-east-1',
    service = 'ecr',
  } = sending;
  const plain: [string, string][] = [
    ['host', server.host],
    ['content-type', contentType],
    ...(target === '' ? [] : ([['x-amz-target', target]] as [string, string][])),
  ];
  const signed = {
    method: 'POST',
    target: '/',
    headers: plain,
    body: Buffer.from(body),
    now: Date.now(),
    ...server.credentials,
    region,
    service,
  };
  const headers = sending.sign === false ? plain : signRequest(signed);
  sending.tamper?.(headers);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      server.endpoint,
      { method: 'POST', headers: Object.fromEntries(headers), agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = response.headers['content-type'] === 'application/x-amz-json-1.1';
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
          });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
