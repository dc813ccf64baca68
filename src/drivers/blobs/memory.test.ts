import { createManualClock } from '../../core/clock.ts';
import type { BlobStore } from '../../registry/ports.ts';
import { testBlobStore } from '../../registry/blob-store.contract.ts';
import { createMemoryBlobs } from './memory.ts';

const clock = createManualClock(1_700_000_000_000);

testBlobStore('memory', {
  open: async () => createMemoryBlobs(clock),
  corrupt: async (store: BlobStore, digest) => {
    (store as ReturnType<typeof createMemoryBlobs>).corrupt(digest);
  },
});
