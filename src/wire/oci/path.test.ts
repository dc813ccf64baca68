import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRepositoryName } from '../../core/repository-name.ts';
import { parseOciPath, type OciTarget } from './path.ts';

const D = `sha256:${'a'.repeat(64)}`;

test('a path names its target, whatever words the repository name holds', () => {
  const table: [path: string, target: OciTarget][] = [
    ['/v2', { kind: 'base' }],
    ['/v2/', { kind: 'base' }],
    ['/v2/_catalog', { kind: 'catalog' }],
    ['/v2/a/manifests/latest', { kind: 'manifest', name: 'a', reference: 'latest' }],
    [`/v2/a/b/c/manifests/${D}`, { kind: 'manifest', name: 'a/b/c', reference: D }],
    [`/v2/a/manifests/${D.replace(':', '%3A')}`, { kind: 'manifest', name: 'a', reference: D }],
    ['/v2/manifests/manifests/manifests', { kind: 'manifest', name: 'manifests', reference: 'manifests' }],
    ['/v2/a/manifests/tags/list', { kind: 'tags', name: 'a/manifests' }],
    ['/v2/tags/list/tags/list', { kind: 'tags', name: 'tags/list' }],
    ['/v2/blobs/uploads/blobs/uploads/', { kind: 'uploads', name: 'blobs/uploads' }],
    ['/v2/blobs/uploads/blobs/uploads', { kind: 'uploads', name: 'blobs/uploads' }],
    ['/v2/blobs/uploads/blobs/uploads/x', { kind: 'upload', name: 'blobs/uploads', uploadId: 'x' }],
    [`/v2/blobs/uploads/blobs/${D}`, { kind: 'blob', name: 'blobs/uploads', digest: D }],
    ['/v2/a/blobs/uploads/manifests/v1', { kind: 'manifest', name: 'a/blobs/uploads', reference: 'v1' }],
    [`/v2/a/blobs/uploads/referrers/${D}`, { kind: 'referrers', name: 'a/blobs/uploads', digest: D }],
    [`/v2/uploads/blobs/${D}`, { kind: 'blob', name: 'uploads', digest: D }],
    ['/v2/a/blobs/uploads/', { kind: 'uploads', name: 'a' }],
    ['/v2/a/blobs/uploads/5f', { kind: 'upload', name: 'a', uploadId: '5f' }],
  ];
  for (const [path, target] of table) assert.deepEqual(parseOciPath(path), target, path);
});

test('paths that are no endpoint name nothing', () => {
  for (const path of [
    '/v2/a',
    '/v2/a/',
    '/v2/a/manifests/',
    '/v2/a/manifests',
    '/v2/a/tags/other',
    '/v2/a/uploads/x',
    '/v2//',
    '/v2/a/manifests/%',
    '/v2/a/manifests/%ff',
    '/v2/_catalog/',
  ]) {
    assert.equal(parseOciPath(path), undefined, path);
  }
});

test('names that could escape, confuse or overflow are never valid', () => {
  const names = [
    '..',
    'a/../b',
    '%2e%2e',
    'a//b',
    '_catalog',
    'A',
    'a.',
    '.a',
    'a/',
    '/a',
    'a b',
    'ä',
    'а',
    'a%2fb',
    'a\\b',
    'a\u0000',
    'a'.repeat(257),
    '',
    '-a',
    'a..b',
    'a/./b',
  ];
  for (const name of names) {
    const target = parseOciPath(`/v2/${name}/manifests/x`);
    const parsed = target !== undefined && 'name' in target ? target.name : undefined;
    assert.equal(parsed !== undefined && isRepositoryName(parsed), false, JSON.stringify(name));
  }
});

test('a very long path is read in one pass', () => {
  const path = `/v2/${'a/'.repeat(200_000)}blobs/x`;
  assert.equal(parseOciPath(path)?.kind, 'blob');
});
