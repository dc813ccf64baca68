import { addWithDefault, findByKeys, oneLine } from './image-keys.ts';
import type { KeyRules } from './key-rules.ts';
import { spanOf, subSpan, type Collector } from './collector.ts';
import { findInDockerfile } from './dockerfile.ts';
import { entryOf, follow, has, itemsAt, mapAt, scalarAt, type MapNode, type Node, type ScalarNode } from './tree.ts';
import { findInCloudFormation } from './cloudformation.ts';
import type { FileType } from './types.ts';

type Finder = (root: Node, collector: Collector) => void;

const KEYS: Partial<Record<FileType, KeyRules>> = {
  tekton: { image: 'certain', custom: 'weak' },
  'helm-template': { image: 'certain', custom: 'tagged' },
  'helm-values': { image: 'certain', custom: 'weak' },
  'ecs-task-definition': { image: 'certain', custom: 'tagged' },
  nomad: { image: 'certain', custom: 'tagged' },
  imagedefinitions: { image: 'certain', custom: 'certain' },
};
const OTHER_KEYS: KeyRules = { image: 'tagged', custom: 'tagged' };

/** Reads one document of the given type. */
export function findInDocument(root: Node | undefined, fileType: FileType, collector: Collector): void {
  if (root === undefined) return;
  const finder = FINDERS[fileType];
  if (finder) finder(root, collector);
  else if (fileType === 'kubernetes') findByKeys(root, '', collector, kubernetesRules(scalarAt(root, 'kind')?.text ?? ''));
  else findByKeys(root, '', collector, KEYS[fileType] ?? OTHER_KEYS);
}

function kubernetesRules(kind: string): KeyRules {
  if (/Machine|^Image$|^(?:ConfigMap|Secret)$/.test(kind)) return { image: 'weak', custom: 'weak' };
  // Flux looks for tags in the repository that it names.
  return kind === 'ImageRepository' ? { image: 'certain', custom: 'weak', skip: 'no-tag' } : { image: 'certain', custom: 'weak' };
}

const FINDERS: Partial<Record<FileType, Finder>> = {
  compose: findInCompose,
  kustomize: findInKustomize,
  tekton: findInTekton,
  'github-actions': findInActions,
  'gitlab-ci': findInGitlab,
  circleci: findInCircle,
  cloudbuild: findInCloudBuild,
  skaffold: findInSkaffold,
  devcontainer: findInDevcontainer,
  cloudformation: findInCloudFormation,
};

function addScalar(collector: Collector, node: Node | undefined, position: string, skip?: Parameters<Collector['add']>[3]): void {
  const found = follow(node);
  const scalar = found?.kind === 'scalar' ? oneLine(found) : undefined;
  if (scalar) addWithDefault(collector, spanOf(scalar), position, 'certain', skip);
}

function findInCompose(root: Node, collector: Collector): void {
  for (const entry of mapAt(root)?.entries ?? []) {
    const name = entry.key.text;
    if (name === 'services')
      for (const service of mapAt(entry.value)?.entries ?? [])
        readService(service.value, `services.${service.key.text}`, collector);
    else if (name.startsWith('x-')) readExtension(entry.value, name, collector);
    else if (has(entry.value, 'image') && !/^(?:volumes|networks|configs|secrets)$/.test(name))
      readService(entry.value, name, collector);
  }
}

/** Fragments that services take in by anchor. */
function readExtension(node: Node | undefined, path: string, collector: Collector, depth = 0): void {
  const map = node?.kind === 'alias' ? undefined : mapAt(node);
  if (!map || depth > 4) return;
  if (has(map, 'image')) readService(map, path, collector);
  else for (const entry of map.entries) readExtension(entry.value, `${path}.${entry.key.text}`, collector, depth + 1);
}

