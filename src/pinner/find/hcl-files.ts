import type { Collector, Span, Trust } from './collector.ts';
import { findInDockerfile } from './dockerfile.ts';
import { findByKeys } from './image-keys.ts';
import { parseHcl, type Attribute, type Block, type Body, type Expression } from './hcl.ts';
import { parseJson } from './json.ts';
import { readLiteral } from './literal.ts';
import { maskHclTemplates, MASK } from './template.ts';
import { SyntaxProblem } from './text.ts';
import { follow } from './tree.ts';
import { parseYaml } from './yaml.ts';

interface Scene {
  collector: Collector;
  isNomad: boolean;
  /** Variables and locals that some image is taken from as a whole, by `var.NAME` or `local.NAME`. */
  feeds: Set<string>;
}

/** Resources whose `image` is a disk of a virtual machine. */
const MACHINES =
  /^(?:digitalocean_|google_compute_|hcloud_|linode_|openstack_|scaleway_|azurerm_(?:linux_|windows_)?virtual_machine|vultr_|libvirt_|packet_|equinix_|exoscale_|upcloud_|oci_|ibm_is_|yandex_compute_|lxd_|incus_|proxmox_|vsphere_|civo_|brightbox_|cloudstack_|opennebula_|ovh_|tencentcloud_instance|alicloud_instance|triton_|maas_|multipass_|virtualbox_|github_|aws_imagebuilder|aws_instance|aws_ami|aws_launch|aws_workspaces|aws_appstream|aws_lightsail_instance)/;
const IMAGE_KEY =
  /^(?:image|image_uri|image_url|image_identifier|container_image|docker_image|[a-zA-Z0-9_-]*_(?:container|docker)?_?image(?:_uri|_url)?|[a-z0-9]+(?:[A-Z][a-z0-9]*)*Image)$/;

/** Terraform, OpenTofu and Nomad. Nomad-pack's `[[ ]]`, which Terraform would read as lists, is masked. */
export function findInHcl(text: string, collector: Collector): void {
  const body = parseHcl(collector.fileType === 'nomad' ? maskHclTemplates(text) : text);
  const scene: Scene = { collector, isNomad: collector.fileType === 'nomad', feeds: new Set() };
  collectFeeds(body, scene);
  readBody(body, '', '', scene);
}

function collectFeeds(body: Body, scene: Scene): void {
  const from = (value: Expression, isImage: boolean): void => {
    if (value.kind === 'traversal' && isImage && /^(?:var|local)\.[A-Za-z0-9_-]+$/.test(value.text)) scene.feeds.add(value.text);
    else if (value.kind === 'string' && isImage) {
      const name = /^\$\{((?:var|local)\.[A-Za-z0-9_-]+)\}$/.exec(value.text)?.[1];
      if (name !== undefined) scene.feeds.add(name);
    } else if (value.kind === 'object') for (const entry of value.entries) from(entry.value, entry.name === 'image');
    else if (value.kind === 'tuple' || value.kind === 'call' || value.kind === 'operation')
      for (const item of value.items) from(item, isImage && value.kind === 'operation');
  };
  for (const attribute of body.attributes) from(attribute.value, attribute.name === 'image' || attribute.name === 'image_uri');
  for (const block of body.blocks)
    if (!(block.type === 'resource' && MACHINES.test(block.labels[0] ?? ''))) collectFeeds(block.body, scene);
}

/** `own`: the body is that of the resource itself, and not of a block within. */
function readBody(body: Body, path: string, resource: string, scene: Scene, own?: 'resource' | 'data'): void {
  const siblings = siblingsOf(body.attributes);
  // Docker's provider calls the reference `name`. A docker_registry_image resource is pushed; as data, it is looked up.
  const isNamed = own !== undefined && /^docker_(?:image|registry_image|registry_image_manifests)$/.test(resource);
  const isBuilt =
    own === 'resource' && (resource === 'docker_registry_image' || body.blocks.some((block) => block.type === 'build'));
  for (const attribute of body.attributes) {
    if (isNamed && attribute.name === 'name') addString(attribute.value, `${path}.name`, 'certain', scene, isBuilt);
    else readAttribute(attribute, path, resource, siblings, scene);
  }
  for (const block of body.blocks) readBlock(block, path, resource, scene);
}

function readBlock(block: Block, path: string, resource: string, scene: Scene): void {
  const at = [path, block.type, ...block.labels].filter((part) => part !== '').join('.');
  const [first = ''] = block.labels;
  if (block.type === 'variable') {
    const given = block.body.attributes.find((attribute) => attribute.name === 'default');
    if (!given) return;
    if (given.value.kind === 'string') {
      const trust = scene.feeds.has(`var.${first}`) ? 'certain' : IMAGE_KEY.test(first) ? 'tagged' : undefined;
      if (trust) addString(given.value, `${at}.default`, trust, scene, false);
    } else readExpression(given.value, `${at}.default`, '', scene);
    return;
  }
  if (block.type === 'locals') {
    for (const attribute of block.body.attributes) {
      if (scene.feeds.has(`local.${attribute.name}`))
        addString(attribute.value, `${at}.${attribute.name}`, 'certain', scene, false);
    }
  }
  const isOwn = block.type === 'resource' || block.type === 'data';
  readBody(
    block.body,
    at,
    isOwn || block.type === 'source' ? first : resource,
    scene,
    isOwn ? (block.type as 'resource' | 'data') : undefined,
  );
}

