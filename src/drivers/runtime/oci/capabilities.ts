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

/** `CAP_…` names of what a container may do, `ALL` understood in both lists; names that the kernel does not have are left out. */
export function chooseCapabilities(add: string[], drop: string[], privileged: boolean): string[] {
  const plain = (name: string): string => name.toUpperCase().replace(/^CAP_/, '');
  const added = new Set(add.map(plain));
  const dropped = new Set(drop.map(plain));
  const start = privileged || added.has('ALL') ? ALL : dropped.has('ALL') ? [] : DEFAULT;
  const chosen = new Set([...start, ...added].filter((name) => ALL.includes(name) && !dropped.has(name)));
  return ALL.filter((name) => chosen.has(name)).map((name) => `CAP_${name}`);
}
