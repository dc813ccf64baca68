import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { documents, render } from '../../scripts/docs/documents.ts';

for (const document of documents) {
  const name = document.part === undefined ? document.path : `${document.path}, ${document.part}`;
  test(`${name} is what the code's table says (npm run docs writes it)`, async () => {
    const current = await readFile(new URL(`../../${document.path}`, import.meta.url), 'utf8');
    // Not assert.equal: nobody wants to read the difference, only to write the file again.
    assert.ok(current === render(document, current), `${document.path} is stale: npm run docs`);
  });

  test(`${name}: a stale file is noticed`, async () => {
    const current = await readFile(new URL(`../../${document.path}`, import.meta.url), 'utf8');
    const stale = current.replace(/\| [^|-]+\|/, '| planted |');
    assert.notEqual(stale, current);
    assert.notEqual(stale, render(document, stale));
  });
}
