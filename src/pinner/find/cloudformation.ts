import { spanOf, type Collector, type Trust } from './collector.ts';
import { findByKeys } from './image-keys.ts';
import { entryOf, follow, mapAt, scalarAt, type Node } from './tree.ts';

const IMAGE_KEYS = new Set(['Image', 'ImageUri', 'ImageURI', 'ImageIdentifier', 'image', 'imageUri']);

/**
 * CloudFormation and SAM. `!Sub` is literal only without `${…}`; `!Ref` leads to the default of its parameter; of `!If` both
 * values are read. Every other function is put together at deployment and is left alone.
 */
export function findInCloudFormation(root: Node, collector: Collector): void {
  const referenced = new Set<string>();
  for (const section of ['Resources', 'Globals', 'Mappings'] as const)
    visit(entryOf(root, section), section, collector, referenced);
  for (const parameter of mapAt(root, 'Parameters')?.entries ?? []) {
    const name = parameter.key.text;
    const given = scalarAt(parameter.value, 'Default');
    if (!given || !/^String$/.test(scalarAt(parameter.value, 'Type')?.text ?? 'String')) continue;
    const trust: Trust | undefined = referenced.has(name)
      ? 'certain'
      : /Image(?:Ur[il]|URI|URL|Name|Identifier)?$/i.test(name)
        ? 'tagged'
        : undefined;
    if (trust) collector.add(spanOf(given), `Parameters.${name}.Default`, trust);
  }
}

function visit(node: Node | undefined, path: string, collector: Collector, referenced: Set<string>): void {
  if (node?.kind === 'sequence') node.items.forEach((item, index) => visit(item, `${path}[${index}]`, collector, referenced));
  if (node?.kind === 'scalar') findByKeys(node, path, collector, { image: 'certain', custom: 'tagged' });
  if (node?.kind !== 'map') return;
  const type = scalarAt(node, 'Type')?.text ?? '';
  for (const entry of node.entries) {
    const at = `${path}.${entry.key.text}`;
    const isImage = IMAGE_KEYS.has(entry.key.text) && !/^AWS::(?:EC2|ImageBuilder|AppStream|WorkSpaces)/.test(type);
    if (isImage && readValue(entry.value, at, collector, referenced, 0)) continue;
    visit(entry.value, at, collector, referenced);
  }
}

/** Whether the value was one that an image can have. */
function readValue(value: Node | undefined, at: string, collector: Collector, referenced: Set<string>, depth: number): boolean {
  const node = follow(value);
  if (node === undefined || depth > 5) return true;
  if (node.kind === 'scalar') {
    if (node.tag === 'Ref') referenced.add(node.text);
    else if (node.tag === 'Sub') readSub(node.text, at, node, collector, referenced);
    else if (node.tag === undefined || node.tag === '' || node.tag === '!str') collector.add(spanOf(node), at, 'certain');
    return true;
  }
  if (node.kind === 'sequence') {
    if (node.tag === 'If') for (const item of node.items.slice(1)) readValue(item, at, collector, referenced, depth + 1);
    return node.tag !== undefined;
  }
  const [first] = node.entries;
  const name = first?.key.text ?? '';
  if (name === 'Ref') referenced.add(scalarAt(first?.value)?.text ?? '');
  else if (name === 'Fn::Sub') {
    const text = scalarAt(first?.value);
    if (text) readSub(text.text, at, text, collector, referenced);
  } else if (name === 'Fn::If') {
    const list = follow(first?.value);
    if (list?.kind === 'sequence') for (const item of list.items.slice(1)) readValue(item, at, collector, referenced, depth + 1);
  } else return name.startsWith('Fn::');
  return true;
}

function readSub(
  text: string,
  at: string,
  node: Parameters<typeof spanOf>[0],
  collector: Collector,
  referenced: Set<string>,
): void {
  const whole = /^\$\{([A-Za-z0-9]+)\}$/.exec(text)?.[1];
  if (whole !== undefined) referenced.add(whole);
  else collector.add(spanOf(node), at, 'certain');
}
