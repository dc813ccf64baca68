const MARK = 'pin:ignore';
const COMMENT = /(?:#|\/\/|<!--|\/\*|--)[^\n]*pin:ignore\b/;

/** Whether a comment on the line of a reference, or alone on the line above it, says `pin:ignore`. */
export function isIgnored(text: string, start: number, end: number): boolean {
  const stop = lineEnd(text, end);
  const after = text.slice(end, Math.min(stop, end + 2000));
  if (after.includes(MARK) && COMMENT.test(after)) return true;
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  if (lineStart < 1) return false;
  const above = text.slice(Math.max(text.lastIndexOf('\n', lineStart - 2) + 1, lineStart - 2000), lineStart - 1);
  return above.includes(MARK) && /^\s*(?:#|\/\/|\/\*|\{\{-?\s*\/\*)/.test(above) && COMMENT.test(above);
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}
