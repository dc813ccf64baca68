import { spanOf, subSpan, type Collector, type Span, type Trust } from './collector.ts';
import { findEmbedded, mayEmbed } from './embedded.ts';
import type { KeyRules } from './key-rules.ts';
import { readLiteral } from './literal.ts';
import { follow, has, itemsAt, scalarAt, type Entry, type MapNode, type Node, type ScalarNode } from './tree.ts';
import type { SkipReason } from './types.ts';

const CUSTOM =
  /^(?:[A-Za-z0-9]+(?:Image|_image|-image|IMAGE)|image(?:Name|Ref|Uri|URI|Url|URL|Reference|Identifier|_?uri|_?url|_?ref)|[A-Za-z0-9]+(?:Image|_image)_?(?:[nN]ame|[uU]ri|URI|[rR]ef)|Image(?:Uri|Identifier)|ImageURI)$/;
/** Keys that end like the others and name disks, pictures or settings. */
const OTHER =
  /^(?:machine|os|vm|node|disk|boot|ami|background|og|twitter|social|header|hero|featured|cover|logo|icon|profile|thumbnail|preview|banner|splash|avatar|favicon|share|default_?og|pull|push|save|load|build|skip|use|has|is|no|source)_?-?image$/i;
const CONTAINER_LISTS =
  /^(?:containers|initContainers|ephemeralContainers|init_containers|container_?definitions|containerStatuses|initContainerStatuses|sidecars|container|services)$/i;
const CONTAINER_SIBLINGS = [
  'command',
  'args',
  'ports',
  'env',
  'envFrom',
  'environment',
  'volumeMounts',
  'imagePullPolicy',
  'pullPolicy',
  'entrypoint',
  'portMappings',
  'essential',
  'script',
  'commands',
  'securityContext',
  'livenessProbe',
  'readinessProbe',
  'volumes',
  'depends_on',
  'container_name',
  'logConfiguration',
  'workingDir',
  'containerPort',
];
const TAG_KEYS = ['tag', 'imageTag', 'image_tag', 'version'];

/** Reads every map below `node`. */
export function findByKeys(node: Node | undefined, path: string, collector: Collector, rules: KeyRules): void {
  visit(node, path, '', collector, rules);
}

function visit(node: Node | undefined, path: string, parentKey: string, collector: Collector, rules: KeyRules): void {
  if (node === undefined || node.kind === 'alias') return;
  if (node.kind === 'sequence') {
    for (let index = 0; index < node.items.length; index++)
      visit(node.items[index], `${path}[${index}]`, parentKey, collector, rules);
    return;
  }
  if (node.kind === 'scalar') {
    if (rules.embedded !== false) findEmbedded(node, path, collector, rules, findByKeys);
    return;
  }
  visitMap(node, path, parentKey, collector, rules);
}

function visitMap(map: MapNode, path: string, parentKey: string, collector: Collector, rules: KeyRules): void {
  if (readSplit(map, path, parentKey, collector, rules)) return;
  for (const entry of map.entries) {
    const key = entry.key.text;
    const value = follow(entry.value);
    if (value === undefined || (value.kind === 'scalar' && !/image/i.test(key) && !mayEmbed(value))) continue;
    const at = path === '' ? key : `${path}.${key}`;
    const line = value.kind === 'scalar' ? oneLine(value) : undefined;
    if (line && readImageEntry(map, entry, line, at, parentKey, collector, rules)) continue;
    if (entry.value?.kind !== 'alias') visit(value, at, key, collector, rules);
  }
  readPatch(map, path, collector, rules);
  if (parentKey === 'kustomize') readImageList(map, path, collector, rules);
}

/** Argo CD's `kustomize: { images: [old=new:tag, new:tag] }`. */
function readImageList(map: MapNode, path: string, collector: Collector, rules: KeyRules): void {
  itemsAt(map, 'images').forEach((item, index) => {
    const scalar = scalarAt(item);
    if (!scalar?.exact) return;
    const span = spanOf(scalar, rules.shift);
    collector.add(subSpan(span, span.text.indexOf('=') + 1, span.text.length), `${path}.images[${index}]`, 'tagged', rules.skip);
  });
}

/** A block scalar of one line as that line; `undefined` for one of more. Any other scalar is itself. */
export function oneLine(scalar: ScalarNode): ScalarNode | undefined {
  if (scalar.style !== 'block' && scalar.style !== 'folded') return scalar;
  const text = scalar.text.trim();
  if (text === '' || text.includes('\n')) return undefined;
  const start = scalar.start + scalar.text.indexOf(text);
  return { kind: 'scalar', start, end: start + text.length, text, style: 'block', exact: true };
}

