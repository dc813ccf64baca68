import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createHttp, type Answer, type Call, type Http } from '../conformance/http.ts';
import type { Order, Report } from './numbered-server.ts';

const program = fileURLToPath(new URL('numbered-server.ts', import.meta.url));
const authorization = `Basic ${Buffer.from('AKIAFAULTS:not-a-secret').toString('base64')}`;

/** The server went away before it answered. */
export class ServerGone extends Error {
  override readonly name = 'ServerGone';
}

export interface NumberedServer {
  /** What it did until it was ready. */
  readonly started: Report;
  /** Raises `ServerGone` when the server ends before it answers. */
  ask(order: Order): Promise<Report>;
  /** Raises `ServerGone`, and an AssertionError when the status is none of `expected`. */
  send(call: Call, ...expected: number[]): Promise<Answer>;
  /** Resolves when it has ended, with the signal that did it. */
  readonly gone: Promise<string | undefined>;
  stop(): Promise<void>;
}

/**
 * Starts the server on a data folder, its clock `ahead` of the machine's. Raises `ServerGone` when it ends at step
 * `armedAt` of its own start.
 */
export async function startNumbered(dataFolder: string, { armedAt = 0, ahead = 0 } = {}): Promise<NumberedServer> {
  const child = fork(program, [dataFolder, String(armedAt), String(ahead)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: cleanEnv(),
  });
  const gone = new Promise<string | undefined>((resolve) => child.once('exit', (_code, signal) => resolve(signal ?? undefined)));
  const started = await nextReport(child, gone);
  const http: Http = createHttp({ baseUrl: started.url, authorization });
  return {
    started,
    gone,
    ask(order) {
      const answer = nextReport(child, gone);
      child.send(order, () => {});
      return answer;
    },
    async send(call, ...expected) {
      const answer = await http.send(call).catch((error: unknown) => {
        throw new ServerGone('no answer', { cause: error });
      });
      assert.ok(
        expected.includes(answer.status),
        `${call.method} ${call.url}: ${answer.status} ${answer.body.toString()}, not ${expected.join(' or ')}`,
      );
      return answer;
    },
    async stop() {
      http.close();
      if (child.connected) child.send({ kind: 'close' } satisfies Order, () => {});
      await gone;
    },
  };
}

function nextReport(child: ChildProcess, gone: Promise<unknown>): Promise<Report> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Report));
    void gone.then(() => reject(new ServerGone('the server ended')));
  });
}

/** Without what a test runner tells its own children. */
function cleanEnv(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _context, NODE_OPTIONS: _options, ...env } = process.env;
  return env;
}
