import { closeSync } from 'node:fs';
import { bind, check } from './libc.ts';

const syscall = bind<(call: number, a: number, b: number, c: number) => number>(
  'int64_t syscall(int64_t call, int64_t a, int64_t b, int64_t c)',
);

// The same numbers on every architecture.
const PIDFD_OPEN = 434;
const PIDFD_GETFD = 438;

/** A descriptor that stands for a process and never for another one of the same number. Needs Linux 5.3. */
export function openProcess(pid: number): number {
  return check(syscall(PIDFD_OPEN, pid, 0, 0), 'pidfd_open');
}

/** A copy of another process's descriptor; the caller's to close. Needs Linux 5.6, and the right to trace that process. */
export function openDescriptorOf(pid: number, fd: number): number {
  const process = openProcess(pid);
  try {
    return check(syscall(PIDFD_GETFD, process, fd, 0), 'pidfd_getfd');
  } finally {
    closeSync(process);
  }
}
