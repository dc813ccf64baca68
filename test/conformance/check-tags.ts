import { freshConfig, imageManifest } from './content.ts';
import { nextOf } from './check-referrers.ts';
import { get, pushBlob, pushManifest, remove } from './push.ts';
import { json } from './check-empty.ts';
import type { Run, Scenario } from './run.ts';

interface TagList {
  name?: string;
  tags?: string[] | null;
}

/** Runs on a repository that nothing else writes to. */
export const tagLists: Scenario = async (run) => {
  const repository = run.repositories.nested;
  const config = freshConfig();
  await pushBlob(run, repository, config);
  const manifest = imageManifest(config, []);
  const names = [
    ...Array.from({ length: 25 }, (_, index) => `tag${index}`),
    'latest',
    'LATEST',
    '_under',
    '1.0',
    '1.0.1',
    '1.0-rc',
    'v'.repeat(128),
    'list',
    'tags',
  ];
  for (const name of names) await pushManifest(run, repository, name, manifest);
  const url = `/v2/${repository}/tags/list`;
  const whole = await get(run, url);
  run.status('list', whole, 200);
  run.equal('type', whole.headers['content-type']?.split(';')[0], 'application/json');
  const { name, tags } = json(whole.body) as TagList;
  run.equal('name', name, repository);
  const order = tags ?? [];
  run.equal('complete', order.toSorted(), names.toSorted());
  const byCode = names.toSorted();
  const byLetter = names.toSorted((a, b) =>
    a.toLowerCase() === b.toLowerCase() ? (a < b ? -1 : 1) : a.toLowerCase() < b.toLowerCase() ? -1 : 1,
  );
  run.check('sorted', order.join() === byCode.join() || order.join() === byLetter.join(), order.join(' '));

  for (const n of [1, 2, 7, names.length - 1, names.length, names.length + 1, 1000]) {
    const page = await list(run, `${url}?n=${n}`);
    run.equal(`n-${n}`, page.tags, order.slice(0, n));
    run.check(`n-${n}-link`, (page.next !== undefined) === n < names.length, `Link ${page.next}`);
  }
  for (const n of [1, 5, 10]) {
    const found: string[] = [];
    let next: string | undefined = `${url}?n=${n}`;
    for (let page = 0; next !== undefined && page <= names.length; page++) {
      const answer: { tags: string[]; next: string | undefined } = await list(run, next);
      found.push(...answer.tags);
      next = answer.next;
    }
    run.equal(`follow-links-of-${n}`, found, order);
  }
  const none = await list(run, `${url}?n=0`);
  run.equal('n-0', [none.tags, none.next], [[], undefined]);
  for (const at of [0, 10, names.length - 1]) {
    run.equal(`last-${at}`, (await list(run, `${url}?last=${order[at]}`)).tags, order.slice(at + 1));
    run.equal(`last-${at}-n-3`, (await list(run, `${url}?last=${order[at]}&n=3`)).tags, order.slice(at + 1, at + 4));
  }
  run.equal(
    'last-need-not-exist',
    (await list(run, `${url}?last=tag1zzz`)).tags,
    order.filter((tag) => (order === byCodeOrder(order) ? tag > 'tag1zzz' : tag.toLowerCase() > 'tag1zzz')),
  );
  for (const bad of ['-1', 'NaN', '1.5', '', 'x', '1e3', '%00']) {
    const answer = await get(run, `${url}?n=${bad}`);
    run.check(`n-${bad || 'empty'}-refused`, answer.status === 400, `got ${answer.status}`);
  }
  for (const large of ['2147483648', '99999999999999999999']) {
    const answer = await get(run, `${url}?n=${large}`);
    run.check(`n-${large}`, answer.status === 200 || answer.status === 400, `got ${answer.status}`);
  }
  for (const last of ['%00', '%ff%fe', '..%2f..', "'%20OR%201=1--", 'x'.repeat(3000)]) {
    const answer = await get(run, `${url}?last=${last}`);
    run.check(`last-${last.slice(0, 12)}`, answer.status === 200 || answer.status === 400, `got ${answer.status}`);
  }
  run.status('delete-a-tag', await remove(run, `/v2/${repository}/manifests/tag3`), 202);
  run.check('deleted-is-off-the-list', !(await list(run, url)).tags.includes('tag3'));
};

function byCodeOrder(order: string[]): string[] {
  return order.toSorted().join() === order.join() ? order : [];
}

async function list(run: Run, url: string): Promise<{ tags: string[]; next: string | undefined }> {
  const answer = await get(run, url);
  return { tags: (json(answer.body) as TagList).tags ?? [], next: nextOf(answer.headers.link) };
}
