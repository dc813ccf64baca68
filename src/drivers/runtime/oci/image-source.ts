import type { Digest } from '../../../core/digest.ts';
import type { PinnedImage } from '../../../orchestrator/container-engine.ts';
import type { ImageToRun } from '../../../orchestrator/ports.ts';

/**
 * Where images come from: our own registry in the same process, or any other one over the network; the front door puts it
 * together. Every failure is a `CannotPullContainerError` in the words that people should read; what the bytes
 * are is verified by who asks.
 */
export interface ImageSource {
  /** Digest of the manifest that `image.reference` names now. */
  resolve(image: ImageToRun): Promise<Digest>;
  /** Bytes of a manifest in the image's repository: its own, or of a child of its index. */
  manifest(image: PinnedImage, digest: Digest): Promise<{ bytes: Uint8Array; mediaType?: string }>;
  /** A config or a layer of it. */
  blob(image: PinnedImage, digest: Digest, size: number): AsyncIterable<Uint8Array>;
}
