import type { Collector } from './collector.ts';
import { parseJson } from './json.ts';
import type { FindByKeys, KeyRules } from './key-rules.ts';
import { SyntaxProblem } from './text.ts';
import type { Node, ScalarNode } from './tree.ts';
import { parseYaml } from './yaml.ts';
import { maskYamlTemplates } from './template.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const MAX_EMBEDDED = 1 << 20;

/**
 * YAML or JSON that is the text of a value. In a literal block (`|`) it stands byte for byte in the file and is read like the
 * rest. In a quoted string it is listed and left alone: it is a copy that some tool made.
 */
export function findEmbedded(
  scalar: ScalarNode,
  path: string,
  collector: Collector,
  rules: KeyRules,
  findByKeys: FindByKeys,
): void {
  if (!mayEmbed(scalar)) return;
  const isCopy = path.endsWith(LAST_APPLIED);
  if (scalar.style === 'block')
    readBlock(scalar, path, collector, { ...rules, ...(isCopy ? { skip: 'embedded' as const } : {}) }, findByKeys);
  else if (/^\s*[[{]/.test(scalar.text)) readString(scalar, path, collector, rules, findByKeys);
}

/** A quick look, for most scalars are short words. */
export function mayEmbed(scalar: ScalarNode): boolean {
  const { length } = scalar.text;
  return length > 8 && length <= MAX_EMBEDDED && (scalar.text.includes('mage') || scalar.text.includes('repository'));
}

function readBlock(scalar: ScalarNode, path: string, collector: Collector, rules: KeyRules, findByKeys: FindByKeys): void {
  if (!/[iI]mage[A-Za-z]*["']?[ \t]*:|repository["']?[ \t]*:|\/image\b/.test(scalar.text)) return;
  const roots = attempt(() => parseYaml(maskYamlTemplates(scalar.text)).map((document) => document.root));
  const shift = (rules.shift ?? 0) + scalar.start;
  for (const root of roots ?? []) {
    if (root?.kind !== 'map' && root?.kind !== 'sequence') continue;
    findByKeys(root, path, collector, { ...rules, shift, image: isManifest(root) ? 'certain' : 'tagged', custom: 'tagged' });
  }
}

function isManifest(root: Node): boolean {
  return (
    root.kind === 'map' &&
    root.entries.some(({ key }) => key.text === 'apiVersion') &&
    root.entries.some(({ key }) => key.text === 'kind')
  );
}

function readString(scalar: ScalarNode, path: string, collector: Collector, rules: KeyRules, findByKeys: FindByKeys): void {
  const root = attempt(() => parseJson(scalar.text));
  if (root?.kind !== 'map' && root?.kind !== 'sequence') return;
  // Offsets within an escaped text are not those of the file: the whole value is named instead.
  const before = collector.candidates.length;
  findByKeys(root, path, collector, {
    image: 'likely',
    custom: 'tagged',
    skip: 'embedded',
    shift: (rules.shift ?? 0) + scalar.start,
    embedded: false,
  });
  if (scalar.exact) return;
  for (const candidate of collector.candidates.slice(before)) {
    for (const part of candidate.parts) {
      part.start = (rules.shift ?? 0) + scalar.start;
      part.end = (rules.shift ?? 0) + scalar.end;
    }
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxProblem) return undefined;
    throw error;
  }
}
