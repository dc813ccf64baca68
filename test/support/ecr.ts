import type { ECR } from '@aws-sdk/client-ecr';
import type { Caller } from '../../src/core/place.ts';
import { ACCOUNT } from './aws-server.ts';

export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
/** A digest of nothing that is anywhere. */
export const NOWHERE = `sha256:${'0'.repeat(64)}`;
export const caller: Caller = { account: ACCOUNT, region: 'us-east-1', principal: `arn:aws:iam::${ACCOUNT}:user/test` };

/** Makes repositories, each of another name, and gives the name. */
export function repositoryMaker(ecr: () => ECR) {
  let count = 0;
  return async (settings: Omit<Parameters<ECR['createRepository']>[0], 'repositoryName'> = {}): Promise<string> => {
    const repositoryName = `team/app-${++count}`;
    await ecr().createRepository({ repositoryName, ...settings });
    return repositoryName;
  };
}

export function indexOf(children: { digest: string; manifest: string }[]): string {
  const manifests = children.map(({ digest, manifest }) => ({ mediaType: OCI_MANIFEST, digest, size: manifest.length }));
  return JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
}

/** An answer without what the SDK adds. */
export async function bare(answer: Promise<{ $metadata: unknown }>): Promise<Record<string, unknown>> {
  const { $metadata: _added, ...rest } = await answer;
  return rest;
}

/** An `Authorization` header for the registry wire. */
export async function basic(ecr: ECR): Promise<string> {
  const { authorizationData } = await ecr.getAuthorizationToken({});
  return `Basic ${authorizationData?.[0]?.authorizationToken}`;
}
