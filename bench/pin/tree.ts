import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface TreeSize {
  files: number;
  /** Distinct references; each stands in some file. */
  references: number;
  repositories: number;
  bytesPerFile: number;
}

/** Small, fast, and the same for the same seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

type Kind = {
  name: (index: number) => string;
  text: (image: string | undefined, filler: (bytes: number) => string, bytes: number) => string;
};

const comment = (text: string): string => text.replace(/^/gm, '# ');

const KINDS: Kind[] = [
  {
    name: (index) => `deployment-${index}.yaml`,
    text: (image, filler, bytes) =>
      `apiVersion: apps/v1\nkind: ${image ? 'Deployment' : 'ConfigMap'}\nmetadata:\n  name: app\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n${image ? `          image: ${image}\n` : ''}          env:\n${Array.from({ length: 20 }, (_, index) => `            - name: VALUE_${index}\n              value: "${index}"\n`).join('')}data:\n  text: |\n${filler(bytes).replace(/^/gm, '    ')}\n`,
  },
  {
    name: (index) => `service-${index}/Dockerfile`,
    text: (image, filler, bytes) => `${comment(filler(bytes))}\nFROM ${image ?? 'scratch'} AS build\nRUN make all\nCOPY . /src\n`,
  },
  {
    name: (index) => `service-${index}/compose.yaml`,
    text: (image, filler, bytes) =>
      `${comment(filler(bytes))}\nservices:\n  app:\n    ${image ? `image: ${image}` : 'build: .'}\n    volumes:\n      - ./data:/data:ro\n`,
  },
  {
    name: (index) => `task-definition-${index}.json`,
    text: (image, filler, bytes) =>
      `${JSON.stringify({ family: 'app', containerDefinitions: [{ name: 'app', ...(image ? { image } : {}), environment: [{ name: 'TEXT', value: filler(bytes) }] }] }, undefined, 2)}\n`,
  },
  {
    name: (index) => `main-${index}.tf`,
    text: (image, filler, bytes) =>
      `${comment(filler(bytes))}\nresource "aws_ecs_task_definition" "app" {\n  container_definitions = jsonencode([{\n    name  = "app"\n    image = "${image ?? '${var.image}'}"\n  }])\n}\n`,
  },
  { name: (index) => `source-${index}.ts`, text: (_, filler, bytes) => `export const text = \`\n${filler(bytes)}\n\`;\n` },
  {
    name: (index) => `readme-${index}.md`,
    text: (image, filler, bytes) => `${filler(bytes)}\n${image ? `docker run ${image}\n` : ''}`,
  },
];

/** Writes a tree of infrastructure files; two of three name an image. Gives the count of bytes. */
export async function writeTree(folder: string, host: string, size: TreeSize, seed = 1): Promise<number> {
  const random = createRandom(seed);
  const words = Array.from({ length: 400 }, () => Math.floor(random() * 36 ** 6).toString(36));
  const filler = (bytes: number): string => {
    let text = '';
    while (text.length < bytes)
      text += `${Array.from({ length: 12 }, () => words[Math.floor(random() * words.length)]).join(' ')}\n`;
    return text.trimEnd();
  };
  let total = 0;
  let next = 0;
  const folders = new Set<string>();
  for (let index = 0; index < size.files; index++) {
    const kind = KINDS[index % KINDS.length]!;
    const named = index % KINDS.length < 5 && random() < 0.9;
    const number = named ? next++ % size.references : 0;
    const image = named
      ? `${host}/team-${number % size.repositories}/app:1.${Math.floor(number / size.repositories)}`
      : undefined;
    const text = kind.text(image, filler, size.bytesPerFile * (0.5 + random()));
    const path = join(folder, `area-${index % 50}`, `part-${index % 7}`, kind.name(index));
    const parent = join(path, '..');
    if (!folders.has(parent)) await mkdir(parent, { recursive: true });
    folders.add(parent);
    await writeFile(path, text);
    total += text.length;
  }
  return total;
}
