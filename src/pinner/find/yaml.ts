import { MAX_DEPTH, SyntaxProblem } from './text.ts';
import type { Entry, MapNode, Node, ScalarNode, SequenceNode } from './tree.ts';
import { readFlowOrScalar } from './yaml-flow.ts';
import {
  asKey,
  COLON,
  CR,
  DASH,
  endOfWord,
  HASH,
  isBlankCode,
  isIndicator,
  LF,
  QUESTION,
  register,
  skipBlank,
  SPACE,
  TAB,
  type Reader,
} from './yaml-reader.ts';
import { scanBlockScalar, scanDouble, scanSingle } from './yaml-scalar.ts';

/**
 * YAML 1.2, read for its structure and for where its scalars stand: one pass over the text, nothing resolved (a number is its
 * text), and no second look at any byte. It accepts some streams that YAML forbids, and raises SyntaxProblem for what has no
 * clear structure: wrong indentation, open quotes and brackets, tabs in front of keys.
 */
export interface YamlDocument {
  start: number;
  root: Node | undefined;
}

/** Documents of a stream, one at a time, so that a caller may skip one that cannot matter. */
export function parseYaml(text: string, isWanted: (document: string) => boolean = () => true): YamlDocument[] {
  const documents: YamlDocument[] = [];
  for (const [start, end] of splitDocuments(text)) {
    const body = text.slice(start, end);
    if (!isWanted(body)) continue;
    // Parsed with the text cut at its end, so that no document can run into the next.
    const reader: Reader = {
      text: end === text.length ? text : text.slice(0, end),
      at: start,
      lineStart: start,
      anchors: new Map(),
      depth: 0,
    };
    const previous = text.lastIndexOf('\n', start - 1) + 1;
    if (previous < start) reader.lineStart = previous;
    const root = parseNode(reader, -1, { inline: reader.lineStart < start, sequenceAt: -1 });
    skipBlank(reader);
    if (reader.at < reader.text.length) throw new SyntaxProblem(reader.at, 'text that belongs to no key or list');
    documents.push({ start, root });
  }
  return documents;
}

function splitDocuments(text: string): [number, number][] {
  const ranges: [number, number][] = [];
  let start = 0;
  const marker = /^(?:---(?=[ \t\r\n]|$)|\.\.\.(?=[ \t\r\n]|$)|%[^\n]*)/gm;
  let isInBody = false;
  for (let match = marker.exec(text); match; match = marker.exec(text)) {
    const isDirective = match[0].startsWith('%');
    if (isDirective && isInBody) continue;
    if (match.index > start) ranges.push([start, match.index]);
    start = match.index + match[0].length;
    isInBody = match[0] === '---';
  }
  ranges.push([start, text.length]);
  return ranges;
}

interface Place {
  /** On the line of what it belongs to, where no block mapping may begin. */
  inline: boolean;
  /** A list may stand at this column even though it is not deeper (below its key); -1 for none. */
  sequenceAt: number;
}

/** A node deeper than `parent`; `undefined` when nothing is written. */
function parseNode(reader: Reader, parent: number, place: Place): Node | undefined {
  if (++reader.depth > MAX_DEPTH) throw new SyntaxProblem(reader.at, `nested deeper than ${MAX_DEPTH} levels`);
  try {
    return readNode(reader, parent, place);
  } finally {
    reader.depth--;
  }
}

