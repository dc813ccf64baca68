/** One way a server accepts to be told who is asking (RFC 9110 §11.6.1). Scheme and parameter names in lower case. */
export interface Challenge {
  scheme: string;
  parameters: ReadonlyMap<string, string>;
}

const LIMIT = 8192;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;

/**
 * Reads `WWW-Authenticate`, which may hold several challenges in one value (`Bearer realm="…",service="…",Basic realm="…"`).
 * What does not parse ends the reading; what was read before it stands.
 */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, LIMIT);
  const challenges: Challenge[] = [];
  let parameters: Map<string, string> | undefined;
  let at = 0;
  const skip = (pattern: RegExp): void => {
    while (at < text.length && pattern.test(text[at]!)) at++;
  };
  const token = (): string => {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text)?.[0] ?? '';
    at += found.length;
    return found;
  };
  while (at < text.length) {
    skip(/[\s,]/);
    const word = token();
    if (word === '') break;
    const afterWord = at;
    skip(/\s/);
    if (parameters !== undefined && text[at] === '=') {
      at++;
      skip(/\s/);
      const value = text[at] === '"' ? quoted() : token();
      if (value === undefined) break;
      // The first of two wins, so that nobody downstream of a proxy can override what the registry said.
      if (!parameters.has(word.toLowerCase())) parameters.set(word.toLowerCase(), value);
    } else {
      at = afterWord;
      parameters = new Map();
      challenges.push({ scheme: word.toLowerCase(), parameters });
    }
  }
  return challenges;

  function quoted(): string | undefined {
    let value = '';
    for (at++; at < text.length; at++) {
      if (text[at] === '"') {
        at++;
        return value;
      }
      if (text[at] === '\\') at++;
      value += text[at] ?? '';
    }
    return undefined;
  }
}
