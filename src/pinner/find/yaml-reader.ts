import type { Node, ScalarNode } from './tree.ts';

/** Where the parser stands, and what it has seen. */
export interface Reader {
  text: string;
  at: number;
  lineStart: number;
  anchors: Map<string, Node>;
  depth: number;
}

export const SPACE = 32;
export const TAB = 9;
export const LF = 10;
export const CR = 13;
export const HASH = 35;
export const DASH = 45;
export const COLON = 58;
export const QUESTION = 63;

/** Moves over spaces, line ends and comments, to the next character that says something. */
export function skipBlank(reader: Reader): void {
  const { text } = reader;
  let at = reader.at;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === SPACE || code === TAB || code === CR) at++;
    else if (code === LF) reader.lineStart = ++at;
    else if (code === HASH && (at === reader.lineStart || isBlankCode(text.charCodeAt(at - 1)))) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end;
    } else break;
  }
  reader.at = at;
}

export function isBlankCode(code: number): boolean {
  return code === SPACE || code === TAB || code === LF || code === CR || Number.isNaN(code);
}

export function register(reader: Reader, anchor: string | undefined, node: Node): Node {
  if (anchor !== undefined) reader.anchors.set(anchor, node);
  return node;
}

export function isIndicator(text: string, at: number, code: number): boolean {
  return text.charCodeAt(at) === code && isBlankCode(text.charCodeAt(at + 1));
}

export function endOfWord(text: string, at: number): number {
  while (!isBlankCode(text.charCodeAt(at))) at++;
  return at;
}

export function asKey(node: Node | undefined, at: number): ScalarNode {
  if (node?.kind === 'scalar') return node;
  const start = node?.start ?? at;
  return { kind: 'scalar', start, end: start, text: node?.kind === 'alias' ? `*${node.name}` : '', style: 'plain', exact: false };
}
