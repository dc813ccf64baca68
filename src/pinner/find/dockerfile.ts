import { addWithDefault } from './image-keys.ts';
import type { Collector, Span } from './collector.ts';

interface Word {
  start: number;
  end: number;
  text: string;
  exact: boolean;
}

interface Argument {
  span: Span;
  /** Declared before the first FROM, where its default can feed one. */
  isGlobal: boolean;
}

/**
 * A Dockerfile by the rules of BuildKit's parser: directives, continuation lines with the chosen escape character, comments
 * between them, heredocs. Reads FROM (and the ARG defaults that feed it whole), `COPY|ADD --from`, `RUN --mount=…,from=` and
 * `# syntax=`. `shift` is for a Dockerfile inside of another file.
 */
export function findInDockerfile(text: string, collector: Collector, prefix = '', shift = 0): void {
  const escape = readDirectives(text, collector, prefix, shift);
  const args = new Map<string, Argument>();
  const stages = new Set<string>();
  let count = 0;
  for (let at = 0; at < text.length;) {
    const instruction = readInstruction(text, at, escape);
    at = instruction.next;
    const words = instruction.words;
    let name = words[0]?.text.toUpperCase();
    if (name === undefined) continue;
    if (name === 'ONBUILD') name = (words.shift(), words[0]?.text.toUpperCase() ?? '');
    if (name === 'ARG') readArgument(words, args, count === 0, shift);
    else if (name === 'FROM') {
      count += 1;
      readFrom(words, `${prefix}FROM #${count}`, { args, stages, collector, prefix, shift });
    } else if (name === 'COPY' || name === 'ADD') {
      for (const word of words.slice(1)) {
        if (!word.text.startsWith('--')) break;
        if (word.text.startsWith('--from='))
          readOther(word, 7, word.text.length, `${prefix}${name} --from`, { args, stages, collector, prefix, shift });
      }
    } else if (name === 'RUN') {
      for (const word of words.slice(1)) {
        if (!word.text.startsWith('--')) break;
        if (word.text.startsWith('--mount=')) readMount(word, `${prefix}RUN --mount`, { args, stages, collector, prefix, shift });
      }
    }
  }
}

interface Scene {
  args: Map<string, Argument>;
  stages: Set<string>;
  collector: Collector;
  prefix: string;
  shift: number;
}

/** Comments of the form `# name=value` at the very top. Gives the escape character. */
function readDirectives(text: string, collector: Collector, prefix: string, shift: number): string {
  let escape = '\\';
  let at = text.startsWith('#!') ? lineEnd(text, 0) + 1 : 0;
  while (at < text.length) {
    const end = lineEnd(text, at);
    const line = text.slice(at, Math.min(end, at + MAX_DIRECTIVE));
    const head = /^[ \t]*#[ \t]*([a-zA-Z]+)[ \t]*=[ \t]*/.exec(line);
    const value = head ? line.slice(head[0].length).trimEnd() : '';
    if (!head || value === '') return escape;
    const name = head[1]?.toLowerCase();
    if (name === 'escape' && (value === '`' || value === '\\')) escape = value;
    const start = at + head[0].length + shift;
    if (name === 'syntax')
      collector.add(
        { start, end: start + value.length, text: value, exact: true, quoting: 'plain' },
        `${prefix}# syntax`,
        'certain',
      );
    at = end + 1;
  }
  return escape;
}

const MAX_DIRECTIVE = 2048;

interface Instruction {
  words: Word[];
  next: number;
}

