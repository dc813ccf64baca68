import { follow, has, itemsAt, mapAt, scalarAt, type Node } from './tree.ts';
import type { FileType } from './types.ts';

/** What a YAML or JSON document is, by what it says. `path` breaks ties. */
export function typeOfDocument(root: Node | undefined, path: string): FileType {
  const isJson = /\.json/i.test(path);
  const top = follow(root);
  if (top?.kind === 'sequence') {
    const first = mapAt(top.items[0]);
    if (first && has(first, 'name') && has(first, 'imageUri')) return 'imagedefinitions';
    return isContainerDefinitions(top.items) ? 'ecs-task-definition' : isJson ? 'json' : 'yaml';
  }
  if (top?.kind !== 'map') return isJson ? 'json' : 'yaml';
  const apiVersion = scalarAt(top, 'apiVersion')?.text ?? '';
  const kind = scalarAt(top, 'kind')?.text ?? '';
  if (apiVersion.startsWith('skaffold/')) return 'skaffold';
  if (kind === 'Kustomization' || kind === 'Component' || apiVersion.startsWith('kustomize.config.k8s.io')) return 'kustomize';
  if (apiVersion.startsWith('tekton.dev/')) return 'tekton';
  if (apiVersion !== '' && kind !== '') return 'kubernetes';
  if (isCloudFormation(top)) return 'cloudformation';
  if (
    has(top, 'containerDefinitions') ||
    has(top, 'ContainerDefinitions') ||
    has(mapAt(top, 'taskDefinition'), 'containerDefinitions')
  )
    return 'ecs-task-definition';
  if (isValuesPath(path)) return 'helm-values';
  if (hasServices(top)) return 'compose';
  if ((has(top, 'on') || has(top, 'true')) && mapAt(top, 'jobs')) return 'github-actions';
  if (mapAt(top, 'runs') && has(mapAt(top, 'runs'), 'using')) return 'github-actions';
  if (has(top, 'Job') || has(mapAt(top, 'Job'), 'TaskGroups') || has(top, 'TaskGroups')) return 'nomad';
  if (isCloudBuild(top)) return 'cloudbuild';
  return isJson ? 'json' : 'yaml';
}

function isContainerDefinitions(items: readonly (Node | undefined)[]): boolean {
  const first = mapAt(items[0]);
  return (
    first !== undefined &&
    has(first, 'image') &&
    (has(first, 'essential') ||
      has(first, 'portMappings') ||
      has(first, 'logConfiguration') ||
      has(first, 'memory') ||
      has(first, 'cpu'))
  );
}

function isCloudFormation(top: Node): boolean {
  if (has(top, 'AWSTemplateFormatVersion') || scalarAt(top, 'Transform')?.text.startsWith('AWS::')) return true;
  const resources = mapAt(top, 'Resources');
  return resources?.entries.some((entry) => /^(?:AWS|Custom)::/.test(scalarAt(entry.value, 'Type')?.text ?? '')) ?? false;
}

export function isValuesPath(path: string): boolean {
  return /(?:^|\/)[^/]*values[^/]*\.(?:ya?ml|json)(?:\.[a-z0-9]+)?$|(?:^|\/)values\/[^/]+\.ya?ml$/i.test(path);
}

function hasServices(top: Node): boolean {
  const services = mapAt(top, 'services');
  return services?.entries.some((entry) => has(entry.value, 'image') || has(entry.value, 'build')) ?? false;
}

function isCloudBuild(top: Node): boolean {
  const steps = itemsAt(top, 'steps');
  const isStep = (step: Node | undefined): boolean =>
    /^(?:[a-z0-9-]+\.)*(?:gcr\.io|pkg\.dev)\//.test(scalarAt(step, 'name')?.text ?? '');
  return steps.some(isStep) && !steps.some((step) => has(step, 'image') || has(step, 'uses') || has(step, 'run'));
}
