import type { Quoting } from './types.ts';

export type Language = 'js' | 'python' | 'java' | 'go' | 'csharp';

/** A token of program text that can matter here: a word, a string literal, or one mark. Comments are none. */
export interface Token {
  kind: 'word' | 'string' | 'mark';
  start: number;
  end: number;
  text: string;
  /** Of a string: its bytes are its text, and nothing is put into it when the program runs. */
  isLiteral: boolean;
  quoting: Quoting;
}

const WORD = /[A-Za-z_$\x80-\xff][A-Za-z0-9_$\x80-\xff]*/y;

/** Splits program text into tokens in one pass; a quote that is never closed ends with its line. */
export function tokenize(text: string, language: Language): Token[] {
  const tokens: Token[] = [];
  // Where an unclosed quote was found to have no end on its line, the same mark has none before that line's end either.
  const openUntil: Record<string, number> = {};
  for (let at = 0; at < text.length;) {
    const char = text[at] ?? '';
    if (char === ' ' || char === '\n' || char === '\t' || char === '\r') {
      at++;
      continue;
    }
    const comment = commentEnd(text, at, language);
    if (comment > at) {
      at = comment;
      continue;
    }
    const quote = at < (openUntil[char] ?? 0) ? undefined : readQuote(text, at, language);
    if (quote?.lineEnd !== undefined) openUntil[quote.token.text] = quote.lineEnd;
    if (quote) {
      tokens.push(quote.token);
      at = quote.next;
      continue;
    }
    if (char === '/' && language === 'js' && isRegexPlace(tokens.at(-1))) {
      at = regexEnd(text, at);
      continue;
    }
    WORD.lastIndex = at;
    const word = WORD.exec(text)?.[0];
    const end = at + (word?.length ?? 1);
    tokens.push({
      kind: word === undefined ? 'mark' : 'word',
      start: at,
      end,
      text: word ?? char,
      isLiteral: false,
      quoting: 'plain',
    });
    at = end;
  }
  return tokens;
}

function commentEnd(text: string, at: number, language: Language): number {
  if (language === 'python') return text[at] === '#' ? to(text, '\n', at) : at;
  if (text[at] !== '/') return at;
  if (text[at + 1] === '/') return to(text, '\n', at);
  if (text[at + 1] !== '*') return at;
  const end = text.indexOf('*/', at + 2);
  return end < 0 ? text.length : end + 2;
}

function to(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? text.length : at;
}

interface Quote {
  token: Token;
  next: number;
  /** Of a quote that is not closed: the end of its line. */
  lineEnd?: number;
}

const PYTHON_PREFIX = /[rRbBuUfF]{0,2}(?=["'])/y;

function readQuote(text: string, from: number, language: Language): Quote | undefined {
  let at = from;
  let isFormat = false;
  let isRaw = false;
  if (language === 'python') {
    PYTHON_PREFIX.lastIndex = at;
    const prefix = PYTHON_PREFIX.exec(text)?.[0] ?? '';
    isFormat = /f/i.test(prefix);
    isRaw = /r/i.test(prefix);
    at += prefix.length;
  } else if (language === 'csharp') {
    while ((text[at] === '$' || text[at] === '@') && /["$@]/.test(text[at + 1] ?? '')) {
      if (text[at] === '$') isFormat = true;
      else isRaw = true;
      at++;
    }
  }
  const char = text[at];
  if (char !== '"' && char !== "'" && !(char === '`' && (language === 'js' || language === 'go'))) return undefined;
  const isLong =
    language !== 'js' && language !== 'go' && text.startsWith(char.repeat(3), at) && (char === '"' || language === 'python');
  const quote = isLong ? char.repeat(3) : char;
  const isTemplate = char === '`' && language === 'js';
  const isOneLine = !isLong && char !== '`' && !(isRaw && language === 'csharp');
  const hasEscapes = !isRaw && !(char === '`' && language === 'go');
  const start = at + quote.length;
  let isLiteral = true;
  for (at = start; at < text.length; at++) {
    const here = text[at];
    if (here === '\\' && hasEscapes) {
      isLiteral = false;
      at++;
    } else if (here === '\n' && isOneLine) break;
    else if (isTemplate && here === '$' && text[at + 1] === '{') {
      isLiteral = false;
      at = templateEnd(text, at + 2);
    } else if (here === char && text.startsWith(quote, at)) {
      const raw = text.slice(start, at);
      if (isFormat && raw.includes('{')) isLiteral = false;
      const quoting: Quoting = isTemplate ? 'js-template' : char === "'" ? 'js-single' : 'js-double';
      return {
        token: { kind: 'string', start, end: at, text: raw, isLiteral: isLiteral && !raw.includes('\n'), quoting },
        next: at + quote.length,
      };
    }
  }
  // Never closed: an apostrophe in a text of JSX, or a broken file. The next line starts afresh.
  return {
    token: { kind: 'mark', start: from, end: Math.min(start, text.length), text: char, isLiteral: false, quoting: 'plain' },
    next: isOneLine ? start : text.length,
    lineEnd: at,
  };
}

/** The index of the `}` of `${…}`; strings and templates inside of it are stepped over roughly, by their braces. */
function templateEnd(text: string, from: number): number {
  let braces = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === '{') braces++;
    else if (text[at] === '}' && --braces === 0) return at;
  }
  return text.length;
}

function isRegexPlace(before: Token | undefined): boolean {
  if (!before) return true;
  if (before.kind === 'word') return /^(?:return|typeof|case|in|of|delete|void|throw|new|else|do)$/.test(before.text);
  return before.kind === 'mark' && !/[)\]}]/.test(before.text) && !/[0-9]/.test(before.text);
}

function regexEnd(text: string, from: number): number {
  let isClass = false;
  for (let at = from + 1; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '\n') return from + 1;
    else if (char === '[') isClass = true;
    else if (char === ']') isClass = false;
    else if (char === '/' && !isClass) return at + 1;
  }
  return from + 1;
}