function readService(node: Node | undefined, path: string, collector: Collector): void {
  const build = entryOf(node, 'build');
  const inline = scalarAt(build, 'dockerfile_inline');
  if (inline?.style === 'block') findInDockerfile(inline.text, collector, `${path}.build.dockerfile_inline `, inline.start);
  for (const entry of mapAt(build, 'additional_contexts')?.entries ?? []) {
    const scalar = scalarAt(entry.value);
    if (scalar?.exact && scalar.text.startsWith('docker-image://'))
      collector.add(
        subSpan(spanOf(scalar), 15, scalar.text.length),
        `${path}.build.additional_contexts.${entry.key.text}`,
        'certain',
      );
  }
  addScalar(collector, entryOf(node, 'image'), `${path}.image`, build === undefined ? undefined : 'built');
  for (const volume of itemsAt(node, 'volumes')) {
    if (scalarAt(volume, 'type')?.text === 'image') addScalar(collector, entryOf(volume, 'source'), `${path}.volumes`);
  }
}

/** The variables that a compose file uses as a whole image, for the `.env` beside it. */
export function composeVariables(root: Node | undefined): string[] {
  const names: string[] = [];
  for (const service of mapAt(root, 'services')?.entries ?? []) {
    const text = scalarAt(service.value, 'image')?.text ?? '';
    const match = /^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::?[-?+][^{}]*)?\})$/.exec(text);
    const name = match?.[1] ?? match?.[2];
    if (name !== undefined && !has(service.value, 'build')) names.push(name);
  }
  return names;
}

function findInKustomize(root: Node, collector: Collector): void {
  const map = mapAt(root);
  if (!map) return;
  itemsAt(map, 'images').forEach((item, index) => readKustomizeImage(item, `images[${index}]`, collector));
  for (const entry of map.entries)
    if (entry.key.text !== 'images') findByKeys(entry.value, entry.key.text, collector, { image: 'tagged', custom: 'tagged' });
}

function readKustomizeImage(item: Node | undefined, path: string, collector: Collector): void {
  const name = scalarAt(item, 'newName') ?? scalarAt(item, 'name');
  const tag = scalarAt(item, 'newTag');
  const digest = scalarAt(item, 'digest');
  if (!name || (!tag && !digest && !has(item, 'newName'))) return;
  if (!tag && !digest && /:[\w.-]+$|@/.test(name.text)) return addScalar(collector, name, `${path}.newName`);
  collector.addSplit(
    [
      { role: 'repository', span: spanOf(name) },
      ...(tag ? [{ role: 'tag' as const, span: spanOf(tag) }] : []),
      ...(digest ? [{ role: 'digest' as const, span: spanOf(digest) }] : []),
    ],
    path,
    'certain',
  );
}

/** Steps, and the parameters whose defaults some step runs as a whole. */
function findInTekton(root: Node, collector: Collector): void {
  findByKeys(root, '', collector, KEYS.tekton ?? OTHER_KEYS);
  const used = new Set<string>();
  everyMap(root, (map) => {
    const name = /^\$\((?:inputs\.)?params\.([A-Za-z0-9_.-]+)\)$|^\$\((?:inputs\.)?params\[["']([^"'\]]+)["']\]\)$/.exec(
      scalarAt(map, 'image')?.text ?? '',
    );
    if (name) used.add(name[1] ?? name[2] ?? '');
  });
  everyMap(root, (map) => {
    const name = scalarAt(map, 'name')?.text;
    const value = scalarAt(map, 'default');
    if (name !== undefined && value && used.has(name)) collector.add(spanOf(value), `params.${name}.default`, 'certain');
  });
}

function everyMap(node: Node | undefined, act: (map: MapNode) => void): void {
  if (node?.kind === 'sequence') for (const item of node.items) everyMap(item, act);
  if (node?.kind !== 'map') return;
  act(node);
  for (const entry of node.entries) everyMap(entry.value, act);
}

