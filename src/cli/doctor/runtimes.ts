import { isAtLeast, parseVersion, type Check } from './check.ts';

/** What each program printed of its version; absent when it is not there. */
export interface RuntimeVersions {
  crun?: string;
  runc?: string;
  docker?: string;
  podman?: string;
}

/** What the cgroup file systems look like: how they are mounted, and the controllers of cgroup2 beside cgroup v1. */
export interface CgroupLayout {
  kind: 'v2' | 'v1' | 'hybrid' | 'none';
  unifiedControllers: string[];
}

export function judgeRuntimes(versions: RuntimeVersions): Check[] {
  const other = versions.crun !== undefined || versions.runc !== undefined;
  return [judgeCrun(versions.crun, other), judgeRunc(versions.runc, other)];
}

/** CVE-2026-88264 and -88265: links at /dev/console and /dev/null in an image reach files of the host; fixed in 1.31. */
function judgeCrun(printed: string | undefined, other: boolean): Check {
  const name = 'crun';
  if (printed === undefined) return { name, ...absent(other, 'crun') };
  const version = parseVersion(printed);
  if (version === undefined || isAtLeast(version, [1, 31])) return { name, status: 'ok', found: shown(printed), needed: false };
  return {
    name,
    status: 'warning',
    found: shown(printed),
    advice:
      'Before 1.31 an image can write files of this machine (CVE-2026-88264, CVE-2026-88265). Run only images that you trust, or install 1.31 or newer.',
    needed: false,
  };
}

/** Where each line of runc's releases has the repairs: of the escapes of 2025, and of the links at /dev of 2026. */
const escapesRepaired = [
  [1, 2, 8],
  [1, 3, 3],
  [1, 4, 0],
];
const linksRepaired = [
  [1, 3, 6],
  [1, 4, 3],
  [1, 5, 0],
];

function judgeRunc(printed: string | undefined, other: boolean): Check {
  const name = 'runc';
  if (printed === undefined) return { name, ...absent(other, 'crun') };
  const version = parseVersion(printed);
  const warning = (advice: string): Check => ({ name, status: 'warning', found: shown(printed), advice, needed: false });
  if (version === undefined || !isRepaired(version, escapesRepaired)) {
    return warning(
      'By its version, an image can leave its container (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881), unless the distribution has repaired it. Run only images that you trust, or install runc 1.3.6, or crun 1.31, or newer.',
    );
  }
  if (!isRepaired(version, linksRepaired)) {
    return warning('An image can make links in folders of this machine (CVE-2026-41579). Install 1.3.6, 1.4.3 or newer.');
  }
  return { name, status: 'ok', found: shown(printed), needed: false };
}

/** True when the version's own line of releases has the repair, or the version is of a line after all of them. */
function isRepaired(version: number[], repairs: number[][]): boolean {
  const own = repairs.find((repair) => repair[0] === version[0] && repair[1] === version[1]);
  return own === undefined ? repairs.every((repair) => isAtLeast(version, repair)) : isAtLeast(version, own);
}

function absent(other: boolean, install: string): Omit<Check, 'name'> {
  if (other) return { status: 'ok', found: 'not installed, and not needed beside the other one', needed: false };
  return {
    status: 'missing',
    found: 'not installed',
    advice: `The registry works without; to run tasks install crun or runc: ${aptInstall(install)}`,
    needed: false,
  };
}

/** crun 1.8 refuses every container while cgroup v1 and a cgroup2 with controllers of its own are mounted together. */
export function judgeCgroups(layout: CgroupLayout, crun: string | undefined, runc: string | undefined): Check {
  const name = 'cgroups';
  if (layout.kind === 'none') {
    return {
      name,
      status: 'warning',
      found: 'not mounted',
      advice: 'Tasks run without limits of memory and processor.',
      needed: false,
    };
  }
  if (layout.kind !== 'hybrid' || layout.unifiedControllers.length === 0) {
    return { name, status: 'ok', found: layout.kind === 'hybrid' ? 'v1 with an empty v2 beside it' : layout.kind, needed: false };
  }
  const refused = crun !== undefined;
  return {
    name,
    status: refused ? 'warning' : 'ok',
    found: `v1, and v2 with ${layout.unifiedControllers.join(', ')}`,
    ...(refused
      ? {
          advice: `crun refuses such a mixture ("cgroups in hybrid mode not supported"); ${runc === undefined ? 'install runc, which does not' : 'runc does not'}, or unmount /sys/fs/cgroup/unified.`,
        }
      : {}),
    needed: false,
  };
}

/** An engine is optional: Docker or Podman, through its API. */
export function judgeEngine(name: 'docker' | 'podman', printed: string | undefined, socket: string | undefined): Check {
  const client = printed === undefined ? 'no client' : `client ${shown(printed)}`;
  if (socket !== undefined) return { name, status: 'ok', found: `${client}, engine answers at ${socket}`, needed: false };
  return {
    name,
    status: 'warning',
    found: `${client}, no engine answers`,
    advice:
      name === 'docker'
        ? 'Needed only for HOLDFAST_RUNTIME=docker. Start the engine, or set DOCKER_HOST.'
        : 'Needed only to run tasks through Podman. Start its API with: systemctl start podman.socket',
    needed: false,
  };
}

export function judgeTool(name: string, path: string | undefined, what: string, install: string): Check {
  if (path !== undefined) return { name, status: 'ok', found: path, needed: false };
  return {
    name,
    status: 'missing',
    found: 'not installed',
    advice: `${what} Install it with: ${aptInstall(install)}`,
    needed: false,
  };
}

function aptInstall(name: string): string {
  return `sudo apt-get install ${name}`;
}

/** The version alone, of `crun version 1.8.1` and the lines after it. */
function shown(printed: string): string {
  return /\d+\.\d+\S*/.exec(printed)?.[0].replace(/,$/, '') ?? 'of unknown version';
}
