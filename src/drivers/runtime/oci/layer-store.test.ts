import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf, type Digest } from '../../../core/digest.ts';
import { silentLogger } from '../../../core/logger.ts';
import { systemIds } from '../../system/ids.ts';
import { openLayerStore } from './layer-store.ts';

test('a layer that was not flushed when the server was killed is good for this run of the machine, and for no other', async (t) => {
  const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-layers-'));
  t.after(() => fs.rm(folder, { recursive: true, maxRetries: 20 }));
  const write = async (content: string): Promise<{ diffId: Digest; path: string }> => {
    const diffId = digestOf(content);
    const path = join(folder, 'layers', diffId.replace(':', '-'));
    await fs.mkdir(join(path, 'files'), { recursive: true });
    const layer = { entries: 1, bytes: 3, opaque: [], skippedDevices: 0, droppedAttributes: 0 };
    await fs.writeFile(join(path, 'layer.json'), JSON.stringify({ layer, bootId: 'this', isFlushed: false }));
    return { diffId, path };
  };
  const open = (bootId: string) => openLayerStore({ folder, ids: systemIds, log: silentLogger, bootId });
  const one = await write('of a server that was killed');
  const same = await open('this');
  assert.equal((await same.find(one.diffId))?.bytes, 3);
  await same.close();
  const two = await write('of a machine that stopped');
  const other = await open('another');
  assert.equal(await other.find(two.diffId), undefined);
  await assert.rejects(fs.stat(two.path), { code: 'ENOENT' });
  await other.close();
});
