import { MediaType } from '../../core/media-type.ts';

const DOCKER_TAR = 'application/vnd.docker.image.rootfs.diff.tar';

/** A layer's media type by its first bytes; AWS speaks of Docker's types where it can. Anything unknown is just bytes. */
export function detectLayerMediaType(head: Uint8Array): string {
  if (startsWith(head, [0x1f, 0x8b])) return MediaType.dockerLayerGzip;
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return MediaType.ociLayerZstd;
  // POSIX.1-1988: the magic of a tar header stands at byte 257.
  if (startsWith(head.subarray(257), [0x75, 0x73, 0x74, 0x61, 0x72])) return DOCKER_TAR;
  if (startsWith(head, [0x7b])) return MediaType.dockerConfig;
  return 'application/octet-stream';
}

function startsWith(bytes: Uint8Array, magic: number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, index) => bytes[index] === byte);
}
