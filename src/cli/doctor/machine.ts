import { formatBytes, formatDuration } from '../format.ts';
import type { Check } from './check.ts';

const mebibyte = 1024 ** 2;
const enough = 2048 * mebibyte;
const least = 64 * mebibyte;

export function judgeDisk(folder: string, free: number, total: number): Check {
  const found = `${formatBytes(free)} free of ${formatBytes(total)} for ${folder}`;
  if (free >= enough) return { name: 'disk', status: 'ok', found, needed: true };
  return {
    name: 'disk',
    status: free >= least ? 'warning' : 'missing',
    found,
    advice: 'Pushes are refused when it is full. Free some room, or set HOLDFAST_DATA to a folder on a larger disk.',
    needed: true,
  };
}

export function judgeDataFolder(folder: string, state: 'there' | 'creatable' | 'refused'): Check {
  if (state !== 'refused') {
    return {
      name: 'data folder',
      status: 'ok',
      found: `${folder}${state === 'there' ? '' : ' (created at the first start)'}`,
      needed: true,
    };
  }
  return {
    name: 'data folder',
    status: 'missing',
    found: `${folder} cannot be written`,
    advice: 'Change its owner, or set HOLDFAST_DATA to a folder that this user may write.',
    needed: true,
  };
}

/** Before this the clock cannot be right: the product did not exist. */
const earliest = Date.UTC(2026, 0, 1);

/** Signatures are good for five minutes around the server's time. */
const tolerated = 60_000;

/** `newest` is the latest time of change in the data folder, when there is one. */
export function judgeClock(now: number, newest: number | undefined): Check {
  const found = Number.isFinite(now) ? new Date(now).toISOString().replace(/\.\d+Z$/, 'Z') : String(now);
  if (!(now >= earliest)) {
    return {
      name: 'clock',
      status: 'missing',
      found,
      advice: 'The clock is years behind: signatures and tokens will be refused. Set it, with NTP best.',
      needed: true,
    };
  }
  if (newest !== undefined && newest - now > tolerated) {
    return {
      name: 'clock',
      status: 'warning',
      found,
      advice: `The data folder was written ${formatDuration(newest - now)} in the future: the clock is wrong now, or was then. Set it, with NTP best.`,
      needed: true,
    };
  }
  return { name: 'clock', status: 'ok', found, needed: true };
}

export type PortState = 'free' | 'holdfast' | 'other' | 'refused';

export function judgePort(host: string, port: number, state: PortState): Check {
  const name = 'port';
  const at = `${host}:${port}`;
  switch (state) {
    case 'free':
      return { name, status: 'ok', found: port === 0 ? 'any free one' : `${at} is free`, needed: true };
    case 'holdfast':
      return { name, status: 'ok', found: `${at} is Holdfast's own`, needed: true };
    case 'other':
      return {
        name,
        status: 'missing',
        found: `${at} is taken by another program`,
        advice: 'Stop that program, or choose another port with HOLDFAST_PORT (0 picks a free one).',
        needed: true,
      };
    case 'refused':
      return {
        name,
        status: 'missing',
        found: `${at} cannot be listened on`,
        advice: 'The address must be one of this machine, and ports below 1024 need root. See HOLDFAST_HOST and HOLDFAST_PORT.',
        needed: true,
      };
  }
}

export function judgeFuse(state: 'usable' | 'refused' | 'absent'): Check {
  if (state === 'usable') return { name: 'FUSE', status: 'ok', found: '/dev/fuse', needed: false };
  return {
    name: 'FUSE',
    status: 'warning',
    found: state === 'absent' ? 'no /dev/fuse' : 'this user may not open /dev/fuse',
    advice: 'Needed only to start containers before their layers are all there. Load it with: sudo modprobe fuse',
    needed: false,
  };
}

export function judgeUser(uid: number | undefined): Check {
  if (uid === 0) return { name: 'user', status: 'ok', found: 'root', needed: false };
  return {
    name: 'user',
    status: 'warning',
    found: uid === undefined ? 'unknown' : `uid ${uid}, not root`,
    advice: 'The registry needs no more. Containers under crun or runc need root; a Docker engine does without.',
    needed: false,
  };
}
