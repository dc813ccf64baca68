import type { RegistryContext } from './context.ts';
import { createSetStorageClass } from './image-archive.ts';
import { createDeletions } from './image-delete.ts';
import { createImageLists } from './image-list.ts';
import { createPut } from './image-put.ts';
import { createImageQuota } from './image-quota.ts';
import { createRead } from './image-read.ts';
import { createRestores } from './image-restore.ts';
import type { PullTimes } from './pull-times.ts';
import type { Images } from './registry.ts';

/** Images: manifests with their tags. Each part of the contract is in a file of its own. */
export function createImages(context: RegistryContext, pulls: PullTimes): Images {
  const quota = createImageQuota(context.options.limits.imagesPerRepository);
  return {
    put: createPut(context, quota),
    read: createRead(context, pulls),
    ...createImageLists(context),
    ...createDeletions(context),
    ...createRestores(context),
    setStorageClass: createSetStorageClass(context, quota),
  };
}
