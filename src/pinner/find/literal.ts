import { Fault } from '../../core/fault.ts';
import { parseReference } from '../../core/reference.ts';
import { MASK } from './template.ts';

/** What a text is, that stands where an image may stand. `other`: certainly something else, a file or a setting. `none`: no valid reference. */
export type Reading =
  | { kind: 'reference'; strength: Strength }
  | { kind: 'variable' }
  | { kind: 'not-registry' }
  | { kind: 'other' }
  | { kind: 'none' };

/**
 * How sure the text alone makes us. `digest` and `tag` carry one; `host` names a registry; `path` has a slash; `bare` is one word.
 */
export type Strength = 'digest' | 'tag' | 'host' | 'path' | 'bare';

// Each alternative begins with its own character or word, so the scan is linear.
const PLACEHOLDER = new RegExp(
  `${MASK}|\\$[{(A-Za-z_]|\\{\\{|\\}\\}|\\[\\[|<[%<A-Za-z_]|%[sdv{]|\\{[A-Za-z_.]|__[A-Z]|@[A-Za-z_]+@|\\$\\$|#\\{|\\[[A-Z]`,
);
const PLACEHOLDER_WORD =
  /^(?:[A-Z][A-Z0-9]*[_-])*(?:TAG|VERSION|SHA|HASH|COMMIT|DIGEST|BUILD|NUMBER|ID|REPLACEME|CHANGEME|PLACEHOLDER|IMAGE)(?:[_-][A-Z0-9]+)*$/;
const CODEBUILD = /^aws\/codebuild\//;
const FILE_NAME =
  /\.(?:png|jpe?g|gif|svg|webp|ico|bmp|tiff?|avif|iso|img|qcow2|vmdk|vhdx?|raw|ova|tar|tgz|gz|zip|xz|bz2|sif|html?|md|json|ya?ml|pdf|mp4)$/i;

/** Words that stand for a choice, not for an image. */
const WORDS = new Set([
  'true',
  'false',
  'null',
  'none',
  'yes',
  'no',
  'on',
  'off',
  'auto',
  'default',
  'latest',
  'string',
  'undefined',
  'enabled',
  'disabled',
  'image',
  'always',
  'never',
]);

export function readLiteral(text: string): Reading {
  if (text === '' || text.length > 1024 || WORDS.has(text) || /^[0-9.]+$/.test(text)) return { kind: 'other' };
  if (PLACEHOLDER.test(text)) return { kind: 'variable' };
  if (!/^[A-Za-z0-9[]/.test(text) || /[\s"'`,;|<>()?*&!]/.test(text)) return { kind: 'none' };
  if (CODEBUILD.test(text)) return { kind: 'not-registry' };
  try {
    const reference = parseReference(text);
    const slash = text.indexOf('/');
    const first = slash < 0 ? '' : text.slice(0, slash);
    // `CONTAINER_IMAGES_REGISTRY/x`, `REPOSITORY/app`: grammar calls the first part a host, people call it a blank to fill in.
    if (first !== '' && /^[A-Z][A-Z0-9-]*$/.test(first)) return { kind: 'variable' };
    if (reference.tag !== undefined && PLACEHOLDER_WORD.test(reference.tag)) return { kind: 'variable' };
    if (reference.digest !== undefined) return { kind: 'reference', strength: 'digest' };
    if (reference.tag !== undefined) return { kind: 'reference', strength: 'tag' };
    if (FILE_NAME.test(text)) return { kind: 'other' };
    if (reference.host !== 'docker.io' || first === 'docker.io' || first === 'index.docker.io')
      return { kind: 'reference', strength: 'host' };
    return { kind: 'reference', strength: slash < 0 ? 'bare' : 'path' };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return isBlankToFill(text) ? { kind: 'variable' } : { kind: 'none' };
  }
}

/** `REPOSITORY_URI:IMAGE_TAG`, `gcr.io/PROJECT_ID/app:1`: no valid reference, and capitals say why. */
function isBlankToFill(text: string): boolean {
  return /(?:^|[/:@.-])[A-Z][A-Z0-9_]+(?=$|[/:@.-])/.test(text);
}
