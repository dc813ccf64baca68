import { findInSource } from './cdk.ts';
import { classifyFile, type FileClass } from './classify-file.ts';
import { createCollector, type Collector } from './collector.ts';
import { findInDockerfile } from './dockerfile.ts';
import { isValuesPath, typeOfDocument } from './document-type.ts';
import { composeVariables, findInDocument } from './documents.ts';
import { findInEnv } from './env.ts';
import { findInHcl } from './hcl-files.ts';
import { isIgnored } from './ignored.ts';
import { parseJson } from './json.ts';
import { findInShell } from './shell.ts';
import { MASK, maskYamlTemplates } from './template.ts';
import { findInTemplateLines } from './template-lines.ts';
import { createLineIndex, readable, SyntaxProblem, toByteText } from './text.ts';
import type { Node } from './tree.ts';
import type { FileFindings, FileType, FindOptions } from './types.ts';
import { parseYaml } from './yaml.ts';

/**
 * Every place in a file where an image reference is written, in the order of the file, by the rules of its kind; `undefined`
 * when it is not a kind of file that is read. Never throws for what a file says: a file that cannot be parsed comes back
 * with a problem and without references. Linear in the length of the file.
 */
export function findReferences(path: string, bytes: Uint8Array, options: FindOptions = {}): FileFindings | undefined {
  const found = classifyFile(path, bytes);
  if (!found || ((found.syntax === 'shell' || found.syntax === 'makefile') && !options.shell)) return undefined;
  const initial = found.fileType ?? FALLBACK[found.syntax];
  if (!mayHoldReferences(found, bytes, options)) return { fileType: initial, references: [], problems: [] };
  const { text, base } = toByteText(bytes);
  const collector = createCollector(initial);
  try {
    read(found, path.replaceAll('\\', '/'), text, collector, options);
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    const place = createLineIndex(text)(error.offset);
    return { fileType: collector.fileType, references: [], problems: [{ ...place, message: error.message }] };
  }
  return finish(text, base, collector);
}

const FALLBACK: Record<FileClass['syntax'], FileType> = {
  yaml: 'yaml',
  json: 'json',
  hcl: 'terraform',
  dockerfile: 'dockerfile',
  js: 'cdk',
  python: 'cdk',
  java: 'cdk',
  go: 'cdk',
  csharp: 'cdk',
  env: 'env',
  shell: 'shell',
  makefile: 'makefile',
};

/** A look at the bytes, so that most files are never parsed. */
function mayHoldReferences(found: FileClass, bytes: Uint8Array, options: FindOptions): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.subarray(0, 8192).includes(0)) return false;
  switch (found.syntax) {
    case 'dockerfile':
    case 'shell':
    case 'makefile':
      return true;
    case 'env':
      return (options.composeVariables?.size ?? 0) > 0 || buffer.includes('IMAGE') || buffer.includes('image');
    case 'hcl':
      return buffer.includes('mage');
    case 'yaml':
    case 'json':
      return (
        buffer.includes('mage') ||
        buffer.includes('repository') ||
        buffer.includes('docker://') ||
        /github-actions|gitlab-ci|cloudbuild|circleci|compose/.test(found.fileType ?? '') ||
        buffer.includes('container:') ||
        buffer.includes('gcr.io/') ||
        buffer.includes('newTag')
      );
    default:
      return (
        /* ContainerImage, image: … */ buffer.includes('mage') &&
        (buffer.includes('egistry(') || /* manifests in a CDK app */ CDK_MARKS.some((mark) => buffer.includes(mark)))
      );
  }
}

const CDK_MARKS = ['aws-cdk', 'aws_cdk', 'awscdk', 'Amazon.CDK', 'cdk8s', '@pulumi/', 'pulumi_', 'pulumi-'];

