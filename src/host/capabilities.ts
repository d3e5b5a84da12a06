import { readFileSync } from 'node:fs';
import { Failure } from '../lib/error.ts';

/** Every capability by its bit number. https://man7.org/linux/man-pages/man7/capabilities.7.html */
const NAMES =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`.split(/\s+/);

/** What a container's root may do without being asked, as with Docker. */
const DEFAULT =
  `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT
  KILL AUDIT_WRITE`.split(/\s+/);

/**
 * The capabilities (`CAP_...`) of a container's processes. `add` and `drop` take names with or without `CAP_`, in any
 * case, or ALL. ALL and `privileged` mean all that this host has itself: it may run with less than everything.
 */
export function containerCapabilities(options: {
  readonly privileged?: boolean;
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
}): string[] {
  if (options.privileged) return hostCapabilities();
  const add = (options.add ?? []).map((name) => normalised(name, 'CapAdd'));
  const drop = (options.drop ?? []).map((name) => normalised(name, 'CapDrop'));
  const base = add.includes('ALL')
    ? hostCapabilities()
    : drop.includes('ALL')
      ? []
      : DEFAULT.map((name) => `CAP_${name}`);
  const kept = base.filter((name) => !drop.includes(name));
  return [...kept, ...add.filter((name) => name !== 'ALL' && !kept.includes(name))];
}

/** Capabilities in the bounding set of this process, which no process it starts can exceed. */
export function hostCapabilities(): string[] {
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const bits = BigInt(`0x${bounding}`);
  return NAMES.flatMap((name, bit) => ((bits >> BigInt(bit)) & 1n ? `CAP_${name}` : []));
}

function normalised(name: string, field: 'CapAdd' | 'CapDrop'): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL') return upper;
  const short = upper.startsWith('CAP_') ? upper.slice(4) : upper;
  if (!NAMES.includes(short))
    throw new Failure('invalid', 'CAPABILITY_UNKNOWN', `invalid ${field}: unknown capability: "CAP_${short}"`);
  return `CAP_${short}`;
}
