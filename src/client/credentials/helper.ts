import { spawn } from 'node:child_process';
import { isJsonObject, JsonError, parseJson } from '../../core/json.ts';
import { CredentialError, type Credentials } from './keychain.ts';

export interface HelperSettings {
  /** What the helper sees as its environment; it needs PATH and HOME. */
  environment: Record<string, string | undefined>;
  /** Milliseconds. */
  timeout: number;
}

const ANSWER_LIMIT = 256 * 1024;
/** What helpers print when they have no login, which is no failure (docker-credential-helpers, `credentials/error.go`). */
const NOT_FOUND = /credentials not found/i;

/**
 * Asks `docker-credential-<name> get` for the login of `serverUrl` (docker-credential-helpers protocol: the server on
 * stdin, JSON on stdout). `undefined` when it has none. Raises CredentialError.
 */
export async function askHelper(
  name: string,
  serverUrl: string,
  { environment, timeout }: HelperSettings,
): Promise<Credentials | undefined> {
  // The name becomes part of a program's name: it may not lead out of PATH.
  if (!/^[A-Za-z0-9_.-]{1,100}$/.test(name))
    throw new CredentialError('docker’s config.json names a credential helper that is not a program name');
  const program = `docker-credential-${name}`;
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | undefined; output: string }>();
  const child = spawn(program, ['get'], { env: environment, stdio: ['pipe', 'pipe', 'ignore'] });
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
    reject(new CredentialError(`${program} gave no answer within ${timeout / 1000} s for ${serverUrl}`));
  }, timeout);
  let output = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (chunk: string) => {
    output += chunk;
    if (output.length > ANSWER_LIMIT) child.kill('SIGKILL');
  });
  child.on('error', (error: NodeJS.ErrnoException) => {
    reject(
      new CredentialError(
        error.code === 'ENOENT'
          ? `${program} is named in docker’s config.json and is not installed: going on without the login for ${serverUrl}`
          : `${program} could not be started (${error.code ?? 'unknown'})`,
      ),
    );
  });
  child.on('close', (code) => resolve({ code: code ?? undefined, output }));
  // A helper may answer without reading; its exit code tells what matters.
  child.stdin.on('error', () => {});
  child.stdin.end(serverUrl);
  try {
    const { code, output: answer } = await promise;
    if (code !== 0) {
      if (NOT_FOUND.test(answer)) return undefined;
      throw new CredentialError(`${program} failed for ${serverUrl}: going on without that login`);
    }
    return readAnswer(program, answer);
  } finally {
    clearTimeout(timer);
  }
}

function readAnswer(program: string, text: string): Credentials | undefined {
  let answer: unknown;
  try {
    answer = parseJson(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
  }
  if (!isJsonObject(answer) || typeof answer['Secret'] !== 'string')
    throw new CredentialError(`${program} did not answer in the way of credential helpers`);
  const username = typeof answer['Username'] === 'string' ? answer['Username'] : '';
  const secret = answer['Secret'];
  if (secret === '') return undefined;
  return username === '<token>' ? { kind: 'identity', token: secret } : { kind: 'password', username, password: secret };
}
