import { Fault } from './fault.ts';

/** `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (OCI distribution-spec, "Pulling manifests"). */
export type Tag = string & { readonly __tag: never };

const PATTERN = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

export function isTag(text: string): text is Tag {
  return PATTERN.test(text);
}

/** Raises `tag-name-invalid`. */
export function parseTag(text: string): Tag {
  if (!isTag(text)) throw new Fault('tag-name-invalid', { text: text.slice(0, 300) });
  return text;
}
