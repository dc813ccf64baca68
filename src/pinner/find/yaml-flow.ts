import { MAX_DEPTH, SyntaxProblem } from './text.ts';
import type { AliasNode, MapNode, Node, SequenceNode } from './tree.ts';
import { asKey, COLON, isBlankCode, isIndicator, QUESTION, register, skipBlank, type Reader } from './yaml-reader.ts';
import { scanDouble, scanPlain, scanSingle } from './yaml-scalar.ts';

/** Anything that is no block collection; `isKey` keeps it to one line. */
export function readFlowOrScalar(reader: Reader, parent: number, isKey: boolean): Node {
  const { text } = reader;
  const start = reader.at;
  const code = text.charCodeAt(start);
  if (code === 91 || code === 123) return readFlow(reader);
  if (code === 42 /* * */) {
    const end = aliasEnd(text, start + 1);
    reader.at = end;
    const name = text.slice(start + 1, end);
    const node: AliasNode = { kind: 'alias', start, name, target: reader.anchors.get(name) };
    return node;
  }
  const scanned =
    code === 34
      ? scanDouble(text, start, isKey)
      : code === 39
        ? scanSingle(text, start, isKey)
        : scanPlain(text, start, reader.lineStart, { parent, isFlow: false, isKey });
  if (scanned.next < 0) throw new SyntaxProblem(start, 'a quote that is never closed');
  reader.at = scanned.next;
  if (scanned.lineStart > reader.lineStart) reader.lineStart = scanned.lineStart;
  return scanned.node;
}

function aliasEnd(text: string, at: number): number {
  for (; !isBlankCode(text.charCodeAt(at)); at++) {
    const code = text.charCodeAt(at);
    if (code === 44 || code === 93 || code === 125 || code === 91 || code === 123) break;
  }
  return at;
}

function readFlow(reader: Reader): Node {
  if (++reader.depth > MAX_DEPTH) throw new SyntaxProblem(reader.at, `nested deeper than ${MAX_DEPTH} levels`);
  const { text } = reader;
  const start = reader.at;
  const isMap = text.charCodeAt(start) === 123;
  const close = isMap ? 125 : 93;
  const map: MapNode = { kind: 'map', start, entries: [] };
  const sequence: SequenceNode = { kind: 'sequence', start, items: [] };
  reader.at++;
  for (;;) {
    skipBlank(reader);
    const code = text.charCodeAt(reader.at);
    if (reader.at >= text.length) throw new SyntaxProblem(start, `a "${isMap ? '{' : '['}" that is never closed`);
    if (code === close) break;
    if (code === 44) {
      reader.at++;
      continue;
    }
    const entry = readFlowEntry(reader);
    if (isMap) map.entries.push({ key: asKey(entry.key, reader.at), value: entry.value });
    else if (entry.isPair)
      sequence.items.push({
        kind: 'map',
        start: entry.key?.start ?? reader.at,
        entries: [{ key: asKey(entry.key, reader.at), value: entry.value }],
      });
    else sequence.items.push(entry.key);
    skipBlank(reader);
    const after = text.charCodeAt(reader.at);
    if (after !== 44 && after !== close) {
      if (reader.at >= text.length) throw new SyntaxProblem(start, `a "${isMap ? '{' : '['}" that is never closed`);
      throw new SyntaxProblem(reader.at, 'a comma or a closing bracket was expected');
    }
  }
  reader.at++;
  reader.depth--;
  return isMap ? map : sequence;
}

interface FlowEntry {
  key: Node | undefined;
  isPair: boolean;
  value: Node | undefined;
}

function readFlowEntry(reader: Reader): FlowEntry {
  const { text } = reader;
  if (isIndicator(text, reader.at, QUESTION)) {
    reader.at++;
    skipBlank(reader);
  }
  const key = text.charCodeAt(reader.at) === COLON ? undefined : readFlowNode(reader);
  skipBlank(reader);
  if (text.charCodeAt(reader.at) !== COLON) return { key, isPair: false, value: undefined };
  reader.at++;
  skipBlank(reader);
  const code = text.charCodeAt(reader.at);
  const value = code === 44 || code === 93 || code === 125 ? undefined : readFlowNode(reader);
  return { key, isPair: true, value };
}

function readFlowNode(reader: Reader): Node | undefined {
  const { text } = reader;
  let tag: string | undefined;
  let anchor: string | undefined;
  for (let code = text.charCodeAt(reader.at); code === 33 || code === 38; code = text.charCodeAt(reader.at)) {
    const end = aliasEnd(text, reader.at + 1);
    if (code === 33) tag = text.slice(reader.at + 1, end);
    else anchor = text.slice(reader.at + 1, end);
    reader.at = end;
    skipBlank(reader);
  }
  const code = text.charCodeAt(reader.at);
  if (code === 44 || code === 93 || code === 125) return undefined;
  let node: Node;
  if (code === 91 || code === 123 || code === 42 || code === 34 || code === 39) node = readFlowOrScalar(reader, -1, false);
  else {
    const scanned = scanPlain(text, reader.at, reader.lineStart, { parent: -1, isFlow: true, isKey: false });
    if (scanned.next === reader.at) throw new SyntaxProblem(reader.at, 'a value was expected');
    reader.at = scanned.next;
    reader.lineStart = scanned.lineStart;
    node = scanned.node;
  }
  if (tag !== undefined && node.kind !== 'alias') node.tag = tag;
  return register(reader, anchor, node);
}
