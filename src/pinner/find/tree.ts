/** What the YAML and JSON parsers give: structure, and where each scalar stands. */
export type Node = ScalarNode | MapNode | SequenceNode | AliasNode;

export interface ScalarNode {
  kind: 'scalar';
  /** The content without quotes; for a block scalar, from its first line to its last. */
  start: number;
  end: number;
  /** Escapes undone, lines folded. */
  text: string;
  style: 'plain' | 'single' | 'double' | 'block' | 'folded' | 'json';
  /** The bytes between `start` and `end` are `text`. */
  exact: boolean;
  tag?: string;
}

export interface MapNode {
  kind: 'map';
  start: number;
  entries: Entry[];
  tag?: string;
}

export interface Entry {
  key: ScalarNode;
  /** `undefined`: nothing was written. */
  value: Node | undefined;
}

export interface SequenceNode {
  kind: 'sequence';
  start: number;
  items: (Node | undefined)[];
  tag?: string;
}

export interface AliasNode {
  kind: 'alias';
  start: number;
  name: string;
  target: Node | undefined;
}

/** Through aliases, to what they stand for. */
export function follow(node: Node | undefined): ScalarNode | MapNode | SequenceNode | undefined {
  let at = node;
  for (let hops = 0; at?.kind === 'alias' && hops < 10; hops++) at = at.target;
  return at?.kind === 'alias' ? undefined : at;
}

/** The first entry of each key; kept for large maps only, which would else be searched once for each of their entries. */
const indexes = new WeakMap<MapNode, Map<string, Entry>>();
const SMALL = 16;

function findEntry(node: Node | undefined, key: string): Entry | undefined {
  const map = follow(node);
  if (map?.kind !== 'map') return undefined;
  if (map.entries.length <= SMALL) return map.entries.find((entry) => entry.key.text === key);
  let index = indexes.get(map);
  if (!index) {
    index = new Map(map.entries.toReversed().map((entry) => [entry.key.text, entry]));
    indexes.set(map, index);
  }
  return index.get(key);
}

export function entryOf(node: Node | undefined, key: string): Node | undefined {
  return findEntry(node, key)?.value;
}

export function has(node: Node | undefined, key: string): boolean {
  return findEntry(node, key) !== undefined;
}

export function mapAt(node: Node | undefined, ...keys: string[]): MapNode | undefined {
  let at = node;
  for (const key of keys) at = entryOf(at, key);
  const map = follow(at);
  return map?.kind === 'map' ? map : undefined;
}

export function scalarAt(node: Node | undefined, ...keys: string[]): ScalarNode | undefined {
  let at = node;
  for (const key of keys) at = entryOf(at, key);
  const scalar = follow(at);
  return scalar?.kind === 'scalar' ? scalar : undefined;
}

export function itemsAt(node: Node | undefined, ...keys: string[]): (Node | undefined)[] {
  let at = node;
  for (const key of keys) at = entryOf(at, key);
  const sequence = follow(at);
  return sequence?.kind === 'sequence' ? sequence.items : [];
}
