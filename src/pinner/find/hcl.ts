import { MAX_DEPTH, SyntaxProblem } from './text.ts';

/** HCL (Terraform, OpenTofu, Nomad) for its structure: blocks, attributes, and where the string literals of each value stand. */
export interface Body {
  attributes: Attribute[];
  blocks: Block[];
}

export interface Block {
  type: string;
  labels: string[];
  body: Body;
}

export interface Attribute {
  name: string;
  start: number;
  value: Expression;
}

/** A value that is one term is that term; anything computed is `operation`, with the terms that it holds. */
export type Expression =
  | { kind: 'string'; start: number; end: number; text: string; exact: boolean }
  | { kind: 'heredoc'; start: number; end: number; text: string }
  | { kind: 'object'; entries: Attribute[] }
  | { kind: 'tuple'; items: Expression[] }
  | { kind: 'call'; name: string; items: Expression[] }
  | { kind: 'traversal'; text: string }
  | { kind: 'operation'; items: Expression[] };

interface Reader {
  text: string;
  at: number;
  depth: number;
}

export function parseHcl(text: string): Body {
  const reader: Reader = { text, at: 0, depth: 0 };
  const body = readBody(reader, false);
  return body;
}

const WORD = /[A-Za-z_\x80-\xff\x01][A-Za-z0-9_\x80-\xff\x01-]*/y;

function readWord(reader: Reader): string | undefined {
  WORD.lastIndex = reader.at;
  const match = WORD.exec(reader.text);
  if (!match) return undefined;
  reader.at = WORD.lastIndex;
  return match[0];
}

/** Spaces and comments; line ends too unless `isLine`. */
function skip(reader: Reader, isLine = false): void {
  const { text } = reader;
  for (;;) {
    const code = text.charCodeAt(reader.at);
    if (code === 32 || code === 9 || code === 13 || (code === 10 && !isLine)) reader.at++;
    else if (code === 35 || (code === 47 && text.charCodeAt(reader.at + 1) === 47)) reader.at = endOf(text, '\n', reader.at, 0);
    else if (code === 47 && text.charCodeAt(reader.at + 1) === 42) reader.at = endOf(text, '*/', reader.at + 2, 2);
    else return;
  }
}

function endOf(text: string, what: string, from: number, past: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? text.length : at + past;
}

function deeper(reader: Reader): void {
  if (++reader.depth > MAX_DEPTH) throw new SyntaxProblem(reader.at, `nested deeper than ${MAX_DEPTH} levels`);
}

function readBody(reader: Reader, isInner: boolean): Body {
  deeper(reader);
  const body: Body = { attributes: [], blocks: [] };
  const opened = reader.at;
  for (;;) {
    skip(reader);
    if (reader.at >= reader.text.length) {
      if (isInner) throw new SyntaxProblem(opened - 1, 'a "{" that is never closed');
      break;
    }
    if (reader.text[reader.at] === '}') {
      if (!isInner) throw new SyntaxProblem(reader.at, 'a "}" without its "{"');
      reader.at++;
      break;
    }
    if (reader.text[reader.at] === ',' || reader.text[reader.at] === ';') reader.at++;
    else readItem(reader, body);
  }
  reader.depth--;
  return body;
}

function readItem(reader: Reader, body: Body): void {
  const { text } = reader;
  const start = reader.at;
  const quoted = text[reader.at] === '"' ? readString(reader) : undefined;
  const name = quoted?.text ?? readWord(reader);
  // HCL 1, which Nomad still reads in places, has names with dots.
  while (quoted === undefined && text[reader.at] === '.') {
    reader.at++;
    if (readWord(reader) === undefined) break;
  }
  if (name === undefined) throw new SyntaxProblem(reader.at, 'a name was expected');
  skip(reader, true);
  if ((text[reader.at] === '=' && text[reader.at + 1] !== '=') || text[reader.at] === ':') {
    reader.at++;
    body.attributes.push({ name, start, value: readExpression(reader, false) });
    return;
  }
  const labels: string[] = [];
  for (;;) {
    skip(reader, true);
    if (text[reader.at] === '{') break;
    const label = text[reader.at] === '"' ? readString(reader).text : readWord(reader);
    if (label === undefined) throw new SyntaxProblem(reader.at, `"=" or "{" was expected after "${name.slice(0, 60)}"`);
    labels.push(label);
  }
  reader.at++;
  body.blocks.push({ type: name, labels, body: readBody(reader, true) });
}

