import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import { isJsonObject, JsonError, parseJson, type Json } from '../core/json.ts';
import { signRequest } from '../core/sigv4.ts';
import { CommandFailure, type CommandContext } from './command.ts';
import { printable } from './format.ts';
import type { ServerAddress } from './server-connection.ts';

export interface LogQuery {
  /** Its id, or the first characters of it. */
  task: string;
  cluster?: string;
  container?: string;
  tail?: number;
  follow?: boolean;
}

export interface ShownLine {
  container: string;
  stream: string;
  at?: string;
  text: string;
}

/** Of an answer that says no. */
const LONGEST_REFUSAL = 64 * 1024;

/** The output of a task as the server keeps it, a line at a time. Raises CommandFailure. */
export async function* streamLog(context: CommandContext, server: ServerAddress, query: LogQuery): AsyncGenerator<ShownLine> {
  const response = await request(context, server, query);
  if (response.statusCode !== 200) throw await readRefusal(response);
  for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
    const value = parseJson(line);
    if (!isJsonObject(value)) continue;
    const { container, stream, at, text } = value;
    if (typeof container !== 'string' || typeof stream !== 'string' || typeof text !== 'string') continue;
    yield { container, stream, ...(typeof at === 'string' ? { at } : {}), text: text.replace(/\r$/, '') };
  }
}

async function request(context: CommandContext, server: ServerAddress, query: LogQuery): Promise<http.IncomingMessage> {
  const { url, region, accessKeyId = '', secretAccessKey = '', sessionToken } = server;
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== false);
  const target = `/holdfast/v1/task-logs?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}`;
  const headers = signRequest({
    method: 'GET',
    target,
    headers: [['host', url.host], ...(sessionToken === undefined ? [] : [['x-amz-security-token', sessionToken] as const])],
    body: '',
    now: context.now(),
    region,
    service: 'holdfast',
    accessKeyId,
    secretAccessKey,
  });
  try {
    return await new Promise<http.IncomingMessage>((resolve, reject) => {
      (url.protocol === 'https:' ? https : http)
        .get(new URL(target, url), { headers: { ...Object.fromEntries(headers), connection: 'close' } }, resolve)
        .on('error', reject);
    });
  } catch (error) {
    throw new CommandFailure(`No server answers at ${url.origin} (${server.foundIn}).`, { kind: 'no-server', cause: error });
  }
}

async function readRefusal(response: http.IncomingMessage): Promise<CommandFailure> {
  let told = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) if (told.length < LONGEST_REFUSAL) told += chunk;
  let value: Json | undefined;
  try {
    value = parseJson(told);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
  }
  const error = isJsonObject(value) && isJsonObject(value['error']) ? value['error'] : {};
  const { kind, message } = error;
  return new CommandFailure(typeof message === 'string' ? printable(message) : `The server gave ${response.statusCode}.`, {
    kind: typeof kind === 'string' ? kind : 'failed',
  });
}

/** The last lines of a task's output, each with its container's name; none when nothing was kept. */
export async function readLog(context: CommandContext, server: ServerAddress, query: LogQuery): Promise<string[]> {
  const lines: string[] = [];
  for await (const { container, text: said } of streamLog(context, server, query)) lines.push(`${container} | ${said}`);
  return lines;
}
