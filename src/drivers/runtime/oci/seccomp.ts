/** System calls that ordinary programs do not make, and that were doors out of containers; by the capability that gives them back. */
const REFUSED: Readonly<Record<string, string>> = {
  '': 'add_key keyctl request_key kcmp userfaultfd uselib ustat sysfs _sysctl nfsservctl create_module get_kernel_syms query_module vm86 vm86old move_pages',
  'CAP_SYS_ADMIN':
    'bpf clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns swapoff swapon umount umount2 unshare',
  'CAP_DAC_READ_SEARCH': 'open_by_handle_at',
  'CAP_SYS_BOOT': 'kexec_file_load kexec_load reboot',
  'CAP_SYS_MODULE': 'delete_module finit_module init_module',
  'CAP_SYS_PACCT': 'acct',
  'CAP_SYS_PTRACE': 'process_madvise process_vm_readv process_vm_writev',
  'CAP_SYS_RAWIO': 'ioperm iopl',
  'CAP_SYS_TIME': 'clock_adjtime clock_settime settimeofday stime adjtimex',
  'CAP_SYS_NICE': 'mbind set_mempolicy get_mempolicy',
};
const EPERM = 1;
const ENOSYS = 38;
/** CLONE_NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWNS. */
const NEW_NAMESPACES = 0x7e_02_00_00;

interface SeccompRule {
  names: string[];
  action: string;
  errnoRet: number;
  args?: { index: number; value: number; valueTwo: number; op: string }[];
}

/**
 * The seccomp part of a runtime config: everything is allowed but a list. `clone3` answers "no such call", so that programs
 * fall back on `clone`, whose flags a filter can read.
 */
export function seccompFor(capabilities: string[], architecture: string): Record<string, unknown> {
  const rules: SeccompRule[] = [];
  for (const [capability, names] of Object.entries(REFUSED)) {
    if (capabilities.includes(capability)) continue;
    const list = names.split(' ');
    rules.push({ names: list.filter((name) => name !== 'clone3'), action: 'SCMP_ACT_ERRNO', errnoRet: EPERM });
    if (!list.includes('clone3')) continue;
    rules.push({ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS });
    for (let bit = 1; bit <= NEW_NAMESPACES; bit *= 2) {
      if ((NEW_NAMESPACES & bit) === 0) continue;
      const args = [{ index: 0, value: bit, valueTwo: bit, op: 'SCMP_CMP_MASKED_EQ' }];
      rules.push({ names: ['clone'], action: 'SCMP_ACT_ERRNO', errnoRet: EPERM, args });
    }
  }
  return { defaultAction: 'SCMP_ACT_ALLOW', architectures: architectures(architecture), syscalls: rules };
}

function architectures(architecture: string): string[] {
  if (architecture === 'x64') return ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
  if (architecture === 'arm64') return ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'];
  return [];
}
