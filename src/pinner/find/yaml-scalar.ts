import { SyntaxProblem } from './text.ts';
import type { ScalarNode } from './tree.ts';

/** `next` is the offset behind the scalar, or -1 when its quote is never closed (on the line, for a key). */
export interface ScannedScalar {
  node: ScalarNode;
  next: number;
  lineStart: number;
}

const SPACE = 32,
  TAB = 9,
  LF = 10,
  CR = 13;

export function scanSingle(text: string, start: number, isOneLine: boolean): ScannedScalar {
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf("'", at);
    if (quote < 0) return unclosed(start);
    if (text.charCodeAt(quote + 1) === 39) {
      at = quote + 2;
      continue;
    }
    return quoted(text, start + 1, quote, 'single', isOneLine);
  }
}

export function scanDouble(text: string, start: number, isOneLine: boolean): ScannedScalar {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 92) at++;
    else if (code === 34) return quoted(text, start + 1, at, 'double', isOneLine);
    else if (code === LF && isOneLine) return unclosed(start);
  }
  return unclosed(start);
}

function unclosed(start: number): ScannedScalar {
  return { node: { kind: 'scalar', start, end: start, text: '', style: 'plain', exact: false }, next: -1, lineStart: start };
}

function quoted(text: string, start: number, end: number, style: 'single' | 'double', isOneLine: boolean): ScannedScalar {
  const raw = text.slice(start, end);
  const lastLine = raw.lastIndexOf('\n');
  if (isOneLine && lastLine >= 0) return unclosed(start - 1);
  const isExact = lastLine < 0 && !raw.includes(style === 'single' ? "'" : '\\');
  const content = isExact ? raw : style === 'single' ? fold(raw, false).replaceAll("''", "'") : unescapeDouble(fold(raw, true));
  return {
    node: { kind: 'scalar', start, end, text: content, style, exact: isExact },
    next: end + 1,
    lineStart: lastLine < 0 ? 0 : start + lastLine + 1,
  };
}

/** A line end and the blanks around it become one space; further empty lines become line ends. */
function fold(raw: string, isDouble: boolean): string {
  if (!raw.includes('\n')) return raw;
  const lines = raw.split('\n');
  const pieces: string[] = [];
  let before = (lines[0] ?? '').trimEnd();
  let empty = 0;
  for (let index = 1; index < lines.length; index++) {
    const line = (lines[index] ?? '').trim();
    if (line === '' && index < lines.length - 1) {
      empty++;
      continue;
    }
    // In double quotes, a backslash at the end of a line takes the line end away.
    const isJoined = isDouble && endsOpen(before);
    pieces.push(isJoined ? before.slice(0, -1) : before, empty > 0 ? '\n'.repeat(empty) : isJoined ? '' : ' ');
    before = line;
    empty = 0;
  }
  return pieces.join('') + before;
}

/** Ends with a backslash that no other one escapes. */
function endsOpen(line: string): boolean {
  let count = 0;
  while (line[line.length - 1 - count] === '\\') count++;
  return count % 2 === 1;
}

const ESCAPES: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  a: '\x07',
  b: '\b',
  v: '\v',
  f: '\f',
  e: '\x1b',
  '"': '"',
  '/': '/',
  '\\': '\\',
  ' ': ' ',
  _: '\xa0',
};

function unescapeDouble(raw: string): string {
  return raw.replaceAll(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))/g,
    (_all, x, u, U, one: string | undefined) => {
      if (one !== undefined) return ESCAPES[one] ?? one;
      const code = Number.parseInt((x ?? u ?? U) as string, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
    },
  );
}

interface PlainPlace {
  /** Continuation lines must be deeper than this column. */
  parent: number;
  isFlow: boolean;
  isKey: boolean;
}

