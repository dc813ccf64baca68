import * as fs from 'node:fs/promises';
import type { ContainerStats } from '../../../orchestrator/ports.ts';
import type { Cgroups } from './cgroups.ts';
import { errorCode } from './error-code.ts';
import type { ContainerRecord } from './records.ts';

/** Usage of a running container as Docker's API gives it; `link` is the machine's end of its network. */
export async function readContainerStats(
  cgroups: Cgroups,
  { id, name, cgroupsPath }: ContainerRecord,
  link: string | undefined,
  now: number,
): Promise<ContainerStats | undefined> {
  const usage = await cgroups.usage(cgroupsPath);
  if (usage === undefined) return undefined;
  const eth0 = link === undefined ? undefined : await readLink(`/sys/class/net/${link}/statistics`);
  return {
    read: new Date(now).toISOString(),
    id,
    name: `/${name}`,
    ...usage,
    ...(eth0 === undefined ? {} : { networks: { eth0 } }),
  };
}

/** What the machine's end has sent, the container has received. */
async function readLink(folder: string): Promise<Record<string, number> | undefined> {
  const counts: Record<string, number> = {};
  try {
    for (const [ours, theirs] of [
      ['tx', 'rx'],
      ['rx', 'tx'],
    ])
      for (const what of ['bytes', 'packets', 'errors', 'dropped'])
        counts[`${theirs}_${what}`] = Number(await fs.readFile(`${folder}/${ours}_${what}`, 'utf8'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  return counts;
}