function addDockerUrl(collector: Collector, node: Node | undefined, position: string): void {
  const scalar = follow(node);
  if (scalar?.kind === 'scalar' && scalar.text.startsWith('docker://') && scalar.exact)
    collector.add(subSpan(spanOf(scalar), 9, scalar.text.length), position, 'certain');
}

function findInActions(root: Node, collector: Collector): void {
  for (const job of mapAt(root, 'jobs')?.entries ?? []) readJob(job.value, `jobs.${job.key.text}`, collector);
  const runs = mapAt(root, 'runs');
  addDockerUrl(collector, entryOf(runs, 'image'), 'runs.image');
  readSteps(runs, 'runs', collector);
}

function readJob(job: Node | undefined, path: string, collector: Collector): void {
  const images: [Node | undefined, string][] = [];
  const container = entryOf(job, 'container');
  images.push(
    follow(container)?.kind === 'map'
      ? [entryOf(container, 'image'), `${path}.container.image`]
      : [container, `${path}.container`],
  );
  for (const service of mapAt(job, 'services')?.entries ?? [])
    images.push([entryOf(service.value, 'image'), `${path}.services.${service.key.text}.image`]);
  const keys = new Set<string>();
  for (const [node, position] of images) {
    const scalar = follow(node);
    if (scalar?.kind !== 'scalar') continue;
    addScalar(collector, scalar, position);
    const key = /^\$\{\{\s*matrix\.([A-Za-z0-9_.-]+)\s*\}\}$/.exec(scalar.text)?.[1];
    if (key !== undefined) keys.add(key);
  }
  for (const key of keys) readMatrix(mapAt(job, 'strategy', 'matrix'), key, `${path}.strategy.matrix`, collector);
  readSteps(job, path, collector);
}

/** `matrix.image` or `matrix.config.image`: every literal value that it can have. */
function readMatrix(matrix: MapNode | undefined, key: string, path: string, collector: Collector): void {
  const [first = '', ...rest] = key.split('.');
  const last = rest.length === 1 ? rest[0] : undefined;
  const take = (node: Node | undefined, position: string): void => {
    if (last !== undefined) addScalar(collector, entryOf(node, last), `${position}.${last}`);
    else if (rest.length === 0) addScalar(collector, node, position);
  };
  itemsAt(matrix, first).forEach((item, index) => take(item, `${path}.${first}[${index}]`));
  itemsAt(matrix, 'include').forEach((item, index) => take(entryOf(item, first), `${path}.include[${index}].${first}`));
}

function readSteps(owner: Node | undefined, path: string, collector: Collector): void {
  // What a step of this job builds and tags is not to be looked for in a registry.
  const commands = itemsAt(owner, 'steps')
    .map((step) => `${scalarAt(step, 'run')?.text ?? ''}\n${scalarAt(step, 'with', 'tags')?.text ?? ''}`)
    .join('\n');
  itemsAt(owner, 'steps').forEach((step, index) => {
    const at = `${path}.steps[${index}]`;
    addDockerUrl(collector, entryOf(step, 'uses'), `${at}.uses`);
    for (const input of mapAt(step, 'with')?.entries ?? []) {
      const value = scalarAt(input.value);
      if (!value) continue;
      const name = `${at}.with.${input.key.text}`;
      if (
        /^(?:image|[a-z0-9_-]+[_-]image)$/i.test(input.key.text) &&
        !/^(?:output|push|target|build)[_-]?image$/i.test(input.key.text)
      )
        collector.add(spanOf(value), name, 'tagged', value.text !== '' && commands.includes(value.text) ? 'built' : undefined);
      else if (input.key.text === 'driver-opts') readDriverOptions(value, name, collector);
    }
  });
}

