import type { Digest } from '../core/digest.ts';
import type { FoundReference } from './find/types.ts';
import { editable, readReference } from './reference-key.ts';

/** A container that runs: what its task definition says, and the digest that was pulled. */
export interface RunningContainer {
  /** `family:revision`. */
  taskDefinition: string;
  container: string;
  image: string;
  digest?: string;
  /** Tasks that run it like this. */
  tasks: number;
}

/**
 * `same`: a file pins what runs. `drifted`: the files pin something else. `unpinned`: the files name it without a digest.
 * `not-in-files`: no file names the image. `unknown`: the cluster did not say what runs.
 */
export type DriftState = 'same' | 'drifted' | 'unpinned' | 'not-in-files' | 'unknown';

export interface Drift extends RunningContainer {
  state: DriftState;
  /** Where the files speak of it, for people: `path:line`. */
  places: string[];
  pinned: Digest[];
}

interface Place {
  path: string;
  found: FoundReference;
}

/**
 * Holds what runs against what the files say, by registry and path, and by tag where both have one. `contains` answers
 * whether an index has an image: a cluster may report the image of its platform where the file pins the index.
 */
export async function findDrift(
  running: readonly RunningContainer[],
  places: readonly Place[],
  contains: (name: { host: string; path: string }, index: Digest, digest: string) => Promise<boolean>,
): Promise<Drift[]> {
  const named = places.flatMap((place) => {
    const reference = editable(place.found);
    return reference ? [{ ...place, reference }] : [];
  });
  const drifts: Drift[] = [];
  for (const each of running) {
    const image = readReference(each.image);
    const sameName = named.filter(({ reference }) => reference.host === image?.host && reference.path === image.path);
    const sameTag = sameName.filter(({ reference }) => reference.tag === image?.tag);
    const relevant = image?.tag !== undefined && sameTag.length > 0 ? sameTag : sameName;
    const pinned = [...new Set(relevant.flatMap(({ reference }) => reference.digest ?? []))];
    const digest = each.digest ?? image?.digest;
    let state: DriftState = 'drifted';
    if (image === undefined || digest === undefined) state = 'unknown';
    else if (relevant.length === 0) state = 'not-in-files';
    else if (pinned.length === 0) state = 'unpinned';
    else if (pinned.some((each) => each === digest)) state = 'same';
    else for (const index of pinned) if (await contains(image, index, digest)) state = 'same';
    drifts.push({ ...each, state, places: relevant.map(({ path, found }) => `${path}:${found.line}`), pinned });
  }
  return drifts;
}
