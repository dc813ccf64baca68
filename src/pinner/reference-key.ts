import { formatReference, parseReference, type Reference } from '../core/reference.ts';
import { isFault } from '../core/fault.ts';
import type { FoundReference } from './find/types.ts';

/** `undefined` when the text is none, which `findReferences` should have said already. */
export function readReference(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    if (isFault(error, 'reference-invalid')) return undefined;
    throw error;
  }
}

/** The reference of a place that may be edited. */
export function editable(found: FoundReference): Reference | undefined {
  return found.skip === undefined ? readReference(found.reference) : undefined;
}

/** What a place follows: its name and tag without the digest, `latest` where neither is written; a digest alone follows nothing. */
export function followed(reference: Reference): Reference | undefined {
  const { host, path, tag, digest } = reference;
  if (tag === undefined && digest !== undefined) return undefined;
  return { host, path, tag: tag ?? ('latest' as Reference['tag'] & string) };
}

/** One spelling for all spellings of a reference, with the tag always there unless a digest stands alone. */
export function keyOf(reference: Reference): string {
  return formatReference(
    reference.tag === undefined && reference.digest === undefined
      ? { ...reference, tag: 'latest' as Reference['tag'] & string }
      : reference,
  );
}