export function scanPlain(text: string, start: number, lineStart: number, place: PlainPlace): ScannedScalar {
  if (!place.isFlow) {
    const first = text.charCodeAt(start);
    if (first === 64 || first === 96 || first === 37)
      throw new SyntaxProblem(start, `a value may not begin with "${text[start]}"`);
  }
  let end = plainLineEnd(text, start, place);
  let isExact = true;
  let content = text.slice(start, end);
  let next = end;
  let line = lineStart;
  while (!place.isKey) {
    // Another line of the same scalar?
    let at = next;
    while (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB || text.charCodeAt(at) === CR) at++;
    if (text.charCodeAt(at) !== LF) break;
    let breaks = 0;
    let newLine = line;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code === LF) {
        breaks++;
        newLine = at + 1;
      } else if (code !== SPACE && code !== TAB && code !== CR) break;
      at++;
    }
    if (at >= text.length || text.charCodeAt(at) === 35) break;
    if (!place.isFlow && at - newLine <= place.parent) break;
    const stop = plainLineEnd(text, at, place);
    if (stop === at) break;
    if (!place.isFlow && text.charCodeAt(stop) === 58)
      throw new SyntaxProblem(at, 'a key inside the lines of a value (is the indentation right?)');
    content += (breaks > 1 ? '\n'.repeat(breaks - 1) : ' ') + text.slice(at, stop);
    isExact = false;
    end = stop;
    next = stop;
    line = newLine;
  }
  if (!place.isFlow && !place.isKey && text.charCodeAt(next) === 58)
    throw new SyntaxProblem(next, 'a second ":" in one line (quote the value)');
  return { node: { kind: 'scalar', start, end, text: content, style: 'plain', exact: isExact }, next, lineStart: line };
}

function plainLineEnd(text: string, start: number, place: PlainPlace): number {
  let end = start;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === LF) break;
    if (code === SPACE || code === TAB || code === CR) continue;
    if (code === 35 && at > start && isBlank(text.charCodeAt(at - 1))) break;
    if (code === 58) {
      const after = text.charCodeAt(at + 1);
      if (isBlank(after) || (place.isFlow && (after === 44 || after === 93 || after === 125 || after === 91 || after === 123))) {
        // Points at the colon, blanks before it included, so that the caller sees what stopped the scan.
        return at === end ? at : place.isKey || place.isFlow ? end : at;
      }
    } else if (place.isFlow && (code === 44 || code === 91 || code === 93 || code === 123 || code === 125)) break;
    end = at + 1;
  }
  return end;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB || code === LF || code === CR || Number.isNaN(code);
}

/** `|` and `>`: the lines below that are deeper than `parent`. A folded one is never exact, nor one of more than its text. */
export function scanBlockScalar(text: string, start: number, parent: number): ScannedScalar {
  let at = start + 1;
  let explicit = 0;
  for (; at < text.length && text.charCodeAt(at) !== LF; at++) {
    const code = text.charCodeAt(at);
    if (code >= 49 && code <= 57) explicit = code - 48;
    else if (code === 43 || code === 45 || code === CR) continue;
    else if (code === SPACE || code === TAB) {
      const rest = text.slice(at, lineEnd(text, at)).trim();
      if (rest !== '' && !rest.startsWith('#')) throw new SyntaxProblem(at, 'text after "|" or ">"');
      at = lineEnd(text, at);
      break;
    } else throw new SyntaxProblem(at, 'text after "|" or ">"');
  }
  const body = Math.min(at + 1, text.length);
  let indent = explicit > 0 ? Math.max(parent, 0) + explicit : -1;
  let end = body;
  let lineStart = body;
  for (let line = body; line < text.length;) {
    const stop = lineEnd(text, line);
    let content = line;
    while (text.charCodeAt(content) === SPACE) content++;
    const isEmpty = content >= stop || (text.charCodeAt(content) === CR && content + 1 >= stop);
    if (!isEmpty) {
      const column = content - line;
      if (indent < 0) indent = column;
      if (column < indent || column <= parent) break;
    }
    end = isEmpty ? end : stop;
    line = Math.min(stop + 1, text.length);
    lineStart = line;
    if (stop >= text.length) break;
  }
  return {
    node: {
      kind: 'scalar',
      start: body,
      end,
      text: text.slice(body, end),
      style: text.charCodeAt(start) === 62 ? 'folded' : 'block',
      exact: false,
    },
    next: lineStart,
    lineStart,
  };
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}
