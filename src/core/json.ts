/** A JSON value as `JSON.parse` gives it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export class JsonError extends Error {}

/**
 * `JSON.parse` for hostile text: refuses what two parsers could read in two ways (a key given twice, invalid UTF-8)
 * and what exhausts a reader (nesting deeper than `maxDepth`). Raises `JsonError`.
 */
export function parseJson(bytes: Uint8Array | string, maxDepth = 64): Json {
  let text: string;
  try {
    text = typeof bytes === 'string' ? bytes : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new JsonError('not UTF-8');
  }
  checkStructure(text, maxDepth);
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new JsonError('not JSON');
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Walks brackets and strings only; `JSON.parse` checks the grammar afterwards. */
function checkStructure(text: string, maxDepth: number): void {
  // One entry for each open bracket: the keys seen so far in an object, `undefined` in an array.
  const open: (Set<string> | undefined)[] = [];
  let keyMayFollow = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) {
      const start = at;
      at = endOfString(text, start);
      const keys = open[open.length - 1];
      if (keyMayFollow && keys !== undefined) {
        const key = unquote(text.slice(start, at + 1));
        if (keys.has(key)) throw new JsonError(`the key ${JSON.stringify(key.slice(0, 100))} is given twice`);
        keys.add(key);
      }
      keyMayFollow = false;
    } else if (char === 0x7b || char === 0x5b) {
      if (open.length >= maxDepth) throw new JsonError(`nested deeper than ${maxDepth} levels`);
      open.push(char === 0x7b ? new Set() : undefined);
      keyMayFollow = char === 0x7b;
    } else if (char === 0x7d || char === 0x5d) {
      open.pop();
      keyMayFollow = false;
    } else if (char === 0x2c) {
      keyMayFollow = open[open.length - 1] !== undefined;
    }
  }
}

/** The place of the quotation mark that closes the string which opens at `start`; the end of the text when none does. */
function endOfString(text: string, start: number): number {
  // Values of many megabytes are common (a layer's part in base64), and this search is much faster than a loop.
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
  return text.length;
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    throw new JsonError('not JSON');
  }
}