/** Terms up to the end of the line, or within brackets up to a comma or the closing one. */
function readExpression(reader: Reader, isInBrackets: boolean): Expression {
  const { text } = reader;
  const items: Expression[] = [];
  let isComputed = false;
  for (;;) {
    skip(reader, !isInBrackets);
    const char = text[reader.at];
    if (char === undefined || char === '\n' || char === ',' || char === '}' || char === ']' || char === ')' || char === ';')
      break;
    if (items.length === 0 || isComputed) {
      const term = readTerm(reader);
      if (term) {
        items.push(term);
        continue;
      }
    } else if (isInBrackets && (char === '=' || char === ':') && text[reader.at + 1] !== '=') break;
    else if (isInBrackets && /[A-Za-z_"]/.test(char)) break;
    isComputed = true;
    const term = readTerm(reader);
    if (term) items.push(term);
    else {
      reader.at++;
      // An operator at the end of a line goes on with the next one only inside of brackets, or after `?` and `:`.
      if ((char === '?' || char === ':') && !isInBrackets) skip(reader);
    }
  }
  const [first] = items;
  return items.length === 1 && first && !isComputed ? first : { kind: 'operation', items };
}

function readTerm(reader: Reader): Expression | undefined {
  const { text } = reader;
  const char = text[reader.at];
  if (char === '"') return readString(reader);
  if (char === '<' && text[reader.at + 1] === '<') return readHeredoc(reader);
  if (char === '[') return { kind: 'tuple', items: readItems(reader, ']') };
  if (char === '{') return readObject(reader);
  if (char === '(') {
    const items = readItems(reader, ')');
    return items.length === 1 && items[0] ? items[0] : { kind: 'operation', items };
  }
  const start = reader.at;
  const word = readWord(reader);
  if (word === undefined) return undefined;
  while (text[reader.at] === '.' || (text[reader.at] === ':' && text[reader.at + 1] === ':')) {
    reader.at += text[reader.at] === '.' ? 1 : 2;
    if (readWord(reader) === undefined) {
      if (text[reader.at] === '*') reader.at++;
      while (/[0-9]/.test(text[reader.at] ?? '')) reader.at++;
    }
  }
  const name = text.slice(start, reader.at);
  if (text[reader.at] === '(') return { kind: 'call', name, items: readItems(reader, ')') };
  if (text[reader.at] === '[') {
    readItems(reader, ']');
    while (text[reader.at] === '.' || text[reader.at] === '[') {
      if (text[reader.at] === '[') readItems(reader, ']');
      else {
        reader.at++;
        if (readWord(reader) === undefined && text[reader.at] === '*') reader.at++;
      }
    }
  }
  return { kind: 'traversal', text: name };
}

function readItems(reader: Reader, close: string): Expression[] {
  deeper(reader);
  const start = reader.at++;
  const items: Expression[] = [];
  for (;;) {
    skip(reader);
    const char = reader.text[reader.at];
    if (char === undefined) throw new SyntaxProblem(start, 'a bracket that is never closed');
    if (char === close) break;
    if (char === '}' || char === ']' || char === ')') throw new SyntaxProblem(reader.at, `"${close}" was expected`);
    const from = reader.at;
    if (char === ',' || char === ';') reader.at++;
    else items.push(readExpression(reader, true));
    if (reader.at === from) reader.at++;
  }
  reader.at++;
  reader.depth--;
  return items;
}

function readObject(reader: Reader): Expression {
  deeper(reader);
  const { text } = reader;
  const start = reader.at++;
  const entries: Attribute[] = [];
  for (;;) {
    skip(reader);
    const char = text[reader.at];
    if (char === undefined) throw new SyntaxProblem(start, 'a "{" that is never closed');
    if (char === '}') break;
    if (char === ']' || char === ')') throw new SyntaxProblem(reader.at, '"}" was expected');
    if (char === ',' || char === ';') {
      reader.at++;
      continue;
    }
    const from = reader.at;
    const key = readTerm(reader);
    skip(reader, true);
    if (text[reader.at] === '=' && text[reader.at + 1] === '>') reader.at++;
    if (key && (text[reader.at] === '=' || text[reader.at] === ':')) {
      reader.at++;
      entries.push({
        name: key.kind === 'string' || key.kind === 'traversal' ? key.text : '',
        start: from,
        value: readExpression(reader, false),
      });
    } else if (reader.at === from || !key) reader.at++;
  }
  reader.at++;
  reader.depth--;
  return { kind: 'object', entries };
}

/** A quoted template. With `${}` or `%{}` its text keeps them, so that nobody takes it for a literal. */
function readString(reader: Reader): Extract<Expression, { kind: 'string' }> {
  const { text } = reader;
  const start = reader.at + 1;
  let exact = true;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') {
      exact = false;
      at++;
    } else if ((char === '$' || char === '%') && text[at + 1] === '{') {
      if (text[at - 1] !== char) at = interpolationEnd(text, at + 2, start, 0);
    } else if (char === '\n') break;
    else if (char === '"') {
      reader.at = at + 1;
      const raw = text.slice(start, at);
      return { kind: 'string', start, end: at, text: exact ? raw : raw.replaceAll(/\\(.)/g, '$1'), exact };
    }
  }
  throw new SyntaxProblem(start - 1, 'a quote that is not closed on its line');
}

/** The index of the `}` that closes an interpolation, strings inside of it (and theirs) included. */
function interpolationEnd(text: string, from: number, start: number, depth: number): number {
  if (depth > MAX_DEPTH) throw new SyntaxProblem(from, `nested deeper than ${MAX_DEPTH} levels`);
  let braces = 1;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === '{') braces++;
    else if (char === '}' && --braces === 0) return at;
    else if (char === '"') {
      for (at++; at < text.length && text[at] !== '"'; at++) {
        if (text[at] === '\n') throw new SyntaxProblem(start, 'an interpolation that is never closed');
        if (text[at] === '\\') at++;
        else if (text[at] === '$' && text[at + 1] === '{') at = interpolationEnd(text, at + 2, start, depth + 1);
      }
    }
  }
  throw new SyntaxProblem(start, 'an interpolation that is never closed');
}

function readHeredoc(reader: Reader): Expression {
  const { text } = reader;
  const head = /<<-?[ \t]*"?([A-Za-z_][A-Za-z0-9_-]*)"?[ \t]*\r?(?:\n|$)/y;
  head.lastIndex = reader.at;
  const match = head.exec(text);
  if (!match) throw new SyntaxProblem(reader.at, 'a heredoc without a name');
  const start = head.lastIndex;
  for (let at = start; at < text.length;) {
    const stop = text.indexOf('\n', at);
    const end = stop < 0 ? text.length : stop;
    if (text.slice(at, end).trim() === match[1]) {
      // The line end stays: it ends the attribute.
      reader.at = end;
      return { kind: 'heredoc', start, end: at, text: text.slice(start, at) };
    }
    at = end + 1;
  }
  throw new SyntaxProblem(reader.at, `a heredoc without its closing ${match[1]}`);
}