function readNode(reader: Reader, parent: number, place: Place): Node | undefined {
  const { text } = reader;
  const from = reader.lineStart;
  skipBlank(reader);
  let inline = place.inline && reader.lineStart === from;
  const properties: { tag?: string; anchor?: string } = {};
  const isOutside = (): boolean => {
    if (reader.at >= text.length) return true;
    if (inline) return false;
    const column = reader.at - reader.lineStart;
    return column <= parent && !(column === place.sequenceAt && isIndicator(text, reader.at, DASH));
  };
  if (isOutside()) return undefined;
  let start = reader.at;
  for (;;) {
    const code = text.charCodeAt(reader.at);
    if (code !== 33 /* ! */ && code !== 38 /* & */) break;
    // Properties in front of a key belong to the key; on a line of their own, to what follows.
    const end = endOfWord(text, reader.at);
    const word = text.slice(reader.at + 1, end);
    const line = reader.lineStart;
    const mark = reader.at;
    reader.at = end;
    skipBlank(reader);
    if (reader.lineStart === line && !inline && startsKey(reader)) {
      reader.at = mark;
      return register(reader, undefined, readBlockMap(reader, mark - reader.lineStart));
    }
    if (code === 33) properties.tag = word;
    else properties.anchor = word;
    if (reader.lineStart !== line) inline = false;
    if (isOutside()) {
      const empty: ScalarNode = { kind: 'scalar', start: end, end, text: '', style: 'plain', exact: true };
      return register(reader, properties.anchor, properties.tag === undefined ? empty : { ...empty, tag: properties.tag });
    }
    start = reader.at;
  }
  const node = readContent(reader, parent, start, inline);
  if (properties.tag !== undefined && node.kind !== 'alias') node.tag = properties.tag;
  return register(reader, properties.anchor, node);
}

function readContent(reader: Reader, parent: number, start: number, inline: boolean): Node {
  const { text } = reader;
  const column = start - reader.lineStart;
  if (!inline) forbidTabs(reader);
  if (isIndicator(text, start, DASH)) {
    if (inline) throw new SyntaxProblem(start, 'a list may not begin on the line of its key');
    return readBlockSequence(reader, column);
  }
  if (!inline && (isIndicator(text, start, QUESTION) || startsKey(reader))) return readBlockMap(reader, column);
  const code = text.charCodeAt(start);
  if (code === 124 || code === 62) return block(reader, parent);
  const node = readFlowOrScalar(reader, parent, false);
  endLine(reader, node);
  return node;
}

function block(reader: Reader, parent: number): ScalarNode {
  const scanned = scanBlockScalar(reader.text, reader.at, parent);
  reader.at = scanned.next;
  reader.lineStart = scanned.lineStart;
  return scanned.node;
}

function forbidTabs(reader: Reader): void {
  const lead = reader.text.slice(reader.lineStart, reader.at);
  const tab = lead.indexOf('\t');
  if (tab >= 0 && lead.trim() === '' && startsKey(reader))
    throw new SyntaxProblem(reader.lineStart + tab, 'a tab where indentation must be spaces');
}

/** Only a comment may follow on the line. */
function endLine(reader: Reader, node: Node): void {
  if (node.kind === 'scalar' && node.style === 'plain') return;
  const { text } = reader;
  let at = reader.at;
  while (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB || text.charCodeAt(at) === CR) at++;
  const code = text.charCodeAt(at);
  if (at >= text.length || code === LF || (code === HASH && at > reader.at)) return;
  throw new SyntaxProblem(at, 'text after the end of a value');
}

/** Whether a key and its colon stand here, on this line. */
function startsKey(reader: Reader): boolean {
  const { text } = reader;
  let at = reader.at;
  const code = text.charCodeAt(at);
  if (code === 124 || code === 62 || code === 37 || code === 64 || code === 96) return false;
  if (code === 34 || code === 39) {
    at = code === 34 ? scanDouble(text, at, true).next : scanSingle(text, at, true).next;
    if (at < 0) return false;
    while (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB) at++;
    return isIndicator(text, at, COLON);
  }
  if (code === 91 || code === 123) return flowKeyEnds(text, at);
  for (; at < text.length; at++) {
    const here = text.charCodeAt(at);
    if (here === LF) return false;
    if (here === COLON && isBlankCode(text.charCodeAt(at + 1))) return true;
    if (here === HASH && isBlankCode(text.charCodeAt(at - 1))) return false;
  }
  return false;
}

