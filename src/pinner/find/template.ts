/** Stands for one character of a placeholder in masked text. It can be part of no reference. */
export const MASK = '\x01';

interface Bracket {
  open: string;
  close: string;
}

const GO: Bracket = { open: '{{', close: '}}' };
const STATEMENT: Bracket = { open: '{%', close: '%}' };
const ERB: Bracket = { open: '<%', close: '%>' };
const PACK: Bracket = { open: '[[', close: ']]' };

/**
 * The text with every template action replaced by as many bytes: by spaces where actions stand alone on their lines, by MASK
 * within a value, so that every offset stays and no parser stumbles over the template language.
 */
export function maskTemplates(text: string, brackets: readonly Bracket[]): string {
  let out = text;
  for (const bracket of brackets) if (out.includes(bracket.open)) out = maskBracket(out, bracket);
  return out;
}

export const maskYamlTemplates = (text: string): string => maskTemplates(text, [GO, STATEMENT, ERB]);
export const maskHclTemplates = (text: string): string => maskTemplates(text, [PACK, GO, ERB]);

function maskBracket(text: string, bracket: Bracket): string {
  const actions: [number, number][] = [];
  for (let at = text.indexOf(bracket.open); at >= 0;) {
    // `${{ … }}` of GitHub Actions is text in a value, and is read as such.
    if (bracket === GO && text[at - 1] === '$') {
      at = text.indexOf(bracket.open, at + 2);
      continue;
    }
    // A comment of Go's templates ends at `*/` and holds any action.
    const isComment = bracket === GO && /^\{\{-?[ \t]*\/\*/.test(text.slice(at, at + 16));
    const from = isComment ? text.indexOf('*/', at + 4) : at + 2;
    const close = from < 0 ? -1 : text.indexOf(bracket.close, from);
    if (close < 0) break;
    const end = close + 2;
    actions.push([at, end]);
    at = text.indexOf(bracket.open, end);
  }
  if (actions.length === 0) return text;
  const pieces: string[] = [];
  let done = 0;
  for (let index = 0; index < actions.length;) {
    const alone = runAlone(text, actions, index);
    const last = Math.max(alone, index + 1);
    const filler = alone > index ? ' ' : MASK;
    for (; index < last; index++) {
      const [start, end] = actions[index] ?? [0, 0];
      pieces.push(text.slice(done, start), text.slice(start, end).replaceAll(/[^\r\n]/g, filler === MASK ? MASK : ' '));
      done = end;
    }
  }
  pieces.push(text.slice(done));
  return pieces.join('');
}

/** The index behind the actions from `index` on that, together, are all that their lines hold; `index` itself when they are not. */
function runAlone(text: string, actions: [number, number][], index: number): number {
  const first = actions[index];
  if (!first) return index;
  let before = first[0] - 1;
  while (text[before] === ' ' || text[before] === '\t') before--;
  if (before >= 0 && text[before] !== '\n') return index;
  for (let at = index; at < actions.length; at++) {
    const end = actions[at]?.[1] ?? 0;
    let cursor = end;
    while (text[cursor] === ' ' || text[cursor] === '\t' || text[cursor] === '\r') cursor++;
    if (cursor >= text.length || text[cursor] === '\n') return at + 1;
    if (actions[at + 1]?.[0] !== cursor) return index;
  }
  return index;
}
