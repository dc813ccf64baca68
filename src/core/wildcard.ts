/**
 * Anchored, case-sensitive match where `*` stands for any run of characters, the empty one included.
 * Linear in the text for each `*`: patterns come from clients, so no regular expression is built from them.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  if (parts.length === 1) return pattern === text;
  const last = parts[parts.length - 1] ?? '';
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false;
  let from = first.length;
  const end = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, from);
    if (found < 0 || found + part.length > end) return false;
    from = found + part.length;
  }
  return true;
}

/**
 * As `matchesWildcard`, and `?` stands for exactly one character (IAM's patterns). Never worse than pattern times text:
 * a failure goes back to the last `*` only.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let afterStar = 0;
  let from = 0;
  while (from < text.length) {
    const char = pattern[at];
    if (char === '*') {
      star = at++;
      afterStar = from;
    } else if (char !== undefined && (char === '?' || char === text[from])) {
      at++;
      from++;
    } else if (star >= 0) {
      at = star + 1;
      from = ++afterStar;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
