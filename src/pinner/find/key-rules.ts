import type { Collector, Trust } from './collector.ts';
import type { Node } from './tree.ts';
import type { SkipReason } from './types.ts';

/** What the kind of file says of the keys in it. */
export interface KeyRules {
  /** For `image:` itself, outside of anything that looks like a container. */
  image: Trust;
  /** For keys such as `sidecarImage`. */
  custom: Trust;
  skip?: SkipReason;
  /** Added to every offset, for text cut out of a larger file. */
  shift?: number;
  /** Whether YAML and JSON inside of string values is read too. */
  embedded?: boolean;
}

/** Reads every map below a node. */
export type FindByKeys = (node: Node | undefined, path: string, collector: Collector, rules: KeyRules) => void;