function read(found: FileClass, path: string, text: string, collector: Collector, options: FindOptions): void {
  switch (found.syntax) {
    case 'dockerfile':
      return findInDockerfile(
        text.includes('{{') || text.includes('{%') || text.includes('<%') ? maskYamlTemplates(text) : text,
        collector,
      );
    case 'env':
      return findInEnv(text, collector, options.composeVariables ?? new Set());
    case 'hcl':
      if (
        collector.fileType === 'terraform' &&
        /\.hcl$/i.test(path) &&
        /^[ \t]*(?:job[ \t]+"|group[ \t]+"|task[ \t]+")/m.test(text)
      )
        collector.fileType = 'nomad';
      return findInHcl(text, collector);
    case 'shell':
    case 'makefile':
      return findInShell(text, collector);
    case 'yaml':
    case 'json':
      return readTree(found, path, text, collector);
    default:
      return findInSource(text, found.syntax, collector);
  }
}

const WANTED: Partial<Record<FileType, RegExp>> = {
  'github-actions': /container|image|docker:\/\//i,
  'gitlab-ci': /image|services/i,
  cloudbuild: /name/,
  kustomize: /newTag|newName|digest|image/i,
};
const WANTED_ANY = /[iI]mage|repository["']?[ \t]*:|docker:\/\/|container["']?[ \t]*:|["']?name["']?[ \t]*:[ \t]*["']?gcr\.io/;

// Long, common, and made of descriptions: they name no image.
const SCHEMA = /^kind:[ \t]*["']?CustomResourceDefinition\b/m;

function readTree(found: FileClass, path: string, text: string, collector: Collector): void {
  const masked = text.includes('{{') || text.includes('{%') || text.includes('<%') ? maskYamlTemplates(text) : text;
  const isTemplate =
    masked !== text && (masked.includes(MASK) || collector.fileType === 'helm-template' || /\/templates\//.test(path));
  const wanted = WANTED[collector.fileType] ?? WANTED_ANY;
  let roots: (Node | undefined)[];
  try {
    roots =
      found.syntax === 'json' || (/\.(?:tpl|tftpl|tmpl|template)$/i.test(path) && /^\s*[[{]/.test(text))
        ? [parseJsonTemplate(masked)]
        : parseYaml(masked, (document) => wanted.test(document) && !SCHEMA.test(document)).map((document) => document.root);
  } catch (error) {
    // A template is no YAML yet, and fragments of one are none for themselves: read it line by line.
    if (
      !(error instanceof SyntaxProblem) ||
      !(isTemplate || /\.(?:tpl|tmpl|tftpl|j2|erb|gotmpl|template|in)$/i.test(path) || /\$\{[A-Za-z_]/.test(text))
    )
      throw error;
    if (/\/templates\//.test(path)) collector.fileType = 'helm-template';
    return findInTemplateLines(masked, collector);
  }
  const given = found.fileType;
  let isFirst = true;
  for (const root of roots) {
    if (root === undefined || root.kind === 'scalar') continue;
    let fileType = given ?? typeOfDocument(root, path);
    if (
      given === undefined &&
      isTemplate &&
      /\/templates\//.test(path) &&
      (fileType === 'kubernetes' || fileType === 'yaml' || fileType === 'tekton')
    )
      fileType = 'helm-template';
    if (given === 'kustomize' || given === 'compose' || given === 'cloudbuild')
      fileType = corrected(given, typeOfDocument(root, path));
    if (isFirst || fileType !== 'yaml') collector.fileType = fileType;
    isFirst = false;
    findInDocument(root, fileType, collector);
  }
  if (given === undefined && isValuesPath(path) && collector.fileType === 'yaml') collector.fileType = 'helm-values';
}

/** JSON, or a template of it: `"cpu": ${cpu}` is not JSON until Terraform or envsubst has filled it in. */
function parseJsonTemplate(text: string): Node | undefined {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxProblem) || !text.includes('${')) throw error;
    return parseJson(text.replaceAll(/\$\{[^{}\n]{0,500}\}/g, (found) => MASK.repeat(found.length)));
  }
}

/** A name can mislead (`compose.yaml` of another tool); content that is clearly something else wins. */
function corrected(given: FileType, seen: FileType): FileType {
  return seen === 'kubernetes' || seen === 'tekton' || seen === 'cloudformation' || seen === 'github-actions' ? seen : given;
}

/** Sorted, with lines and columns, and with those marked that a comment excludes. */
function finish(text: string, base: number, collector: Collector): FileFindings {
  const place = createLineIndex(text);
  const sorted = collector.candidates.toSorted((a, b) => (a.parts[0]?.start ?? 0) - (b.parts[0]?.start ?? 0));
  const references = sorted.map((candidate) => {
    const start = candidate.parts[0]?.start ?? 0;
    const end = candidate.parts.at(-1)?.end ?? start;
    const skip = candidate.skip ?? (isIgnored(text, start, end) ? ('ignored' as const) : undefined);
    const parts = candidate.parts.map((part) => ({
      ...part,
      start: part.start + base,
      end: part.end + base,
      text: unmasked(part.text, text, part.start),
    }));
    const reference =
      parts.length === 1 && candidate.reference.includes(MASK)
        ? (parts[0]?.text ?? '')
        : readable(candidate.reference.replaceAll(MASK, '*'));
    return {
      fileType: collector.fileType,
      ...place(start),
      parts,
      reference,
      position: candidate.position,
      quoting: candidate.quoting,
      ...(skip ? { skip } : {}),
    };
  });
  return { fileType: collector.fileType, references, problems: [] };
}

/** What the file says at the place of a masked text. */
function unmasked(masked: string, text: string, start: number): string {
  return readable(masked.includes(MASK) ? text.slice(start, start + masked.length) : masked);
}

/** The variables that a compose file uses as a whole image; none when it is not one, or is broken. */
export function findComposeVariables(path: string, bytes: Uint8Array): string[] {
  const found = classifyFile(path, bytes);
  if (found?.fileType !== 'compose') return [];
  const { text } = toByteText(bytes);
  try {
    return found.syntax === 'json'
      ? composeVariables(parseJson(text))
      : parseYaml(text).flatMap((document) => composeVariables(document.root));
  } catch (error) {
    if (error instanceof SyntaxProblem) return [];
    throw error;
  }
}
