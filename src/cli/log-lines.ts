import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { isJsonObject, parseJson } from '../core/json.ts';
import { signRequest } from '../core/sigv4.ts';
import { CommandFailure, type CommandContext } from './command.ts';
import type { ServerAddress } from './server-connection.ts';

export interface LogQuery {
  /** Its id, or the first characters of it. */
  task: string;
  cluster?: string;
  container?: string;
  tail?: number;
  follow?: boolean;
}

/** The output of a task as the server keeps it, a line at a time: `{ container, stream, text }`. Raises CommandFailure. */
export async function* streamLog(
  context: CommandContext,
  server: ServerAddress,
  query: LogQuery,
): AsyncGenerator<{ container: string; stream: string; text: string }> {
  const { url, region, accessKeyId = '', secretAccessKey = '' } = server;
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== false);
  const target = `/holdfast/v1/task-logs?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}`;
  const headers = signRequest({
    method: 'GET',
    target,
    headers: [['host', url.host]],
    body: '',
    now: context.now(),
    region,
    service: 'holdfast',
    accessKeyId,
    secretAccessKey,
  });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    (url.protocol === 'https:' ? https : http)
      .get(new URL(target, url), { headers: { ...Object.fromEntries(headers), connection: 'close' } }, resolve)
      .on('error', reject);
  });
  if (response.statusCode !== 200) {
    const told = await text(response);
    const value = told.startsWith('{') ? parseJson(told) : undefined;
    const error = isJsonObject(value) && isJsonObject(value['error']) ? value['error'] : {};
    throw new CommandFailure(
      typeof error['message'] === 'string' ? error['message'] : `The server gave ${response.statusCode}.`,
      {
        kind: typeof error['kind'] === 'string' ? error['kind'] : 'failed',
      },
    );
  }
  for await (const line of createInterface({ input: response, crlfDelay: Infinity })) {
    const value = parseJson(line);
    if (!isJsonObject(value)) continue;
    yield { container: String(value['container']), stream: String(value['stream']), text: String(value['text']) };
  }
}

/** The last lines of a task's output, each with its container's name; none when nothing was kept. */
export async function readLog(context: CommandContext, server: ServerAddress, query: LogQuery): Promise<string[]> {
  const lines: string[] = [];
  for await (const { container, text: said } of streamLog(context, server, query)) lines.push(`${container} | ${said}`);
  return lines;
}
