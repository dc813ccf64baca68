import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { createAccount } from './aws-account.ts';
import { CommandFailure, type CommandContext } from './command.ts';
import { findServer, type ServerAddress } from './server-connection.ts';

/** The AWS APIs of the running server, for the commands that show what runs. */
export interface AwsApi {
  readonly server: ServerAddress;
  ecs(operation: string, input: JsonObject): Promise<JsonObject>;
  ecr(operation: string, input: JsonObject): Promise<JsonObject>;
  close(): void;
}

/** Raises CommandFailure when there is no server, and with the server's own words when it refuses. */
export async function openAwsApi(context: CommandContext): Promise<AwsApi> {
  const server = await findServer(context);
  const { accessKeyId, secretAccessKey, sessionToken, url, region } = server;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new CommandFailure(`No access key was found for ${url.origin} (${server.foundIn}).`, {
      kind: 'unauthenticated',
      advice: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY together with AWS_ENDPOINT_URL.',
    });
  }
  const keys = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  const { call, close } = createAccount(context, keys, region, { ecs: url, ecr: url });
  return { server, ecs: (...request) => call('ecs', ...request), ecr: (...request) => call('ecr', ...request), close };
}

/** All pages of a list of strings, such as task ARNs. */
export async function listAll(
  call: (input: JsonObject) => Promise<JsonObject>,
  input: JsonObject,
  member: string,
): Promise<string[]> {
  const items: string[] = [];
  let nextToken: Json | undefined;
  do {
    const page = await call({ ...input, ...(nextToken ? { nextToken } : {}) });
    items.push(...textsOf(page[member]));
    nextToken = page['nextToken'];
  } while (nextToken);
  return items;
}

export const objectsOf = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : []);
export const textsOf = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
export const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
export const numberOf = (value: Json | undefined): number => (typeof value === 'number' ? value : 0);

/** What follows the last slash of an ARN. */
export function lastPart(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}
