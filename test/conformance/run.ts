import { isDeepStrictEqual } from 'node:util';
import { createHttp, type Answer, type Call, type Http } from './http.ts';

export interface Check {
  id: string;
  status: 'pass' | 'fail' | 'skip';
  detail?: string;
}

export interface ConformanceOptions {
  /** `http://host:port`. */
  baseUrl: string;
  /** The whole header. */
  authorization?: string;
  repositories: {
    /** Two that take pushes, and one whose name holds words of the routes, such as `x/blobs/uploads`. */
    main: string;
    other: string;
    nested: string;
    /** One that nothing was ever pushed to. */
    missing: string;
  };
  /** `dev` is what the distribution spec has taken in since 1.1.1. */
  version: '1.1' | 'dev';
  report: (check: Check) => void;
}

/** What a scenario works with. Its checks are soft: one that fails does not end it. */
export interface Run extends ConformanceOptions {
  readonly http: Http;
  send(call: Call): Promise<Answer>;
  check(id: string, passed: boolean, detail?: string): boolean;
  equal(id: string, actual: unknown, expected: unknown): boolean;
  status(id: string, answer: Answer, ...expected: number[]): boolean;
  skip(id: string, detail: string): void;
}

export type Scenario = (run: Run) => Promise<void>;

export class Stop extends Error {}

/** Ends a scenario whose next steps make no sense. */
export function need<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Stop(`no ${what} to go on with`);
  return value;
}

export function createRun(options: ConformanceOptions, prefix: string): Run & { finish(): void } {
  const http = createHttp(options);
  const malformed = new Set<string>();
  const report = (id: string, status: Check['status'], detail?: string): void =>
    options.report({ id: `${prefix}/${id}`, status, ...(detail ? { detail } : {}) });
  const check = (id: string, passed: boolean, detail?: string): boolean => {
    report(id, passed ? 'pass' : 'fail', passed ? undefined : detail);
    return passed;
  };
  return {
    ...options,
    http,
    check,
    skip: (id, detail) => report(id, 'skip', detail),
    equal: (id, actual, expected) =>
      check(id, isDeepStrictEqual(actual, expected), `got ${show(actual)}, wanted ${show(expected)}`),
    status: (id, answer, ...expected) =>
      check(
        id,
        expected.includes(answer.status),
        `got ${answer.status} ${answer.body.toString('utf8', 0, 300)}, wanted ${expected.join(' or ')}`,
      ),
    async send(call) {
      const answer = await http.send(call).catch(broken);
      const problem = malformedError(call, answer);
      if (problem !== undefined) malformed.add(`${call.method} ${call.url.slice(0, 120)}: ${problem}`);
      return answer;
    },
    finish() {
      check('errors-are-well-formed', malformed.size === 0, [...malformed].join('; '));
      http.close();
    },
  };
}

/** An answer that breaks off is one that no check wants; what comes next may still be worth knowing. */
function broken(error: unknown): Answer {
  return { status: 0, headers: {}, body: Buffer.from(String(error)) };
}

/** An error has a list of codes in capitals (distribution-spec, "Error Codes"), and no answer is a 5xx. */
function malformedError({ method }: Call, { status, headers, body }: Answer): string | undefined {
  if (status >= 500) return `${status}`;
  if (status < 400 || method === 'HEAD' || status === 401) return undefined;
  if (!headers['content-type']?.startsWith('application/json')) return undefined;
  try {
    const { errors } = JSON.parse(body.toString()) as { errors?: { code?: unknown }[] };
    if (!Array.isArray(errors) || errors.length === 0) return 'no "errors" list';
    return errors.every(({ code }) => typeof code === 'string' && /^[A-Z_]+$/.test(code))
      ? undefined
      : 'a code is not of capitals and underscores';
  } catch {
    return 'not JSON';
  }
}

function show(value: unknown): string {
  const text = Buffer.isBuffer(value) ? `${value.length} bytes` : JSON.stringify(value);
  return (text ?? 'nothing').slice(0, 400);
}
