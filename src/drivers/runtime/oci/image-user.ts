import { ContainerError } from '../../../core/container-error.ts';
import type { LayerView } from './layer-view.ts';

export interface ProcessUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  /** Of the account, when there is one. */
  home: string;
}

/** Of `/etc/passwd` and `/etc/group`; a longer file is read no further. */
const FILE_BYTES = 1024 * 1024;
/** -1 means "leave as it is" to the kernel, and would start the container as root. */
const LARGEST_ID = 0xff_ff_ff_fe;
const MOST_GROUPS = 1000;

/**
 * Finds the account that a container runs as: `user`, `user:group`, by names or numbers, in the container's own files
 * (`''`: root). Raises `CannotCreateContainerError` for one that is not there, or a number that is none.
 */
export async function findUser(view: LayerView, written: string): Promise<ProcessUser> {
  const [userText = '', groupText] = split(written);
  const accounts = await readLines(view, '/etc/passwd');
  const byName = userText === '' ? ['root', 'x', '0', '0', '', '/root'] : accounts.find(([name]) => name === userText);
  const number = userText !== '' && byName === undefined ? parseId(userText, written) : undefined;
  const account = byName ?? accounts.find(([, , uid]) => uid !== undefined && Number(uid) === number);
  const uid = number ?? parseId(account?.[2] ?? '', written);
  const groups = await readLines(view, '/etc/group');
  if (groupText !== undefined && groupText !== '') {
    const group = groups.find(([name]) => name === groupText);
    return { uid, gid: parseId(group?.[2] ?? groupText, written), additionalGids: [], home: account?.[5] || '/' };
  }
  const gid = account?.[3] === undefined ? 0 : parseId(account[3], written);
  const name = account?.[0];
  const additionalGids = groups
    .filter(([, , , members]) => name !== undefined && members?.split(',').includes(name))
    .slice(0, MOST_GROUPS)
    .map(([, , id]) => parseId(id ?? '', written))
    .filter((id) => id !== gid);
  return { uid, gid, additionalGids, home: account?.[5] || '/' };
}

function split(written: string): string[] {
  const colon = written.indexOf(':');
  return colon < 0 ? [written] : [written.slice(0, colon), written.slice(colon + 1)];
}

async function readLines(view: LayerView, path: string): Promise<string[][]> {
  const bytes = await view.read(path, FILE_BYTES);
  return (bytes?.toString('utf8') ?? '').split('\n').map((line) => line.split(':'));
}

function parseId(text: string, written: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(id <= LARGEST_ID))
    throw new ContainerError(
      'CannotCreateContainerError',
      `the user ${JSON.stringify(written.slice(0, 100))} is no account of the image, and no number up to ${LARGEST_ID}`,
    );
  return id;
}