/** `image=moby/buildkit:v0.9.1`, one option a line or by commas. */
function readDriverOptions(value: ScalarNode, position: string, collector: Collector): void {
  const match = /(?:^|[\s,])image=([^\s,"']+)/.exec(value.text);
  if (!match?.[1] || (!value.exact && value.style !== 'block')) return;
  const from = match.index + match[0].length - match[1].length;
  collector.add({ ...subSpan(spanOf(value), from, from + match[1].length), exact: true }, position, 'tagged');
}

function findInGitlab(root: Node, collector: Collector): void {
  const used = new Set<string>();
  const readImage = (node: Node | undefined, position: string): void => {
    const image = follow(node)?.kind === 'map' ? entryOf(node, 'name') : node;
    addScalar(collector, image, position);
    const name = /^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})$/.exec(scalarAt(image)?.text ?? '');
    if (name) used.add(name[1] ?? name[2] ?? '');
  };
  const readJobKeys = (node: Node | undefined, prefix: string): void => {
    readImage(entryOf(node, 'image'), `${prefix}image`);
    itemsAt(node, 'services').forEach((service, index) => readImage(service, `${prefix}services[${index}]`));
  };
  readJobKeys(root, '');
  for (const entry of mapAt(root)?.entries ?? [])
    if (entry.value?.kind === 'map' && entry.key.text !== 'variables' && entry.key.text !== 'image')
      readJobKeys(entry.value, `${entry.key.text}.`);
  const readVariables = (node: Node | undefined, prefix: string): void => {
    for (const entry of mapAt(node, 'variables')?.entries ?? []) {
      if (!used.has(entry.key.text)) continue;
      addScalar(
        collector,
        follow(entry.value)?.kind === 'map' ? entryOf(entry.value, 'value') : entry.value,
        `${prefix}variables.${entry.key.text}`,
      );
    }
  };
  readVariables(root, '');
  for (const entry of mapAt(root)?.entries ?? [])
    if (entry.value?.kind === 'map') readVariables(entry.value, `${entry.key.text}.`);
}

/** Only `docker:` lists hold images; `machine: { image: … }` is a virtual machine. */
function findInCircle(root: Node, collector: Collector): void {
  const used = new Set<string>();
  everyMap(root, (map) => {
    itemsAt(map, 'docker').forEach((item) => {
      const image = entryOf(item, 'image');
      addScalar(collector, image, 'docker.image');
      const name = /^<<\s*(?:pipeline\.)?parameters\.([A-Za-z0-9_-]+)\s*>>$/.exec(scalarAt(image)?.text ?? '')?.[1];
      if (name !== undefined) used.add(name);
    });
  });
  everyMap(root, (map) => {
    for (const parameter of mapAt(map, 'parameters')?.entries ?? []) {
      if (used.has(parameter.key.text))
        addScalar(collector, entryOf(parameter.value, 'default'), `parameters.${parameter.key.text}.default`);
    }
  });
}

function findInCloudBuild(root: Node, collector: Collector): void {
  itemsAt(root, 'steps').forEach((step, index) => addScalar(collector, entryOf(step, 'name'), `steps[${index}].name`));
}

function findInSkaffold(root: Node, collector: Collector): void {
  const built = new Set<string>();
  everyMap(root, (map) => {
    for (const artifact of itemsAt(map, 'artifacts')) {
      const image = scalarAt(artifact, 'image');
      if (image) built.add(image.text);
    }
  });
  everyMap(root, (map) => {
    for (const key of ['image', 'builder', 'runImage', 'fromImage']) {
      const scalar = scalarAt(map, key);
      if (scalar && scalar.style !== 'block')
        collector.add(spanOf(scalar), key, key === 'image' ? 'certain' : 'likely', built.has(scalar.text) ? 'built' : undefined);
    }
  });
  findByKeys(root, '', collector, OTHER_KEYS);
  // A profile's patch of `/build/artifacts/0/image` names what is built.
  for (const candidate of collector.candidates)
    if (/patches\[[0-9]+\]\.value$/.test(candidate.position)) candidate.skip ??= 'built';
}

function findInDevcontainer(root: Node, collector: Collector): void {
  addScalar(collector, entryOf(root, 'image'), 'image');
}
