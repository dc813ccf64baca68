import { UsageError } from './command.ts';
import { printable } from './format.ts';

/**
 * The words of a command as an image keeps them: a JSON list as it is; otherwise split at spaces, with quotes and
 * backslashes as a shell has them. Nothing is expanded, because no shell will run it: what only a shell understands is
 * refused where it is not quoted. Raises UsageError.
 */
export function splitWords(text: string, option: string): string[] {
  if (text.trimStart().startsWith('[')) return readList(text, option);
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === ' ' || char === '\t' || char === '\n') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'" || char === '"') {
      const quoted = readQuoted(text, at, option);
      word = (word ?? '') + quoted.value;
      at = quoted.end;
    } else if (char === '\\') {
      at++;
      word = (word ?? '') + text.charAt(at);
    } else if ('|&;<>()$`*?'.includes(char)) {
      throw new UsageError(
        `${option}: "${char}" means something to a shell only, and the image is started without one. Quote it, or write: ${option} 'sh -c "…"'`,
      );
    } else {
      word = (word ?? '') + char;
    }
  }
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new UsageError(`${option} has no word.`);
  return words;
}

function readQuoted(text: string, start: number, option: string): { value: string; end: number } {
  const quote = text.charAt(start);
  let value = '';
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === quote) return { value, end: at };
    const next = text.charAt(at + 1);
    if (char === '\\' && quote === '"' && ['"', '\\', '$', '`'].includes(next)) {
      value += next;
      at++;
    } else {
      value += char;
    }
  }
  throw new UsageError(`${option}: the quote ${quote} is not closed in: ${printable(text.slice(0, 100))}`);
}

function readList(text: string, option: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!Array.isArray(value) || value.length === 0 || !value.every((word) => typeof word === 'string')) {
    throw new UsageError(`${option} begins like a JSON list of strings and is none: ${printable(text.slice(0, 100))}`);
  }
  return value;
}
