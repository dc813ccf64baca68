import type { FileType } from './types.ts';

/** How a file is read: as which syntax, and, where its name says so, as which type. */
export interface FileClass {
  syntax: 'yaml' | 'json' | 'hcl' | 'dockerfile' | 'js' | 'python' | 'java' | 'go' | 'csharp' | 'env' | 'shell' | 'makefile';
  /** `undefined`: the content tells. */
  fileType?: FileType;
}

const BY_NAME: readonly [RegExp, FileClass][] = [
  [/(?:^|[./_-])(?:docker|container)file(?:$|[._-][^/]*$)/i, { syntax: 'dockerfile', fileType: 'dockerfile' }],
  [/(?:^|\/)\.github\/workflows\/[^/]+\.ya?ml$|(?:^|\/)action\.ya?ml$/i, { syntax: 'yaml', fileType: 'github-actions' }],
  [/(?:^|\/)[^/]*\.?gitlab-ci[^/]*\.ya?ml$|(?:^|\/)\.gitlab\/(?:.*\/)?[^/]+\.ya?ml$/i, { syntax: 'yaml', fileType: 'gitlab-ci' }],
  [/(?:^|\/)\.circleci\/(?:.*\/)?[^/]+\.ya?ml$/i, { syntax: 'yaml', fileType: 'circleci' }],
  [/(?:^|\/)kustomization(?:\.ya?ml)?$/i, { syntax: 'yaml', fileType: 'kustomize' }],
  [/(?:^|\/)[^/]*skaffold[^/]*\.ya?ml$/i, { syntax: 'yaml' }],
  [/(?:^|\/)[^/]*cloud-?build[^/]*\.ya?ml$/i, { syntax: 'yaml', fileType: 'cloudbuild' }],
  [/(?:^|\/)[^/]*cloud-?build[^/]*\.json$/i, { syntax: 'json', fileType: 'cloudbuild' }],
  [
    /(?:^|\/)(?:[^/]*[._-])?compose(?:[._-][^/]*)?\.ya?ml$|(?:^|\/)docker-?(?:stack|compose|swarm)[^/]*\.ya?ml$/i,
    { syntax: 'yaml', fileType: 'compose' },
  ],
  [/(?:^|\/)(?:[^/]*[._-])?compose(?:[._-][^/]*)?\.json$/i, { syntax: 'json', fileType: 'compose' }],
  [/(?:^|\/)\.?devcontainer\.json$|(?:^|\/)\.devcontainer\/(?:.*\/)?[^/]+\.json$/i, { syntax: 'json', fileType: 'devcontainer' }],
  [/(?:^|\/)(?:imagedefinitions|imageDetail)[^/]*\.json$/i, { syntax: 'json', fileType: 'imagedefinitions' }],
  [/\.nomad(?:\.hcl)?(?:\.(?:tpl|tftpl|j2))?$|\.nomad\.[a-z]+$/i, { syntax: 'hcl', fileType: 'nomad' }],
  [/\.(?:tf|tofu|tfvars|hcl)$/i, { syntax: 'hcl' }],
  [/\.(?:ya?ml)(?:\.(?:tpl|tmpl|tftpl|j2|erb|gotmpl|template|in|dist|example|sample|bak))?$/i, { syntax: 'yaml' }],
  [/\.json(?:\.(?:tpl|tmpl|tftpl|j2|erb|template|in|dist|example|sample))?$|\.(?:jsonc|json5)$/i, { syntax: 'json' }],
  [/\.template$/i, { syntax: 'yaml' }],
  [/\.(?:ts|mts|cts|js|mjs|cjs|tsx|jsx)$/i, { syntax: 'js', fileType: 'cdk' }],
  [/\.py$/i, { syntax: 'python', fileType: 'cdk' }],
  [/\.(?:java|kt|scala)$/i, { syntax: 'java', fileType: 'cdk' }],
  [/\.go$/i, { syntax: 'go', fileType: 'cdk' }],
  [/\.cs$/i, { syntax: 'csharp', fileType: 'cdk' }],
  [/(?:^|\/)[^/]*\.env(?:\.[A-Za-z0-9_-]+)?$/i, { syntax: 'env', fileType: 'env' }],
  [/\.(?:sh|bash|zsh)$/i, { syntax: 'shell', fileType: 'shell' }],
  [/(?:^|\/)(?:GNU)?Makefile(?:\.[^/]*)?$|\.mk$/i, { syntax: 'makefile', fileType: 'makefile' }],
  [/\/templates\/(?:.*\/)?[^/]+\.(?:tpl|txt)$/i, { syntax: 'yaml', fileType: 'helm-template' }],
  [/\.(?:tpl|tftpl|tmpl)$/i, { syntax: 'yaml' }],
];

/** Files that the names above would take in and that never name an image to run. */
const NEVER =
  /(?:^|\/)(?:package(?:-lock)?|npm-shrinkwrap|tsconfig[^/]*|composer|cdk(?:\.context)?|renovate|lerna|nx|angular)\.json$|\.min\.json$|\.d\.[cm]?ts$|\.min\.js$|(?:^|\/)(?:pnpm-lock|mkdocs|pubspec|appveyor|dependabot|_config)\.ya?ml$/i;

/** What a Dockerfile may be called after, and what other kinds of files are called. */
const OTHER_KIND =
  /\.(?:md|txt|sh|bash|py|go|[cm]?[jt]sx?|html?|json5?|jsonc|ya?ml|tf|hcl|png|svg|gif|jpe?g|rs|java|kt|rb|php|cs|c|h|cpp|lua|pl|swift|adoc|rst|lock|toml|ini|xml|css|scss|snap|golden|log|diff|patch|dockerignore|sum|mod|vue|ps1)$/i;

function startsBuild(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 4000)).toString('latin1');
  return /^(?:FROM|ARG)[ \t]/.test(head.replace(/^(?:[ \t]*(?:#[^\n]*)?\r?\n)+/, ''));
}

/**
 * The kind of a file by its path, and for a file without an extension by its first line. `undefined`: not one that is read.
 * `bytes` may be empty when only the name is known.
 */
export function classifyFile(path: string, bytes: Uint8Array): FileClass | undefined {
  const name = path.replaceAll('\\', '/');
  if (NEVER.test(name)) return undefined;
  for (const [pattern, found] of BY_NAME) {
    if (!pattern.test(name)) continue;
    // `Dockerfile.go` may be one for Go or about one in Go; `dockerfile_test.py` is surely the latter.
    if (found.fileType === 'dockerfile' && OTHER_KIND.test(name) && !startsBuild(bytes)) continue;
    return found;
  }
  if (!/(?:^|\/)[^/.]+$/.test(name)) return undefined;
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 1000)).toString('latin1');
  if (/^#![^\n]*\b(?:ba|da|z|k)?sh\b/.test(head)) return { syntax: 'shell', fileType: 'shell' };
  return /^(?:---\r?\n)?(?:#[^\n]*\n)*(?:apiVersion|kind): [^\n]+\r?\n/.test(head) ? { syntax: 'yaml' } : undefined;
}
