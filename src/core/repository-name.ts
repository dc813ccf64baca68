import { Fault } from './fault.ts';

/** 2 to 256 characters, path components of lower-case letters, digits and separators (ECR model, `RepositoryName`). */
export type RepositoryName = string & { readonly __repositoryName: never };

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
/** What the model prints, and so what messages quote. */
export const REPOSITORY_NAME_PATTERN = '[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(\\/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*';

export function isRepositoryName(text: string): text is RepositoryName {
  return text.length >= 2 && text.length <= 256 && text.split('/').every((part) => COMPONENT.test(part));
}

/** Raises `repository-name-invalid`. */
export function parseRepositoryName(text: string): RepositoryName {
  if (!isRepositoryName(text)) throw new Fault('repository-name-invalid', { text: text.slice(0, 300) });
  return text;
}
