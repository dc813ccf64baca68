import { ContainerError } from '../../../core/container-error.ts';

/** The capabilities that containers have when nothing else is said: the set that Docker and ECS document. */
const DEFAULT =
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  );
/** capabilities(7), in the kernel's order. */
const ALL = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');

/**
 * Names, without `CAP_`, of what this process may give on: root need not have everything, in a container or a small machine.
 * `status` is /proc/self/status.
 */
export function parseBounds(status: string): ReadonlySet<string> {
  const bits = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? 'ffffffffffffffff'}`);
  return new Set(ALL.filter((_, bit) => (bits >> BigInt(bit)) & 1n));
}

/**
 * `CAP_…` names of what a container may do, `ALL` understood in both lists. Of what is not asked for by its own name that is left out
 * which this machine does not have; else raises `CannotCreateContainerError`.
 */
export function chooseCapabilities(add: string[], drop: string[], privileged: boolean, bounds: ReadonlySet<string>): string[] {
  const plain = (name: string): string => name.toUpperCase().replace(/^CAP_/, '');
  const added = new Set(add.map(plain));
  const dropped = new Set(drop.map(plain));
  const start = privileged || added.has('ALL') ? ALL : dropped.has('ALL') ? [] : DEFAULT;
  const lacking = [...added].find((name) => ALL.includes(name) && !dropped.has(name) && !bounds.has(name));
  if (lacking !== undefined)
    throw new ContainerError(
      'CannotCreateContainerError',
      `the capability ${lacking} cannot be added: this machine does not have it`,
    );
  const chosen = new Set([...start, ...added].filter((name) => bounds.has(name) && !dropped.has(name)));
  return ALL.filter((name) => chosen.has(name)).map((name) => `CAP_${name}`);
}
