import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CredentialError } from './keychain.ts';

export interface AwsKeys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

type Environment = Record<string, string | undefined>;

const SIZE_LIMIT = 1024 * 1024;

/**
 * AWS keys as the aws CLI finds them: `AWS_ACCESS_KEY_ID` and its companions, unless `AWS_PROFILE` alone is set; then the
 * profile's section of the shared credentials file (`AWS_SHARED_CREDENTIALS_FILE`, `~/.aws/credentials`). Raises CredentialError.
 */
export async function findAwsKeys(environment: Environment): Promise<AwsKeys | undefined> {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: session } = environment;
  if (id && secret) return { accessKeyId: id, secretAccessKey: secret, ...(session ? { sessionToken: session } : {}) };
  const home = environment['HOME'];
  const path = environment['AWS_SHARED_CREDENTIALS_FILE'] ?? (home === undefined ? undefined : join(home, '.aws', 'credentials'));
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new CredentialError(`${path} cannot be read (${code ?? 'unknown'}): going on without AWS keys`);
  }
  if (text.length > SIZE_LIMIT) throw new CredentialError(`${path} is too large to be a file of AWS keys`);
  return readProfile(text, environment['AWS_PROFILE'] || environment['AWS_DEFAULT_PROFILE'] || 'default');
}

function readProfile(text: string, profile: string): AwsKeys | undefined {
  const values = new Map<string, string>();
  let inside = false;
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) inside = section === profile;
    const pair = /^\s*([A-Za-z_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (inside && section === undefined && pair) values.set(pair[1]!.toLowerCase(), pair[2]!);
  }
  const accessKeyId = values.get('aws_access_key_id');
  const secretAccessKey = values.get('aws_secret_access_key');
  const sessionToken = values.get('aws_session_token');
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}
