import type { Collector, Span, Trust } from './collector.ts';
import { tokenize, type Language, type Token } from './source.ts';

const FROM_REGISTRY = /^(?:(?:[A-Za-z]+_)?[fF]rom(?:Docker)?Registry|from_(?:docker_)?registry)$/;
/** Words that may stand between the call and its string: Go's pointers to strings. */
const WRAPPER = /^(?:jsii|String|aws|ptr|To|StringPtr)$/;
const CONTAINER_KEY = /^(?:containers|initContainers|containerDefinitions|container_definitions|ContainerDefinitions)$/;

/**
 * CDK source: the first argument of `ContainerImage.fromRegistry(…)` and its sisters, and string values of a key or argument
 * `image` (manifests for EKS, level-one constructs). Only string literals; what is put together at run time is listed as a variable.
 */
export function findInSource(text: string, language: Language, collector: Collector): void {
  const tokens = tokenize(text, language);
  // For each open bracket, whether it or one around it belongs to a list of containers.
  const open: boolean[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (!token) break;
    if (token.kind === 'mark') {
      if (token.text === '[' || token.text === '{' || token.text === '(')
        open.push(open.at(-1) === true || CONTAINER_KEY.test(keyBefore(tokens, index)));
      else if (token.text === ']' || token.text === '}' || token.text === ')') open.pop();
    }
    if (
      token.kind === 'word' &&
      token.text.endsWith('egistry') &&
      FROM_REGISTRY.test(token.text) &&
      tokens[index + 1]?.text === '('
    ) {
      const argument = firstArgument(tokens, index + 2);
      if (argument) add(argument, token.text, 'certain', collector);
    } else if (isImageKey(token)) readKey(tokens, index, open.at(-1) === true, language, collector);
  }
}

const IMAGE_KEYS = new Set(['image', 'Image', 'imageUri', 'image_uri', 'imageIdentifier', 'image_identifier']);

function isImageKey(token: Token): boolean {
  return token.kind !== 'mark' && token.text.length >= 5 && token.text.length <= 16 && IMAGE_KEYS.has(token.text);
}

/** `image: "x"`, `"image": "x"`, `image="x"`, `Image = "x"`, `.image("x")`, `Image: jsii.String("x")`, `["image"] = "x"`. */
function readKey(tokens: Token[], index: number, isContainer: boolean, language: Language, collector: Collector): void {
  let at = index + 1;
  if (tokens[at]?.text === ']') at++;
  const mark = tokens[at]?.text;
  const before = tokens[index - 1]?.text;
  const isCall = mark === '(' && before === '.' && language === 'java';
  const isPair = language === 'java' && mark === ',' && before === '(' && tokens[index]?.kind === 'string';
  if (mark !== ':' && mark !== '=' && !isCall && !isPair && !(mark === ',' && before === '{' && language === 'csharp')) return;
  if (mark === '=' && (before === 'const' || before === 'let' || before === 'var' || tokens[at + 1]?.text === '=')) return;
  const value = firstArgument(tokens, at + 1);
  if (value) add(value, tokens[index]?.text ?? 'image', isContainer ? 'certain' : 'weak', collector);
}

/** The string that stands here, through the wrappers of Go; not one that is only the beginning of an expression. */
function firstArgument(tokens: Token[], from: number): Token | undefined {
  let at = from;
  if (tokens[at]?.text === 'image' && tokens[at + 1]?.text === ':') at += 2;
  while (tokens[at]?.kind === 'word' && WRAPPER.test(tokens[at]?.text ?? '')) {
    at++;
    while (tokens[at]?.text === '.' || tokens[at]?.text === '(') at++;
  }
  const token = tokens[at];
  if (token?.kind !== 'string') return undefined;
  const next = tokens[at + 1]?.text ?? '';
  return /^[+%.]$/.test(next) ? { ...token, isLiteral: false } : token;
}

/** The key that an opening bracket belongs to. */
function keyBefore(tokens: Token[], index: number): string {
  const mark = tokens[index - 1]?.text;
  if (mark === ':' || mark === '=') return tokens[index - 2]?.text ?? '';
  return tokens[index - 1]?.kind === 'word' ? (mark ?? '') : '';
}

function add(token: Token, name: string, trust: Trust, collector: Collector): void {
  const span: Span = { start: token.start, end: token.end, text: token.text, exact: token.isLiteral, quoting: token.quoting };
  if (token.isLiteral) collector.add(span, name, trust);
  else if (trust === 'certain') collector.add(span, name, trust, 'variable');
}
