import { createBufferTiers, type BufferTiers } from '../../core/buffer-tiers.ts';

/** Memory for bytes on their way to the disk, shared with the threads that hash. */
export type Slabs = Pick<BufferTiers, 'take' | 'give'>;

const KIB = 1024;
/** The smallest a slab can be: what one read from a socket brings. */
export const SMALLEST_SLAB = 64 * KIB;
export const LARGEST_SLAB = 1024 * KIB;

/**
 * Lends slabs. Large ones make few system calls, but a thousand uploads must fit in little memory, so the size goes down
 * as more is lent; the smallest is lent without bound, because connections are bounded and no upload may wait for
 * another one's slow sender.
 */
export function createSlabs(limit = 64 * KIB * KIB): Slabs {
  return createBufferTiers([
    { bytes: LARGEST_SLAB, until: limit / 2, kept: 6, make: pageAligned },
    { bytes: LARGEST_SLAB / 4, until: limit, kept: 8, make: pageAligned },
    { bytes: SMALLEST_SLAB, until: Infinity, kept: 16, make: unaligned },
  ]);
}

const WASM_PAGE = 64 * KIB;
/** As far as it is used here; Node's types do not have it. */
declare const WebAssembly: {
  Memory: new (size: { initial: number; maximum: number; shared: true }) => { readonly buffer: SharedArrayBuffer };
};

/** Writes past the page cache need memory that begins where a page does, and only this kind is promised to. */
function pageAligned(bytes: number): Buffer {
  const pages = bytes / WASM_PAGE;
  try {
    return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer);
  } catch {
    // It reserves gigabytes of addresses, which a process may be forbidden to have.
    return unaligned(bytes);
  }
}

function unaligned(bytes: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(bytes));
}
