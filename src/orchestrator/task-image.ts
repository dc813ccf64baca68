import { isDigest, type Digest } from '../core/digest.ts';

/** `repository@sha256:…` of an image as it is written, its tag left out: what every task but the first is started by. */
export function pinImage(written: string, digest: Digest): string {
  return `${repositoryOf(written)}@${digest}`;
}

/** The digest that the image is written with, if it is. */
export function writtenDigest(written: string): Digest | undefined {
  const at = written.indexOf('@');
  const text = at < 0 ? '' : written.slice(at + 1);
  return isDigest(text) ? text : undefined;
}

/** Host and path as they are written, without tag and digest. */
function repositoryOf(written: string): string {
  const at = written.indexOf('@');
  const name = at < 0 ? written : written.slice(0, at);
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}
