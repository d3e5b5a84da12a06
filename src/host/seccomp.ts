import { existsSync } from 'node:fs';

/** A seccomp filter in the runtime specification's form. https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp */
export interface Seccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures: string[];
  syscalls: SyscallRule[];
}

export interface SyscallRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
}

/**
 * The default filter of a container with these capabilities (`CAP_...`), the policy that Docker users know: what is not
 * named fails with EPERM. Names that a runtime or kernel does not know are skipped by it.
 */
export function defaultSeccomp(capabilities: readonly string[], architecture: string = process.arch): Seccomp {
  const syscalls = [allow(ALWAYS), ...CONDITIONAL];
  for (const [capability, names] of Object.entries(BY_CAPABILITY))
    if (capabilities.includes(capability)) syscalls.push(allow(names));
  if (!capabilities.includes('CAP_SYS_ADMIN')) syscalls.push(...WITHOUT_NEW_NAMESPACES);
  syscalls.push(allow(architecture === 'arm64' ? ARM64_ONLY : X64_ONLY));
  return { defaultAction: 'SCMP_ACT_ERRNO', architectures: ownInterfaces(architecture), syscalls };
}

function allow(names: string): SyscallRule {
  return { names: names.trim().split(/\s+/), action: 'SCMP_ACT_ALLOW' };
}

const ALWAYS = [
  // files
  `_llseek access cachestat chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3
  faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32
  fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64
  fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getrandom getxattr
  getxattrat ioctl lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lseek
  lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pipe
  pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr
  removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64
  statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 unlink unlinkat
  utime utimensat utimensat_time64 utimes vmsplice write writev`,
  // waiting
  `_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
  eventfd eventfd2 fanotify_mark futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake
  inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
  io_pgetevents_time64 io_setup io_submit poll ppoll ppoll_time64 pselect6 pselect6_time64 select`,
  // network
  `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
  recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
  // time
  `adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
  clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create
  timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
  timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times`,
  // memory
  `brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2
  mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
  remap_file_pages`,
  // process attributes
  `capget capset get_robust_list get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid getgid32
  getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32
  getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set landlock_add_rule
  landlock_create_ruleset landlock_restrict_self prctl prlimit64 sched_get_priority_max sched_get_priority_min
  sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
  sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
  seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid
  setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid
  setresuid32 setreuid setreuid32 setrlimit setsid setuid setuid32 ugetrlimit umask`,
  // processes
  `execve execveat exit exit_group fork pidfd_open pidfd_send_signal ptrace rseq sysinfo uname uretprobe vfork
  wait4 waitid waitpid`,
  // ipc
  `ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
  mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt
  shmget`,
  // signals
  `kill pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd signalfd4 sigprocmask sigreturn
  tgkill tkill`,
].join(' ');

// personality(2): Linux, UNAME26, PER_LINUX32, both, and the query
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const CONDITIONAL: readonly SyscallRule[] = [
  ...PERSONALITIES.map((value) => ({
    ...allow('personality'),
    args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
  })),
  // Every family but AF_VSOCK, which reaches past the container's network to the hypervisor.
  { ...allow('socket'), args: [{ index: 0, value: 40, op: 'SCMP_CMP_NE' }] },
];

const BY_CAPABILITY: Readonly<Record<string, string>> = {
  CAP_BPF: 'bpf',
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_PERFMON: 'perf_event_open',
  CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie
    lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open
    quotactl quotactl_fd setdomainname sethostname setns statmount syslog umount umount2 unshare`,
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module finit_module init_module',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev',
  CAP_SYS_RAWIO: 'ioperm iopl',
  CAP_SYS_TIME: 'clock_settime clock_settime64 settimeofday stime',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYSLOG: 'syslog',
};

// The CLONE_NEW* flags. clone3 hides its flags from a filter: ENOSYS makes programs fall back to clone.
const NAMESPACE_FLAGS = 0x7e020000;
const ENOSYS = 38;
const WITHOUT_NEW_NAMESPACES: readonly SyscallRule[] = [
  { ...allow('clone'), args: [{ index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] },
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
];

const X64_ONLY = 'arch_prctl modify_ldt';
const ARM64_ONLY = 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls';

/**
 * The system call interfaces that programs may use; every one makes the start of a container measurably slower. The x32
 * one is left out, hardly any kernel has it; the 32-bit x86 one counts when the kernel offers it.
 */
export function ownInterfaces(architecture: string = process.arch): string[] {
  if (architecture === 'arm64') return ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'];
  return existsSync('/proc/sys/abi/vsyscall32') ? ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] : ['SCMP_ARCH_X86_64'];
}
