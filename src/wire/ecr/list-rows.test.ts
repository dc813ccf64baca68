import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../core/digest.ts';
import { parseTag } from '../../core/tag.ts';
import type { ListedImage } from '../../registry/registry.ts';
import { listRows, type ListPage } from './list-rows.ts';

function image(name: string, tags: string[]): ListedImage {
  return {
    digest: digestOf(name),
    place: digestOf(name),
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    manifestBytes: 1,
    imageBytes: 1,
    tags: tags.map(parseTag),
    pushedAt: 0,
    pushedBy: 'arn',
    storageClass: 'standard',
  };
}

/** A list whose cursor is the digest of the last image told, as a list by position in a table has it. */
function listOf(images: ListedImage[], most = Infinity): ListPage {
  return async (limit, next) => {
    const from = next === undefined ? 0 : images.findIndex(({ digest }) => digest === next) + 1;
    const items = images.slice(from, from + Math.min(limit, most));
    const last = items.at(-1);
    return from + items.length < images.length && last !== undefined ? { items, next: last.digest } : { items };
  };
}

async function readAll(list: () => ListPage, limit: number, between?: () => void): Promise<string[]> {
  const rows: string[] = [];
  let position: string[] = [];
  for (;;) {
    const page = await listRows(list(), limit, position);
    assert.ok(page.rows.length <= limit);
    rows.push(...page.rows.map(({ imageDigest, imageTag }) => `${imageDigest} ${imageTag ?? '-'}`));
    if (page.position === undefined) return rows;
    if (between === undefined) assert.equal(page.rows.length, limit, 'a page is full unless it is the last');
    position = page.position;
    between?.();
  }
}

const images = [
  image('a', ['a1', 'a2', 'a3', 'a4', 'a5']),
  image('b', []),
  image('c', ['c1']),
  image('d', ['d1', 'd2', 'd3']),
  image('e', []),
  image('f', ['f1', 'f2']),
];
const expected = images.flatMap(({ digest, tags }) =>
  tags.length === 0 ? [`${digest} -`] : tags.map((tag) => `${digest} ${tag}`),
);

for (let limit = 1; limit <= 14; limit++) {
  test(`pages of ${limit} rows tell every row once, in order`, async () => {
    assert.deepEqual(await readAll(() => listOf(images), limit), expected);
  });
}

for (let most = 1; most <= 6; most++) {
  test(`pages of a list that ends them after ${most} images tell every row once, too`, async () => {
    for (let limit = 1; limit <= 14; limit++)
      assert.deepEqual(
        await readAll(
          () => listOf(images, most),
          limit,
          () => {},
        ),
        expected,
        `pages of ${limit}`,
      );
  });
}

test('an image pushed while pages are read hides none of the others and repeats none', async () => {
  const growing = [...images];
  let pushes = 0;
  const rows = await readAll(
    () => listOf(growing),
    4,
    () => growing.unshift(image(`new ${pushes++}`, ['n'])),
  );
  assert.deepEqual(rows, expected);
});

test('an image deleted in the middle of its own tags ends there', async () => {
  const shrinking = [...images];
  const rows = await readAll(
    () => listOf(shrinking),
    3,
    () => {
      if (shrinking[0] === images[0]) shrinking.shift();
    },
  );
  assert.deepEqual(rows, [...expected.slice(0, 3), ...expected.slice(5)]);
});

test('an empty repository has one empty page', async () => {
  assert.deepEqual(await listRows(listOf([]), 10, []), { rows: [] });
});
