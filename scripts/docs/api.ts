import { type Fields } from '../../src/wire/holdfast/field.ts';
import type { Answer, ApiOperation } from '../../src/wire/holdfast/operation.ts';
import { apiOperations, ROOT } from '../../src/wire/holdfast/operations.ts';
import { RESOURCES } from '../../src/wire/holdfast/resources.ts';
import { markdownTable } from './markdown.ts';

/** docs/api.md: every operation of our own API, from the table that answers it. */
export function apiPage(): string {
  return [
    '# The Holdfast API',
    '',
    `JSON over HTTP below \`${ROOT}\`, for what the distribution API and the ECR API have no words for. Whatever an`,
    'operation of those can do is not here again.',
    '',
    '**Who asks.** Basic credentials: an access key as user and its secret as password, or `AWS` and a token of',
    '`aws ecr get-login-password`. Or a signature (AWS Signature Version 4) for the service `holdfast`.',
    '',
    '```sh',
    'eval "$(holdfast env)"',
    `curl -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$AWS_ENDPOINT_URL${ROOT}/holds?repository=team/app"`,
    `curl -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$AWS_ENDPOINT_URL${ROOT}/holds" \\`,
    `  -d '{"repository":"team/app","tag":"v1","kind":"cluster","holder":"prod-eu","timeToLiveSeconds":7200}'`,
    '```',
    '',
    '**Where.** In the region of the signature; with Basic credentials in that of the host name, or of `?region=`.',
    '',
    '**Whether they may.** Each operation is an IAM action, `holdfast:` and its name, on the ARN of the repository or on',
    '`*`. A key made with `--allow manage:team/*` has all of them on its repositories; `read-only` has those that only read.',
    '',
    '**Input.** Members of the path stand in the path, those of `GET` and `DELETE` in the query, those of `POST` and `PUT` in',
    'a JSON object. A member that is not known is refused. Times are written `2026-03-01T14:05:09Z`, in any zone.',
    '',
    '**Answers.** 200 with a JSON object, or 204 without a body. A member marked `?` may be absent; it is never `null`. A',
    'list gives `next` when there is more: the same request with `next` gives the page behind it.',
    '',
    '**Errors.** A status from 400 on, and `{ "error": { "kind": "repository-unknown", "message": "…" } }`. The kind is for',
    'programs and stays; the sentence is for people.',
    '',
    markdownTable(
      ['Operation', 'Request', 'Right on'],
      apiOperations.map(({ name, method, path, on }) => [`[${name}](#${name.toLowerCase()})`, `\`${method} ${path}\``, on]),
    ),
    ...apiOperations.map(operationSection),
    '# What answers are made of',
    '',
    ...Object.entries(RESOURCES).map(([name, members]) =>
      [
        `## ${name}`,
        '',
        markdownTable(
          ['Member', 'What it says'],
          Object.entries(members).map(([member, help]) => [`\`${member}\``, help]),
        ),
      ].join('\n'),
    ),
  ].join('\n');
}

function operationSection({ name, method, path, summary, fields, answer }: ApiOperation): string {
  return [
    `## ${name}`,
    '',
    `\`${method} ${ROOT}${path}\``,
    '',
    summary,
    '',
    ...(Object.keys(fields).length === 0 ? [] : [fieldsTable(fields)]),
    `Answer: ${describeAnswer(answer)}`,
    '',
  ].join('\n');
}

function fieldsTable(fields: Fields): string {
  return markdownTable(
    ['Member', 'Type', 'What it says'],
    Object.entries(fields).map(([name, { type, optional, help }]) => [`\`${name}${optional ? '?' : ''}\``, type, help]),
  );
}

function describeAnswer(answer: Answer): string {
  if (answer === undefined) return '204, without a body.';
  if ('kind' in answer) return `${link(answer.kind)}.`;
  if ('lines' in answer) return `${link(answer.lines)}, one a line (\`application/x-ndjson\`), as they come.`;
  return `\`{ "${answer.list}": [ … ], "next"? }\`, each a ${link(answer.of)}.`;
}

function link(name: string): string {
  return `[${name}](#${name.toLowerCase()})`;
}
