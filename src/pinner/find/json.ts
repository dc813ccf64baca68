import { MAX_DEPTH, SyntaxProblem } from './text.ts';
import type { MapNode, Node, ScalarNode, SequenceNode } from './tree.ts';

interface Reader {
  text: string;
  at: number;
  depth: number;
}

/**
 * JSON with comments and trailing commas (devcontainer.json, tsconfig-like files), for its structure and places. Bare words are
 * taken as they stand, so that a template's unquoted `${port}` does not hide the rest. Raises SyntaxProblem.
 */
export function parseJson(text: string): Node | undefined {
  const reader: Reader = { text, at: 0, depth: 0 };
  skipBlank(reader);
  if (reader.at >= text.length) return undefined;
  const node = readValue(reader);
  skipBlank(reader);
  if (reader.at < text.length) throw new SyntaxProblem(reader.at, 'text after the end of the JSON value');
  return node;
}

function skipBlank(reader: Reader): void {
  const { text } = reader;
  for (;;) {
    const code = text.charCodeAt(reader.at);
    if (code === 32 || code === 10 || code === 13 || code === 9) reader.at++;
    else if (code === 47 && text.charCodeAt(reader.at + 1) === 47) reader.at = endAt(text, '\n', reader.at, 0);
    else if (code === 47 && text.charCodeAt(reader.at + 1) === 42) reader.at = endAt(text, '*/', reader.at + 2, 2);
    else return;
  }
}

function endAt(text: string, what: string, from: number, past: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? text.length : at + past;
}

function readValue(reader: Reader): Node {
  const code = reader.text.charCodeAt(reader.at);
  if (code === 123) return readObject(reader);
  if (code === 91) return readArray(reader);
  return code === 34 ? readString(reader) : readWord(reader);
}

function enter(reader: Reader): void {
  if (++reader.depth > MAX_DEPTH) throw new SyntaxProblem(reader.at, `nested deeper than ${MAX_DEPTH} levels`);
  reader.at++;
}

/** True at the closing bracket, which it moves over. */
function isClosed(reader: Reader, close: number, start: number): boolean {
  skipBlank(reader);
  if (reader.at >= reader.text.length) throw new SyntaxProblem(start, 'a bracket that is never closed');
  if (reader.text.charCodeAt(reader.at) !== close) return false;
  reader.at++;
  reader.depth--;
  return true;
}

/** The comma behind an item; templates drop some on purpose, so it is only required where the next item shows that it is missing. */
function readComma(reader: Reader, close: number, start: number): void {
  skipBlank(reader);
  const code = reader.text.charCodeAt(reader.at);
  if (code === 44) reader.at++;
  else if (reader.at >= reader.text.length) throw new SyntaxProblem(start, 'a bracket that is never closed');
  else if (code !== close) throw new SyntaxProblem(reader.at, 'a comma or a closing bracket was expected');
}

function readObject(reader: Reader): MapNode {
  const node: MapNode = { kind: 'map', start: reader.at, entries: [] };
  enter(reader);
  while (!isClosed(reader, 125, node.start)) {
    const key = reader.text.charCodeAt(reader.at) === 34 ? readString(reader) : readWord(reader);
    skipBlank(reader);
    if (reader.text.charCodeAt(reader.at) !== 58) throw new SyntaxProblem(reader.at, 'a ":" was expected after a key');
    reader.at++;
    skipBlank(reader);
    node.entries.push({ key, value: readValue(reader) });
    readComma(reader, 125, node.start);
  }
  return node;
}

function readArray(reader: Reader): SequenceNode {
  const node: SequenceNode = { kind: 'sequence', start: reader.at, items: [] };
  enter(reader);
  while (!isClosed(reader, 93, node.start)) {
    node.items.push(readValue(reader));
    readComma(reader, 93, node.start);
  }
  return node;
}

function readString(reader: Reader): ScalarNode {
  const { text } = reader;
  const start = reader.at + 1;
  let hasEscape = false;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 92) {
      hasEscape = true;
      at++;
    } else if (code === 34) {
      reader.at = at + 1;
      const raw = text.slice(start, at);
      return { kind: 'scalar', start, end: at, text: hasEscape ? unescapeJson(raw) : raw, style: 'json', exact: !hasEscape };
    } else if (code === 10) break;
  }
  throw new SyntaxProblem(start - 1, 'a quote that is not closed on its line');
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

/** Offsets are not kept: what is escaped is written anew as a whole. */
export function unescapeJson(raw: string): string {
  return raw.replaceAll(/\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g, (_all, hex: string | undefined, one: string | undefined) =>
    hex === undefined ? (ESCAPES[one ?? ''] ?? one ?? '') : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function readWord(reader: Reader): ScalarNode {
  const { text } = reader;
  const start = reader.at;
  let at = start;
  while (at < text.length && !/[\s,:{}[\]"]/.test(text[at] ?? '')) at++;
  if (at === start) throw new SyntaxProblem(at, 'a value was expected');
  reader.at = at;
  return { kind: 'scalar', start, end: at, text: text.slice(start, at), style: 'plain', exact: true };
}