/** One instruction: the words that can matter, and where the next one begins (behind its heredocs). */
function readInstruction(text: string, from: number, escape: string): Instruction {
  const words: Word[] = [];
  const heredocs: { name: string; isStripped: boolean }[] = [];
  let at = from;
  let isLineStart = true;
  let takesHeredoc = false;
  for (;;) {
    while (text[at] === ' ' || text[at] === '\t' || text[at] === '\r') at++;
    if (at >= text.length) break;
    if (isLineStart && (text[at] === '#' || (text[at] === '\n' && words.length > 0))) {
      at = lineEnd(text, at) + 1;
      if (words.length === 0) return { words, next: at };
      continue;
    }
    if (text[at] === '\n') {
      at++;
      break;
    }
    const joined = continuation(text, at, escape);
    if (joined > at) {
      at = joined;
      isLineStart = true;
      continue;
    }
    isLineStart = false;
    const word = readWord(text, at, escape);
    if (words.length === 0 || (words.length === 1 && words[0]?.text.toUpperCase() === 'ONBUILD'))
      takesHeredoc = /^(?:RUN|COPY|ADD)$/i.test(word.text);
    // Long commands hold thousands of words, of which only flags matter.
    if (words.length < 64) words.push(word);
    const heredoc = takesHeredoc
      ? (/^[0-9]*<<(-?)(["']?)([A-Za-z_][A-Za-z0-9_.]*)\2/.exec(word.text) ??
        /<<(-?)(["']?)([A-Za-z_][A-Za-z0-9_.]*)\2$/.exec(word.text))
      : null;
    if (heredoc) heredocs.push({ name: heredoc[3] ?? '', isStripped: heredoc[1] === '-' });
    at = Math.max(word.end, at + 1);
  }
  for (const { name, isStripped } of heredocs) at = heredocEnd(text, at, name, isStripped);
  return { words, next: at };
}

function readWord(text: string, start: number, escape: string): Word {
  let at = start;
  let quote = '';
  let exact = true;
  for (; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === '\n') break;
    if (quote === '' && (char === ' ' || char === '\t' || char === '\r')) break;
    if (char === escape) {
      const joined = continuation(text, at, escape);
      if (joined > at) break;
      at++;
    } else if (quote === char) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
  }
  const raw = text.slice(start, Math.min(at, text.length));
  if (raw.includes(escape)) exact = false;
  return { start, end: start + raw.length, text: raw, exact };
}

/** Where the next line begins when an escape character ends this one; `at` itself otherwise. */
function continuation(text: string, at: number, escape: string): number {
  if (text[at] !== escape) return at;
  let end = at + 1;
  while (text[end] === ' ' || text[end] === '\t' || text[end] === '\r') end++;
  return text[end] === '\n' ? end + 1 : at;
}

function heredocEnd(text: string, from: number, name: string, isStripped: boolean): number {
  for (let at = from; at < text.length;) {
    const end = lineEnd(text, at);
    const line = text.slice(at, end).replace(/\r$/, '');
    at = end + 1;
    if ((isStripped ? line.replace(/^\t+/, '') : line) === name) return at;
  }
  return text.length;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

function spanWithin(word: Word, from: number, to: number, shift: number): Span {
  let start = from;
  let end = to;
  const first = word.text[start];
  if ((first === '"' || first === "'") && word.text[end - 1] === first && end - start >= 2) {
    start++;
    end--;
  }
  return {
    start: word.start + start + shift,
    end: word.start + end + shift,
    text: word.text.slice(start, end),
    exact: word.exact,
    quoting: 'plain',
  };
}

function readArgument(words: Word[], args: Map<string, Argument>, isGlobal: boolean, shift: number): void {
  for (const word of words.slice(1)) {
    const equals = word.text.indexOf('=');
    if (equals < 1) continue;
    const name = word.text.slice(0, equals);
    // The first value is the one that BuildKit would use for a FROM; later ones only count inside of their stage.
    if (isGlobal) args.set(name, { span: spanWithin(word, equals + 1, word.text.length, shift), isGlobal });
  }
}

function readFrom(words: Word[], position: string, scene: Scene): void {
  const rest = words.slice(1).filter((word) => !word.text.startsWith('--'));
  const image = rest[0];
  // Anything but `FROM image [AS name]` is no instruction that could be built.
  if (!image || (rest[1] && (rest[1].text.toUpperCase() !== 'AS' || rest.length > 3))) return;
  const span = spanWithin(image, 0, image.text.length, scene.shift);
  const { collector, stages } = scene;
  if (span.text === 'scratch') collector.add(span, position, 'certain', 'scratch');
  else if (stages.has(span.text.toLowerCase())) collector.add(span, position, 'certain', 'stage');
  else {
    addWithDefault(collector, span, position, 'certain');
    const variable = /^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::?-[^{}]*)?\})$/.exec(span.text);
    const name = variable?.[1] ?? variable?.[2];
    const argument = name === undefined ? undefined : scene.args.get(name);
    if (argument && !stages.has(argument.span.text.toLowerCase())) {
      const isEmpty = argument.span.text === 'scratch';
      addWithDefault(collector, argument.span, `${scene.prefix}ARG ${name}`, 'certain', isEmpty ? 'scratch' : undefined);
    }
  }
  if (rest[1]?.text.toUpperCase() === 'AS' && rest[2]) stages.add(rest[2].text.toLowerCase());
}

function readOther(word: Word, from: number, to: number, position: string, scene: Scene): void {
  const span = spanWithin(word, from, to, scene.shift);
  if (/^[0-9]+$/.test(span.text) || span.text === '') return;
  scene.collector.add(
    span,
    position,
    'certain',
    scene.stages.has(span.text.toLowerCase()) ? 'stage' : span.text === 'scratch' ? 'scratch' : undefined,
  );
}

function readMount(word: Word, position: string, scene: Scene): void {
  let at = 8;
  for (const field of word.text.slice(8).split(',')) {
    if (field.startsWith('from=')) readOther(word, at + 5, at + field.length, position, scene);
    at += field.length + 1;
  }
}
