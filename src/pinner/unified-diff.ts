import type { Edit } from './plan-edits.ts';

const CONTEXT = 3;

/**
 * The edits of one file as a unified diff that `git apply` takes. Line ends stand in it as they are in the file, a carriage
 * return included; the diff is bytes, because a file need not be UTF-8. Every edit lies within one line.
 */
export function unifiedDiff(path: string, before: Uint8Array, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return Buffer.alloc(0);
  const starts = lineStarts(before);
  const changed = new Map<number, Edit[]>();
  let line = 0;
  for (const edit of edits) {
    while (line + 1 < starts.length && starts[line + 1]! <= edit.start) line++;
    changed.set(line, [...(changed.get(line) ?? []), edit]);
  }
  const text = (index: number): string =>
    Buffer.from(before.subarray(starts[index], starts[index + 1] ?? before.length)).toString('latin1');
  const edited = (index: number): string => {
    const end = starts[index + 1] ?? before.length;
    let from = starts[index]!;
    let out = '';
    for (const edit of changed.get(index)!) {
      out += Buffer.from(before.subarray(from, edit.start)).toString('latin1') + edit.text;
      from = edit.end;
    }
    return out + Buffer.from(before.subarray(from, end)).toString('latin1');
  };

  const name = Buffer.from(path, 'utf8').toString('latin1');
  let diff = `--- ${quoted(`a/${name}`)}\n+++ ${quoted(`b/${name}`)}\n`;
  for (const [first, last] of hunks([...changed.keys()], starts.length)) {
    let body = '';
    let removed: string[] = [];
    let added: string[] = [];
    const flush = (): void => {
      body += removed.join('') + added.join('');
      removed = [];
      added = [];
    };
    for (let index = first; index <= last; index++) {
      if (changed.has(index)) {
        removed.push(marked('-', text(index)));
        added.push(marked('+', edited(index)));
      } else {
        flush();
        body += marked(' ', text(index));
      }
    }
    flush();
    const span = `${first + 1},${last - first + 1}`;
    diff += `@@ -${span} +${span} @@\n${body}`;
  }
  return Buffer.from(diff, 'latin1');
}

function lineStarts(bytes: Uint8Array): number[] {
  const starts = [0];
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) if (at + 1 < bytes.length) starts.push(at + 1);
  return starts;
}

/** First and last line (from 0, inclusive) of each run of changed lines with its context. */
function hunks(lines: number[], count: number): [number, number][] {
  const runs: [number, number][] = [];
  for (const line of lines) {
    const run = runs.at(-1);
    const last = Math.min(line + CONTEXT, count - 1);
    if (run !== undefined && line - CONTEXT <= run[1] + 1) run[1] = last;
    else runs.push([Math.max(line - CONTEXT, 0), last]);
  }
  return runs;
}

function marked(mark: string, line: string): string {
  return line.endsWith('\n') ? `${mark}${line}` : `${mark}${line}\n\\ No newline at end of file\n`;
}

/** As git writes a path with characters that would end or confuse the line. */
function quoted(path: string): string {
  if (!/[\x00-\x1f"\\\x7f]/.test(path)) return path;
  const escaped = path.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  return `"${escaped.replace(/[\x00-\x1f\x7f]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)}"`;
}
