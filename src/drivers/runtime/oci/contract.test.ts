import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { silentLogger } from '../../../core/logger.ts';
import type { ContainerEngine } from '../../../orchestrator/container-engine.ts';
import { testContainerEngine } from '../../../orchestrator/container-engine.contract.ts';
import { systemClock } from '../../system/clock.ts';
import { systemIds } from '../../system/ids.ts';
import { openOciEngine } from './oci-engine.ts';
import { busyboxLayer, createTestImages, link, reasonToSkip } from './testing.ts';

const MORE_TOOLS =
  'yes head tail grep sed printf seq date true false test wc sort mount id df ps tr cut rmdir find uname stty sysctl'.split(' ');

testContainerEngine('oci', async (t) => {
  const reason = await reasonToSkip();
  if (reason !== false) {
    t.skip(reason);
    return undefined;
  }
  const folder = await fs.mkdtemp(`${os.tmpdir()}/holdfast-contract-`);
  const images = createTestImages();
  const digest = await images.add([[...(await busyboxLayer()), ...MORE_TOOLS.map((tool) => link(`bin/${tool}`, 'busybox'))]]);
  images.tags.set('registry.test/box:1', digest);
  const opened: ContainerEngine[] = [];
  const open = async (): Promise<ContainerEngine> => {
    const engine = await openOciEngine({ folder, images: images.source, clock: systemClock, ids: systemIds, log: silentLogger });
    opened.push(engine);
    return engine;
  };
  t.after(async () => {
    const engine = opened.at(-1) as ContainerEngine;
    for (const { taskId } of await engine.list()) await engine.remove(taskId);
    await engine.close();
    await fs.rm(folder, { recursive: true, force: true, maxRetries: 20 });
  });
  return {
    engine: await open(),
    reopen: open,
    image: { written: 'registry.test/box:1', reference: 'registry.test/box:1' },
    digest,
    missing: { written: 'registry.test/box:2', reference: 'registry.test/box:2' },
  };
});
