/** One line of a `.gitignore` or `.pinignore`, or one `--exclude`. */
export interface IgnoreRule {
  /** Path segments; `**` stands for any number of them. */
  segments: string[];
  isNegated: boolean;
  isDirectoryOnly: boolean;
}

const MAX_RULES = 5000;
const MAX_SEGMENTS = 64;

/** The rules of a file in git's syntax: comments, `!`, a trailing `/`, a leading or inner `/` that anchors. */
export function parseIgnore(text: string): IgnoreRule[] {
  const rules: IgnoreRule[] = [];
  for (const line of text.split('\n').slice(0, MAX_RULES)) {
    const rule = parseIgnoreRule(line.replace(/\r$/, ''));
    if (rule) rules.push(rule);
  }
  return rules;
}

export function parseIgnoreRule(line: string): IgnoreRule | undefined {
  let pattern = line.trimEnd();
  if (pattern === '' || pattern.startsWith('#') || pattern.length > 1024) return undefined;
  const isNegated = pattern.startsWith('!');
  if (isNegated) pattern = pattern.slice(1);
  if (pattern.startsWith('\\')) pattern = pattern.slice(1);
  const isDirectoryOnly = pattern.endsWith('/');
  if (isDirectoryOnly) pattern = pattern.slice(0, -1);
  const isAnchored = pattern.includes('/');
  if (pattern.startsWith('/')) pattern = pattern.slice(1);
  if (pattern === '') return undefined;
  const segments = pattern.split('/');
  if (segments.length > MAX_SEGMENTS) return undefined;
  return { segments: isAnchored ? segments : ['**', ...segments], isNegated, isDirectoryOnly };
}

/** What the last rule that matches says of a path (relative to where the rules stand); `undefined` when none does. */
export function evaluateIgnore(rules: readonly IgnoreRule[], path: string, isDirectory: boolean): 'ignored' | 'kept' | undefined {
  const segments = path.split('/');
  for (let index = rules.length - 1; index >= 0; index--) {
    const rule = rules[index];
    if (!rule || (rule.isDirectoryOnly && !isDirectory)) continue;
    if (matchesSegments(rule.segments, segments)) return rule.isNegated ? 'kept' : 'ignored';
  }
  return undefined;
}

/** Never worse than pattern times path: a failure goes back to the last `**` only. */
export function matchesSegments(pattern: readonly string[], path: readonly string[]): boolean {
  let at = 0;
  let star = -1;
  let afterStar = 0;
  let from = 0;
  while (from < path.length) {
    const segment = pattern[at];
    if (segment === '**') {
      star = at++;
      afterStar = from;
    } else if (segment !== undefined && matchesSegment(segment, path[from] ?? '')) {
      at++;
      from++;
    } else if (star >= 0) {
      at = star + 1;
      from = ++afterStar;
    } else return false;
  }
  // `a/**` is what is in `a`, not `a` itself.
  if (pattern[at] === '**' && at > 0 && at === pattern.length - 1 && star !== at) return false;
  while (pattern[at] === '**') at++;
  return at === pattern.length;
}

/** `*`, `?`, `[a-z]` and `\` within one segment. */
function matchesSegment(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let afterStar = 0;
  let from = 0;
  while (from < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      afterStar = from;
      continue;
    }
    const next = matchOne(pattern, at, text[from] ?? '');
    if (next > 0) {
      at = next;
      from++;
    } else if (star >= 0) {
      at = star + 1;
      from = ++afterStar;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/** The index behind the pattern's element that takes `char`; 0 when it does not. */
function matchOne(pattern: string, at: number, char: string): number {
  const element = pattern[at];
  if (element === undefined) return 0;
  if (element === '?') return at + 1;
  if (element === '\\') return pattern[at + 1] === char ? at + 2 : 0;
  if (element === '[') {
    const close = pattern.indexOf(']', at + 2);
    if (close > 0) {
      const isNegated = pattern[at + 1] === '!' || pattern[at + 1] === '^';
      const set = pattern.slice(at + (isNegated ? 2 : 1), close);
      return inSet(set, char) === isNegated ? 0 : close + 1;
    }
  }
  return element === char ? at + 1 : 0;
}

function inSet(set: string, char: string): boolean {
  for (let index = 0; index < set.length; index++) {
    const first = set[index] ?? '';
    if (set[index + 1] === '-' && index + 2 < set.length) {
      if (char >= first && char <= (set[index + 2] ?? '')) return true;
      index += 2;
    } else if (first === char) return true;
  }
  return false;
}
