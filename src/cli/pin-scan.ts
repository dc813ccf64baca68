import { setFlagsFromString } from 'node:v8';
import { dirname, relative, resolve, sep } from 'node:path';
import { digestOf, type Digest } from '../core/digest.ts';
import { classifyFile } from '../pinner/find/classify-file.ts';
import { findComposeVariables, findReferences } from '../pinner/find/find-references.ts';
import type { FileFindings, FindOptions } from '../pinner/find/types.ts';
import { walkTree } from '../pinner/find/walk-tree.ts';
import { LOCK_FILE } from '../pinner/lock.ts';
import type { CommandContext } from './command.ts';
import { strings } from './pin-client.ts';
import { machineFiles } from './pin-files.ts';

export interface ScannedFile {
  /** Relative to the working directory, with `/`. */
  path: string;
  findings: FileFindings;
  /** What the file was read with; it must be read with the same again. */
  options: FindOptions;
  /** Of the bytes that were read. */
  content: Digest;
}

export interface Scan {
  /** Only files that name an image, in the order of their paths. */
  files: ScannedFile[];
  /** Files and folders that could not be read, or do not parse. */
  problems: { path: string; message: string }[];
}

/** Finds every reference below the operands (the working directory when there is none) by the options of scopeOptions. */
export async function scanFiles(context: CommandContext, options: Record<string, unknown>, operands: string[]): Promise<Scan> {
  // A scan makes much garbage that lives for one file; V8 would answer by growing the heap threefold, for no gain in time.
  setFlagsFromString('--semi-space-growth-factor=1');
  const scan: Scan = { files: [], problems: [] };
  const seen = new Set<string>();
  const shell = options['shell'] === true;
  // A `.env` file is only of interest for what a compose file beside it takes from it, and that may come later.
  const waiting: { path: string; bytes: Uint8Array }[] = [];
  const composeVariables = new Map<string, Set<string>>();

  const read = (path: string, bytes: Uint8Array, find: FindOptions): void => {
    const findings = findReferences(path, bytes, find);
    if (findings === undefined) return;
    if (findings.references.length > 0)
      scan.files.push({ path, findings: detached(findings), options: find, content: digestOf(bytes) });
    for (const { line, column, message } of findings.problems.slice(0, 1))
      scan.problems.push({ path, message: `line ${line}, column ${column}: ${message}` });
  };

  const roots = (operands.length > 0 ? operands : ['.']).map((operand) => resolve(context.cwd, operand));
  const walk = walkTree(machineFiles, roots, { include: strings(options['include']), exclude: strings(options['exclude']) });
  for await (const walked of walk) {
    const path = shownFrom(context.cwd, walked.path);
    if (seen.has(path) || path === LOCK_FILE || path.endsWith(`/${LOCK_FILE}`)) continue;
    seen.add(path);
    if (walked.kind === 'problem') {
      scan.problems.push({ path, message: walked.message });
      continue;
    }
    const kind = classifyFile(path, walked.bytes);
    if (kind?.syntax === 'env') {
      waiting.push({ path, bytes: walked.bytes });
      continue;
    }
    if (kind?.fileType === 'compose') {
      const variables = composeVariables.get(dirname(path)) ?? new Set();
      for (const name of findComposeVariables(path, walked.bytes)) variables.add(name);
      composeVariables.set(dirname(path), variables);
    }
    read(path, walked.bytes, { shell });
  }
  for (const { path, bytes } of waiting) {
    const variables = composeVariables.get(dirname(path));
    read(path, bytes, { shell, ...(variables ? { composeVariables: variables } : {}) });
  }
  scan.files.sort((a, b) => (a.path < b.path ? -1 : 1));
  scan.problems.sort((a, b) => (a.path < b.path ? -1 : 1));
  return scan;
}

/** Relative to `folder`; the usual case without the work of the general one. */
function shownFrom(folder: string, path: string): string {
  return path.startsWith(folder) && path[folder.length] === sep ? path.slice(folder.length + 1) : relative(folder, path) || path;
}

/** A part of a string keeps the whole string alive: without copies, the findings would hold the text of every file. */
export function detached(findings: FileFindings): FileFindings {
  const copy = (text: string): string => Buffer.from(text).toString();
  return {
    ...findings,
    references: findings.references.map((found) => ({
      ...found,
      reference: copy(found.reference),
      position: copy(found.position),
      parts: found.parts.map((part) => ({ ...part, text: copy(part.text) })),
    })),
  };
}