/** `[a, b]: value` and `{{ x }}: value`: a flow collection as a key, on one line. */
function flowKeyEnds(text: string, at: number): boolean {
  let depth = 0;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === LF) return false;
    if (code === 34 || code === 39) {
      const next = code === 34 ? scanDouble(text, at, true).next : scanSingle(text, at, true).next;
      if (next < 0) return false;
      at = next - 1;
    } else if (code === 91 || code === 123) depth++;
    else if ((code === 93 || code === 125) && --depth === 0) {
      at++;
      while (text.charCodeAt(at) === SPACE) at++;
      return isIndicator(text, at, COLON);
    }
  }
  return false;
}

function readBlockSequence(reader: Reader, column: number): SequenceNode {
  const node: SequenceNode = { kind: 'sequence', start: reader.at, items: [] };
  for (;;) {
    reader.at++;
    node.items.push(readAfterIndicator(reader, column));
    skipBlank(reader);
    const here = reader.at - reader.lineStart;
    if (reader.at >= reader.text.length || here < column) return node;
    if (here > column) throw new SyntaxProblem(reader.at, 'deeper indentation than the list it follows');
    if (!isIndicator(reader.text, reader.at, DASH)) return node;
  }
}

/** After `-` or `?`: a nested collection may begin on the same line, at its own column. */
function readAfterIndicator(reader: Reader, column: number): Node | undefined {
  const { text } = reader;
  let at = reader.at;
  while (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB) at++;
  const code = text.charCodeAt(at);
  if (at >= text.length || code === LF || code === CR || code === HASH)
    return parseNode(reader, column, { inline: false, sequenceAt: -1 });
  reader.at = at;
  return parseNode(reader, column, { inline: false, sequenceAt: -1 });
}

function readBlockMap(reader: Reader, column: number): MapNode {
  const node: MapNode = { kind: 'map', start: reader.at, entries: [] };
  const { text } = reader;
  for (;;) {
    node.entries.push(readBlockEntry(reader, column));
    skipBlank(reader);
    if (reader.at >= text.length) return node;
    const here = reader.at - reader.lineStart;
    if (here < column) return node;
    if (here > column) throw new SyntaxProblem(reader.at, 'deeper indentation than the key it follows');
    if (isIndicator(text, reader.at, DASH)) return node;
    forbidTabs(reader);
  }
}

function readBlockEntry(reader: Reader, column: number): Entry {
  const { text } = reader;
  if (isIndicator(text, reader.at, QUESTION)) {
    reader.at++;
    const key = asKey(readAfterIndicator(reader, column), reader.at);
    skipBlank(reader);
    if (reader.at - reader.lineStart !== column || !isIndicator(text, reader.at, COLON)) return { key, value: undefined };
    reader.at++;
    return { key, value: readAfterIndicator(reader, column) };
  }
  const anchors: string[] = [];
  while (text.charCodeAt(reader.at) === 33 || text.charCodeAt(reader.at) === 38) {
    const end = endOfWord(text, reader.at);
    if (text.charCodeAt(reader.at) === 38) anchors.push(text.slice(reader.at + 1, end));
    reader.at = end;
    while (text.charCodeAt(reader.at) === SPACE) reader.at++;
  }
  if (!startsKey(reader)) throw new SyntaxProblem(reader.at, 'a key without a colon');
  const key = asKey(readFlowOrScalar(reader, column, true), reader.at);
  for (const anchor of anchors) reader.anchors.set(anchor, key);
  while (text.charCodeAt(reader.at) === SPACE || text.charCodeAt(reader.at) === TAB) reader.at++;
  if (!isIndicator(text, reader.at, COLON)) throw new SyntaxProblem(reader.at, 'a key without a colon');
  reader.at++;
  return { key, value: parseNode(reader, column, { inline: true, sequenceAt: column }) };
}
