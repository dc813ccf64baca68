import { digestOf, isDigest, type Digest, type DigestAlgorithm } from './digest.ts';
import { Fault } from './fault.ts';
import { isJsonObject, JsonError, parseJson, type Json, type JsonObject } from './json.ts';
import { isNonDistributable, manifestShape, type ManifestShape } from './media-type.ts';

/** A pointer to content (OCI image-spec, descriptor.md). `size` is bytes, as declared. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
  platform?: { os?: string; architecture?: string; variant?: string };
  /** True when a `urls` member says that the content may live elsewhere. */
  hasUrls?: boolean;
}

/** What the registry needs to know of a manifest; the bytes stay as they came. */
export interface Manifest {
  shape: ManifestShape;
  mediaType: string;
  digest: Digest;
  /** Bytes of the manifest itself. */
  size: number;
  /** As referrers show it: the manifest's own, else an image's config media type; absent for a plain index. */
  artifactType?: string;
  config?: Descriptor;
  layers: Descriptor[];
  /** An index's manifests. */
  children: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

export const MANIFEST_LIMITS = { bytes: 4 * 1024 * 1024, layers: 10_000, children: 1_000 } as const;

/**
 * Reads a manifest. `contentType` is what the client declared (its parameters are ignored); it must agree with the
 * document's own `mediaType` when both are there, so that no two readers take the same bytes for different things
 * (CVE-2021-41190). Raises `manifest-invalid`, `manifest-too-large`, `media-type-unsupported`.
 */
export function parseManifest(bytes: Uint8Array, contentType?: string, algorithm: DigestAlgorithm = 'sha256'): Manifest {
  if (bytes.length > MANIFEST_LIMITS.bytes) {
    throw new Fault('manifest-too-large', { bytes: bytes.length, limit: MANIFEST_LIMITS.bytes });
  }
  const document = parseDocument(bytes);
  const mediaType = chooseMediaType(document, contentType);
  const shape = manifestShape(mediaType);
  if (shape === undefined) throw new Fault('media-type-unsupported', { mediaType: mediaType.slice(0, 200) });
  if (document.schemaVersion !== 2) invalid('schemaVersion must be 2');
  if (shape === 'image' && 'manifests' in document) invalid('an image manifest has no "manifests"');
  if (shape === 'index' && ('layers' in document || 'config' in document)) invalid('an index has no "layers" or "config"');

  const annotations = readAnnotations(document.annotations, 'annotations');
  const subject = document.subject === undefined ? undefined : readDescriptor(document.subject, 'subject');
  const declaredType = document.artifactType;
  if (declaredType !== undefined && typeof declaredType !== 'string') invalid('artifactType must be a string');
  const config = shape === 'image' ? readDescriptor(document.config, 'config') : undefined;
  const artifactType = declaredType || config?.mediaType;
  return {
    shape,
    mediaType,
    digest: digestOf(bytes, algorithm),
    size: bytes.length,
    layers: shape === 'image' ? readList(document.layers, 'layers', MANIFEST_LIMITS.layers) : [],
    children: shape === 'index' ? readList(document.manifests, 'manifests', MANIFEST_LIMITS.children) : [],
    ...(artifactType ? { artifactType } : {}),
    ...(config ? { config } : {}),
    ...(subject ? { subject } : {}),
    ...(annotations ? { annotations } : {}),
  };
}

/** The blobs that must be in the repository before an image manifest is: its config and its layers, each once. */
export function requiredBlobs(manifest: Manifest): Digest[] {
  const needed = new Set<Digest>();
  if (manifest.config) needed.add(manifest.config.digest);
  for (const layer of manifest.layers) {
    if (!layer.hasUrls && !isNonDistributable(layer.mediaType)) needed.add(layer.digest);
  }
  return [...needed];
}

/** ECR's `imageSizeInBytes` of an image: the config and all layers, as declared (observed in the aws CLI's examples). */
export function declaredImageSize(manifest: Manifest): number {
  return (manifest.config?.size ?? 0) + manifest.layers.reduce((sum, layer) => sum + layer.size, 0);
}

function parseDocument(bytes: Uint8Array): JsonObject {
  let value: Json;
  try {
    value = parseJson(bytes);
  } catch (error) {
    if (error instanceof JsonError) invalid(error.message);
    throw error;
  }
  if (!isJsonObject(value)) invalid('not a JSON object');
  return value;
}

function chooseMediaType(document: JsonObject, contentType: string | undefined): string {
  const declared = contentType?.split(';')[0]?.trim();
  const own = document.mediaType;
  if (own !== undefined && typeof own !== 'string') invalid('mediaType must be a string');
  if (declared && own && declared !== own)
    invalid(`Content-Type ${declared.slice(0, 200)} is not the manifest's mediaType ${own.slice(0, 200)}`);
  const mediaType = own || declared;
  if (!mediaType) invalid('no media type: neither the request nor the manifest names one');
  return mediaType;
}

function readList(value: Json | undefined, member: string, limit: number): Descriptor[] {
  if (!Array.isArray(value)) invalid(`"${member}" must be a list`);
  if (value.length > limit) invalid(`"${member}" has more than ${limit} entries`);
  return value.map((entry, index) => readDescriptor(entry, `${member}[${index}]`));
}

function readDescriptor(value: Json | undefined, where: string): Descriptor {
  if (!isJsonObject(value)) invalid(`"${where}" must be a descriptor`);
  const { mediaType, digest, size, artifactType } = value;
  if (typeof mediaType !== 'string' || mediaType === '' || mediaType.length > 255)
    invalid(`"${where}.mediaType" must be a media type`);
  if (typeof digest !== 'string' || !isDigest(digest)) invalid(`"${where}.digest" must be a sha256 or sha512 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) invalid(`"${where}.size" must be a count of bytes`);
  if (artifactType !== undefined && typeof artifactType !== 'string') invalid(`"${where}.artifactType" must be a string`);
  if (value.data !== undefined) checkData(value.data, digest, size, where);
  const annotations = readAnnotations(value.annotations, `${where}.annotations`);
  const platform = readPlatform(value.platform);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType ? { artifactType } : {}),
    ...(annotations ? { annotations } : {}),
    ...(platform ? { platform } : {}),
    ...(Array.isArray(value.urls) && value.urls.length > 0 ? { hasUrls: true } : {}),
  };
}

/** Embedded content must be what the descriptor says (image-spec, descriptor.md: "data"). */
function checkData(data: Json, digest: Digest, size: number, where: string): void {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : undefined;
  const algorithm: DigestAlgorithm = digest.startsWith('sha512:') ? 'sha512' : 'sha256';
  if (bytes === undefined || bytes.length !== size || digestOf(bytes, algorithm) !== digest) {
    invalid(`"${where}.data" is not the content that its digest and size name`);
  }
}

function readAnnotations(value: Json | undefined, where: string): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isJsonObject(value)) invalid(`"${where}" must be an object of strings`);
  const annotations: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') invalid(`"${where}" must be an object of strings`);
    annotations[key] = text;
  }
  return annotations;
}

function readPlatform(value: Json | undefined): Descriptor['platform'] {
  if (!isJsonObject(value)) return undefined;
  const { os, architecture, variant } = value;
  return {
    ...(typeof os === 'string' ? { os } : {}),
    ...(typeof architecture === 'string' ? { architecture } : {}),
    ...(typeof variant === 'string' ? { variant } : {}),
  };
}

function invalid(reason: string): never {
  throw new Fault('manifest-invalid', { reason });
}
