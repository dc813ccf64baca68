/** `npm run docs`: writes the documents that come from tables in the code. */
import { readFile, writeFile } from 'node:fs/promises';
import { documents, render } from './docs/documents.ts';

const root = new URL('..', import.meta.url);

for (const document of documents) {
  const file = new URL(document.path, root);
  const current = await readFile(file, 'utf8').catch(() => undefined);
  const wanted = render(document, current);
  if (wanted === current) continue;
  await writeFile(file, wanted);
  console.log(`wrote ${document.path}`);
}