/** What the attributes of one object say together. */
interface Siblings {
  isContainer: boolean;
  /** Of an image that is split over two attributes. */
  tag?: Expression;
}

function siblingsOf(attributes: readonly Attribute[]): Siblings {
  const isContainer = attributes.some(({ name }) =>
    /^(?:essential|command|portMappings|port_mappings|environment|entryPoint|args|ports|env|container_port)$/.test(name),
  );
  const tag =
    attributes.length <= 4
      ? attributes.find(({ name }) => name === 'version' || name === 'tag' || name === 'image_tag')?.value
      : undefined;
  return { isContainer, ...(tag ? { tag } : {}) };
}

function readAttribute(attribute: Attribute, path: string, resource: string, siblings: Siblings, scene: Scene): void {
  const at = path === '' ? attribute.name : `${path}.${attribute.name}`;
  const { value } = attribute;
  if (MACHINES.test(resource) && value.kind !== 'object' && value.kind !== 'heredoc') return;
  if (!IMAGE_KEY.test(attribute.name)) {
    if (attribute.name === 'linux_fx_version' && value.kind === 'string' && value.text.startsWith('DOCKER|') && value.exact) {
      scene.collector.add({ ...asSpan(value), start: value.start + 7, text: value.text.slice(7) }, at, 'certain');
    } else readExpression(value, at, resource, scene);
    return;
  }
  const trust: Trust =
    attribute.name !== 'image'
      ? attribute.name === 'image_uri'
        ? 'likely'
        : 'tagged'
      : scene.isNomad || siblings.isContainer || isContainerResource(resource)
        ? 'certain'
        : 'weak';
  readImage(value, at, trust, siblings, scene);
}

function isContainerResource(resource: string): boolean {
  return /^(?:docker_|kubernetes_|kubectl_|aws_ecs_|aws_batch_|aws_apprunner|aws_lambda_|aws_sagemaker|google_cloud_run|azurerm_container|azurerm_linux_web|nomad_|helm_|aws_lightsail_container|coder_|podman_|fly_|aws_codebuild)/.test(
    resource,
  );
}

function readImage(value: Expression, at: string, trust: Trust, siblings: Siblings, scene: Scene): void {
  if (value.kind === 'string') {
    const { tag } = siblings;
    const reading = readLiteral(value.text);
    const isOpen = reading.kind === 'reference' && reading.strength !== 'tag' && reading.strength !== 'digest';
    if (isOpen && tag?.kind === 'string' && readLiteral(`x:${tag.text}`).kind === 'reference') {
      scene.collector.addSplit(
        [
          { role: 'repository', span: asSpan(value) },
          { role: 'tag', span: asSpan(tag) },
        ],
        at,
        'certain',
      );
    } else addString(value, at, trust, scene, false);
  } else if (value.kind === 'operation' || (value.kind === 'call' && /^(?:coalesce|try|lookup|tostring)$/.test(value.name))) {
    // A choice between values: those that are literal are read, with the certainty of a tag.
    for (const item of value.items) readImage(item, at, 'tagged', { isContainer: false }, scene);
  } else readExpression(value, at, '', scene);
}

function readExpression(value: Expression, path: string, resource: string, scene: Scene): void {
  if (value.kind === 'object') {
    const siblings = siblingsOf(value.entries);
    for (const entry of value.entries) readAttribute(entry, path, resource, siblings, scene);
  } else if (
    value.kind === 'tuple' ||
    value.kind === 'operation' ||
    (value.kind === 'call' && !/^(?:templatefile|file|format|join|replace|regex)$/.test(value.name))
  ) {
    for (let index = 0; index < value.items.length; index++) {
      const item = value.items[index];
      if (item) readExpression(item, value.kind === 'tuple' ? `${path}[${index}]` : path, resource, scene);
    }
  } else if (value.kind === 'heredoc') findInHeredoc(value, path, scene);
}

function asSpan(value: Extract<Expression, { kind: 'string' }>): Span {
  return { start: value.start, end: value.end, text: value.text, exact: value.exact, quoting: 'hcl' };
}

function addString(value: Expression, at: string, trust: Trust, scene: Scene, isBuilt: boolean): void {
  if (value.kind === 'string') scene.collector.add(asSpan(value), at, trust, isBuilt ? 'built' : undefined);
}

/** JSON or YAML in a heredoc, byte for byte in the file; its `${…}` are masked. */
function findInHeredoc(value: Extract<Expression, { kind: 'heredoc' }>, path: string, scene: Scene): void {
  if (/^\s*(?:#[^\n]*\n\s*)*(?:ARG\s|FROM\s)/.test(value.text))
    return findInDockerfile(value.text, scene.collector, `${path} `, value.start);
  if (!/[iI]mage["']?\s*:/.test(value.text)) return;
  const masked = value.text.replaceAll(/[$%]\{[^{}\n]*\}/g, (found) => MASK.repeat(found.length));
  const roots = attempt(() =>
    /^\s*[[{]/.test(masked) ? [parseJson(masked)] : parseYaml(masked).map((document) => document.root),
  );
  for (const root of roots ?? []) {
    const kind = follow(root)?.kind;
    if (kind === 'map' || kind === 'sequence')
      findByKeys(root, path, scene.collector, { image: 'likely', custom: 'tagged', shift: value.start });
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxProblem) return undefined;
    throw error;
  }
}
