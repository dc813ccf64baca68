import type { FileSystem } from '../ports.ts';
import { classifyFile } from './classify-file.ts';
import { findComposeVariables, findReferences } from './find-references.ts';
import type { FileFindings, FindOptions } from './types.ts';
import { walkTree, type WalkOptions } from './walk-tree.ts';

/** A file with something in it to tell, or a place that could not be looked at. Bytes are those that were read. */
export type Found = { kind: 'file'; path: string; bytes: Uint8Array; findings: FileFindings; options: FindOptions } | { kind: 'problem'; path: string; message: string };

/**
 * Walks the paths and reads each file once. A `.env` file is read with the variables of the compose files beside it, which the
 * walk has met before it leaves their folder; so `.env` findings come last in their folder. `options` of a result are those
 * to read the same file again with.
 */
export async function* findTree(files: FileSystem, paths: readonly string[], options: WalkOptions & FindOptions = {}): AsyncGenerator<Found> {
  const plain: FindOptions = options.shell === undefined ? {} : { shell: options.shell };
  let folder: string | undefined;
  let variables = new Set<string>();
  let waiting: { path: string; bytes: Uint8Array }[] = [];
  const flush = (): Found[] => {
    const found = waiting.flatMap(({ path, bytes }) => read(path, bytes, { ...plain, composeVariables: variables }));
    waiting = [];
    variables = new Set();
    return found;
  };
  for await (const walked of walkTree(files, paths, options)) {
    const here = walked.path.slice(0, Math.max(walked.path.lastIndexOf('/'), 0));
    if (here !== folder) {
      yield* flush();
      folder = here;
    }
    if (walked.kind === 'problem') yield walked;
    else {
      const { path, bytes } = walked;
      const fileType = classifyFile(path, bytes)?.fileType;
      if (fileType === 'env') waiting.push({ path, bytes });
      else {
        if (fileType === 'compose') for (const name of findComposeVariables(path, bytes)) variables.add(name);
        yield* read(path, bytes, plain);
      }
    }
  }
  yield* flush();
}

function read(path: string, bytes: Uint8Array, options: FindOptions): Found[] {
  const findings = findReferences(path, bytes, options);
  if (!findings || (findings.references.length === 0 && findings.problems.length === 0)) return [];
  return [{ kind: 'file', path, bytes, findings, options }];
}
