import { freshConfig, freshBlob, imageManifest, descriptor, indexManifest, TYPES } from './content.ts';
import { get, head, pushBlob, pushManifest, remove } from './push.ts';
import type { Scenario } from './run.ts';

/** A repository whose name is made of the words of the routes works like any other. */
export const nestedNames: Scenario = async (run) => {
  const repository = run.repositories.nested;
  const [config, layer] = [freshConfig(), freshBlob(512)];
  await pushBlob(run, repository, config);
  await pushBlob(run, repository, layer);
  const manifest = imageManifest(config, [layer]);
  await pushManifest(run, repository, 'nested', manifest);
  run.check('blob', (await get(run, `/v2/${repository}/blobs/${layer.digest}`)).body.equals(layer.bytes));
  run.check('manifest', (await get(run, `/v2/${repository}/manifests/nested`)).body.equals(manifest.bytes));
  run.status('tags', await get(run, `/v2/${repository}/tags/list`), 200);
  const referrer = indexManifest([], { artifactType: 'a/b', subject: descriptor(manifest, TYPES.manifest) });
  await pushManifest(run, repository, referrer.digest, referrer);
  run.check('referrers', (await get(run, `/v2/${repository}/referrers/${manifest.digest}`)).body.includes(referrer.digest));
  run.status('delete', await remove(run, `/v2/${repository}/manifests/nested`), 202);
};

/** Names and paths that nobody may have. Nothing is found there, nothing breaks. */
export const badNames: Scenario = async (run) => {
  const names = [
    '..',
    '.',
    'a/../b',
    '%2e%2e',
    '%2e%2e%2fetc',
    'a//b',
    '_catalog',
    '_x',
    'A',
    'UPPER/case',
    'a.',
    '.a',
    'a..b',
    'a-',
    '-a',
    'a__',
    'a___b',
    'a%20b',
    '%00',
    'a%00b',
    '%C3%A4',
    '%D0%B0',
    'a%2Fb',
    'a\\b',
    'a'.repeat(300),
    'a/'.repeat(200) + 'a',
    'manifests',
    '',
  ];
  const { digest } = freshBlob(3);
  for (const name of names) {
    const id = name.length > 40 ? `${name.slice(0, 10)}…${name.length}` : name === '' ? 'empty' : name;
    for (const [what, url] of Object.entries({
      manifest: `/v2/${name}/manifests/latest`,
      blob: `/v2/${name}/blobs/${digest}`,
      tags: `/v2/${name}/tags/list`,
    })) {
      const answer = await get(run, url);
      run.check(`${id}/${what}`, answer.status >= 400 && answer.status < 500, `got ${answer.status}`);
    }
    const post = await run.send({ method: 'POST', url: `/v2/${name}/blobs/uploads/` });
    run.check(
      `${id}/push`,
      (post.status >= 400 && post.status < 500) || (post.status >= 301 && post.status < 400),
      `got ${post.status}`,
    );
  }
  for (const url of ['/v2/x', '/v2/x/', '/v2/x/unknown/y', '/v2/%', `/v2/${'x/'.repeat(5000)}manifests/a`]) {
    const answer = await get(run, url);
    run.check(`path-${url.slice(0, 20)}`, answer.status >= 400 && answer.status < 500, `got ${answer.status}`);
  }
  const { main } = run.repositories;
  for (const [method, url] of [
    ['POST', `/v2/${main}/manifests/a`],
    ['PATCH', `/v2/${main}/blobs/${digest}`],
    ['PUT', `/v2/${main}/tags/list`],
    ['DELETE', `/v2/${main}/tags/list`],
    ['PUT', `/v2/${main}/blobs/uploads/`],
  ] as const) {
    const answer = await run.send({ method, url });
    run.check(
      `method-${method}-${url.slice(4 + main.length, 20 + main.length)}`,
      answer.status === 405 || answer.status === 404,
      `got ${answer.status}`,
    );
  }
  run.status('head-of-base', await head(run, '/v2/'), 200, 405);
};