function readImageEntry(
  map: MapNode,
  entry: Entry,
  value: ScalarNode,
  at: string,
  parentKey: string,
  collector: Collector,
  rules: KeyRules,
): boolean {
  const key = entry.key.text;
  const span = spanOf(value, rules.shift);
  // With a capital it is ECS as CloudFormation spells it; elsewhere it is in what `docker inspect` has printed.
  if (key === 'image' || (key === 'Image' && /^container_?definitions$/i.test(parentKey))) {
    // A block device of Ceph.
    if (parentKey === 'rbd' || has(map, 'monitors') || has(map, 'pool')) return true;
    const isContainer =
      CONTAINER_LISTS.test(parentKey) || (parentKey !== 'properties' && CONTAINER_SIBLINGS.some((name) => has(map, name)));
    const trust: Trust = isContainer ? 'certain' : rules.image;
    const tag = readTagSibling(map, span, rules);
    if (tag !== undefined)
      return collector.addSplit(
        [{ role: 'repository', span }, { role: 'tag', span: tag }, ...digestOf(map, rules)],
        at,
        'certain',
      );
    return addWithDefault(collector, span, at, trust, rules.skip);
  }
  if (CUSTOM.test(key) && !OTHER.test(key)) {
    const sibling = scalarAt(map, key.replace(/Image$/, 'Tag')) ?? scalarAt(map, `${key}Tag`) ?? scalarAt(map, `${key}_tag`);
    if (
      sibling &&
      sibling !== value &&
      sibling.text !== '' &&
      readLiteral(span.text).kind === 'reference' &&
      !/:[\w.-]+$|@/.test(span.text)
    ) {
      return collector.addSplit(
        [
          { role: 'repository', span },
          { role: 'tag', span: spanOf(sibling, rules.shift) },
        ],
        at,
        'certain',
      );
    }
    return addWithDefault(collector, span, at, rules.custom, rules.skip);
  }
  return false;
}

/** `image: nginx` with a `tag:` beside it. */
function readTagSibling(map: MapNode, span: Span, rules: KeyRules): Span | undefined {
  const reading = readLiteral(span.text);
  if (reading.kind !== 'reference' || reading.strength === 'tag' || reading.strength === 'digest') return undefined;
  for (const name of TAG_KEYS) {
    const tag = scalarAt(map, name);
    if (!tag || tag.text === '' || tag.style === 'block') continue;
    if (name === 'version' && (!/^v?[0-9]+(?:\.[0-9]+)+/.test(tag.text) || map.entries.length > 4)) continue;
    return spanOf(tag, rules.shift);
  }
  return undefined;
}

function digestOf(map: MapNode, rules: KeyRules): { role: 'digest'; span: Span; bareHex?: boolean }[] {
  for (const name of ['digest', 'sha', 'sha256', 'imageDigest']) {
    const node = scalarAt(map, name);
    if (node) return [{ role: 'digest', span: spanOf(node, rules.shift), ...(name.startsWith('sha') ? { bareHex: true } : {}) }];
  }
  return [];
}

/** `{ registry, repository, tag, digest }`, as Helm values and many custom resources have it. */
function readSplit(map: MapNode, path: string, parentKey: string, collector: Collector, rules: KeyRules): boolean {
  const isImage = /image$/i.test(parentKey);
  const name =
    scalarAt(map, 'repository') ??
    scalarAt(map, 'repo') ??
    (isImage
      ? (scalarAt(map, 'name') ?? scalarAt(map, 'imageName') ?? scalarAt(map, 'reference') ?? scalarAt(map, 'location'))
      : undefined);
  if (!name || name.text === '') return false;
  const tag = scalarAt(map, 'tag') ?? scalarAt(map, 'imageTag') ?? (isImage ? scalarAt(map, 'version') : undefined);
  const digest = digestOf(map, rules);
  const isPlausible =
    isImage ||
    ((tag !== undefined || digest.length > 0) &&
      !/git|repo|source|chart/i.test(parentKey) &&
      (map.entries.some(({ key }) => /^(?:imagePullPolicy|pullPolicy|registry|image)$/.test(key.text)) ||
        /image|container|sidecar|init|exporter|reloader|kubectl|proxy/i.test(path)));
  if (!isPlausible || (tag === undefined && digest.length === 0 && !isImage)) return false;
  const registry = scalarAt(map, 'registry');
  const span = (role: 'registry' | 'repository' | 'tag', scalar: ScalarNode | undefined): { role: typeof role; span: Span }[] =>
    scalar && scalar.style !== 'block' && scalar.style !== 'folded' ? [{ role, span: spanOf(scalar, rules.shift) }] : [];
  if (tag === undefined && digest.length === 0) {
    // `image: { name: node:18 }`, an image volume's `{ reference: … }`: a whole reference.
    return addWithDefault(
      collector,
      spanOf(name, rules.shift),
      `${path}.name`,
      rules.image === 'certain' ? 'likely' : 'tagged',
      rules.skip,
    );
  }
  return collector.addSplit(
    [...span('repository', name), ...span('registry', registry), ...span('tag', tag), ...digest],
    path,
    'certain',
  );
}

/** JSON Patch in YAML or JSON: `{ op: replace, path: /spec/…/image, value: nginx:1 }`. */
function readPatch(map: MapNode, path: string, collector: Collector, rules: KeyRules): void {
  const target = scalarAt(map, 'path');
  if (!target?.text.endsWith('/image') || /\/(?:labels|annotations|matchLabels)\//.test(target.text)) return;
  const value = scalarAt(map, 'value');
  const trust: Trust = /\/(?:containers|initContainers|ephemeralContainers|steps|sidecars)\/[^/]+\/image$/.test(target.text)
    ? 'likely'
    : 'weak';
  if (value && scalarAt(map, 'op')) collector.add(spanOf(value, rules.shift), `${path}.value`, trust, rules.skip);
}

const DEFAULTED = /^(\$\{[A-Za-z_][A-Za-z0-9_]*:?-)([^${}]+)\}$/;

/** `${NAME:-nginx:1.2}`: the literal default is what is read, at its own place. */
export function addWithDefault(collector: Collector, span: Span, position: string, trust: Trust, skip?: SkipReason): boolean {
  const match = span.exact ? DEFAULTED.exec(span.text) : null;
  if (!match) return collector.add(span, position, trust, skip);
  const from = match[1]?.length ?? 0;
  return collector.add(subSpan(span, from, span.text.length - 1), position, trust === 'certain' ? 'certain' : 'weak', skip);
}
