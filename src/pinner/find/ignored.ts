const MARK = 'pin:ignore';
const COMMENT = /(?:#|\/\/|<!--|\/\*|--)[^\n]*pin:ignore\b/;

const MAX_LINE = 2000;

/** Whether a comment on the line of a reference, or alone on the line above it, says `pin:ignore`. Looks at no more than a long line's worth of text. */
export function isIgnored(text: string, start: number, end: number): boolean {
  const after = firstLine(text.slice(end, end + MAX_LINE));
  if (after.includes(MARK) && COMMENT.test(after)) return true;
  const before = text.slice(Math.max(start - MAX_LINE, 0), start);
  const lineStart = before.lastIndexOf('\n');
  if (lineStart < 0) return false;
  const above = before.slice(before.lastIndexOf('\n', lineStart - 1) + 1, lineStart);
  return above.includes(MARK) && /^\s*(?:#|\/\/|\/\*|\{\{-?\s*\/\*)/.test(above) && COMMENT.test(above);
}

function firstLine(text: string): string {
  const end = text.indexOf('\n');
  return end < 0 ? text : text.slice(0, end);
}
