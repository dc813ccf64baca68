import { readLiteral, type Strength } from './literal.ts';
import { MASK } from './template.ts';
import { readable } from './text.ts';
import type { FileType, Problem, Quoting, ReferencePart, SkipReason } from './types.ts';
import type { ScalarNode } from './tree.ts';

/**
 * How much a place itself says. `certain`: only an image can stand here. `likely`: one word alone could be something else.
 * `weak`: only a text with a tag, a digest or a registry is taken. `tagged`: only one with a tag or a digest.
 */
export type Trust = 'certain' | 'likely' | 'weak' | 'tagged';

const MASKED = new RegExp(`${MASK}+`, 'g');

const ENOUGH: Record<Trust, readonly Strength[]> = {
  certain: ['digest', 'tag', 'host', 'path', 'bare'],
  likely: ['digest', 'tag', 'host', 'path'],
  weak: ['digest', 'tag', 'host'],
  tagged: ['digest', 'tag'],
};

/** A reference before its line and column are known. Offsets are into the byte text, without the byte order mark. */
export interface Candidate {
  parts: ReferencePart[];
  reference: string;
  position: string;
  quoting: Quoting;
  skip?: SkipReason;
}

/** A stretch of text as a scalar; what the scanners without a tree (Dockerfile, shell, source) hand in. */
export type Span = Pick<ScalarNode, 'start' | 'end' | 'text' | 'exact'> & { quoting: Quoting };

export interface Collector {
  fileType: FileType;
  readonly candidates: Candidate[];
  readonly problems: (Omit<Problem, 'line' | 'column'> & { offset: number })[];
  /** Whether an image may be read here; then it is listed. */
  add(span: Span, position: string, trust: Trust, skip?: SkipReason): boolean;
  addSplit(parts: { role: ReferencePart['role']; span: Span; bareHex?: boolean }[], position: string, trust: Trust): boolean;
}

/** `shift` is added to every offset, for text that was cut out of the file. */
export function createCollector(fileType: FileType): Collector {
  const candidates: Candidate[] = [];
  const taken = new Map<number, Candidate>();
  const push = (start: number, candidate: Candidate): boolean => {
    const known = taken.get(start);
    if (known) return true;
    taken.set(start, candidate);
    candidates.push({ ...candidate, position: readable(candidate.position.replaceAll(MASKED, '*')) });
    return true;
  };
  return {
    fileType,
    candidates,
    problems: [],
    add(span, position, trust, skip) {
      const text = span.text;
      const reading = readLiteral(text);
      if (reading.kind === 'other') return false;
      if (reading.kind === 'none') {
        if (trust !== 'certain' || text === '' || !/^[A-Za-z0-9][^\s]*$/.test(text) || !/[:/@]/.test(text)) return false;
        return push(span.start, single(span, position, skip ?? 'invalid'));
      }
      if (reading.kind === 'variable')
        return (trust === 'certain' || /[:/]/.test(text)) && push(span.start, single(span, position, 'variable'));
      if (reading.kind === 'not-registry') return push(span.start, single(span, position, 'not-registry'));
      if (!ENOUGH[trust].includes(reading.strength)) return false;
      // Escapes of JSON can be written anew; what stands on several lines, or spells itself otherwise, is not touched.
      const reason = skip ?? (!span.exact && span.quoting !== 'json' ? 'escaped' : undefined);
      return push(span.start, single(span, position, reason));
    },
    addSplit(pieces, position, trust) {
      const text = (role: ReferencePart['role']): string => pieces.find((piece) => piece.role === role)?.span.text ?? '';
      const repository = text('repository');
      if (repository === '') return false;
      const registry = text('registry');
      const bare = pieces.some((piece) => piece.bareHex);
      const digest = text('digest') === '' ? '' : `@${bare && !text('digest').includes(':') ? 'sha256:' : ''}${text('digest')}`;
      const tag = text('tag') === '' ? '' : `:${text('tag')}`;
      // A tag that brings its digest along (`1.2@sha256:…`) and an empty digest key are both in use.
      const reference = `${registry === '' ? '' : `${registry.replace(/\/$/, '')}/`}${repository}${tag}${digest}`;
      const reading = readLiteral(reference);
      if (reading.kind === 'none' || reading.kind === 'other') return false;
      const first = pieces[0];
      if (!first) return false;
      const parts = pieces.map(({ role, span, bareHex }): ReferencePart => ({
        role,
        start: span.start,
        end: span.end,
        text: span.text,
        quoting: span.quoting,
        ...(bareHex ? { bareHex: true as const } : {}),
      }));
      const isOpen = tag === '' && digest === '' && !/:[\w.-]+$/.test(repository);
      if (reading.kind === 'reference' && !ENOUGH[trust].includes(reading.strength) && tag === '' && digest === '') return false;
      const skip: SkipReason | undefined =
        reading.kind !== 'reference'
          ? reading.kind
          : isOpen
            ? 'no-tag'
            : pieces.some((piece) => !piece.span.exact)
              ? 'escaped'
              : undefined;
      return push(first.span.start, { parts, reference, position, quoting: first.span.quoting, ...(skip ? { skip } : {}) });
    },
  };
}

function single(span: Span, position: string, skip: SkipReason | undefined): Candidate {
  const { start, end, text, quoting } = span;
  return { parts: [{ role: 'reference', start, end, text }], reference: text, position, quoting, ...(skip ? { skip } : {}) };
}

const QUOTING: Record<ScalarNode['style'], Quoting> = {
  plain: 'yaml-plain',
  single: 'yaml-single',
  double: 'yaml-double',
  block: 'plain',
  folded: 'plain',
  json: 'json',
};

export function spanOf(scalar: ScalarNode, shift = 0): Span {
  return {
    start: scalar.start + shift,
    end: scalar.end + shift,
    text: scalar.text,
    exact: scalar.exact,
    quoting: QUOTING[scalar.style],
  };
}

/** A part of a span, when the bytes are the text. */
export function subSpan(span: Span, from: number, to: number): Span {
  return { ...span, start: span.start + from, end: span.start + to, text: span.text.slice(from, to) };
}
