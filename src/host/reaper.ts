import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { Failure, messageOf, systemCode } from '../lib/error.ts';
import { bind, check, watchDescriptor } from './libc.ts';
import { openProcess } from './pidfd.ts';

const prctl = bind<(option: number, value: number, b: number, c: number, d: number) => number>(
  'int prctl(int option, uint64_t value, uint64_t b, uint64_t c, uint64_t d)',
);
const waitpid = bind<(pid: number, status: Buffer, options: number) => number>(
  'int waitpid(int pid, void *status, int options)',
);

const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
const STRAY_DELAY_MS = 100;
const HELPER_DELAY_MS = 2;

/** How a process ended. */
export interface ExitStatus {
  /** Its exit code, or 128 + n when signal n ended it. */
  readonly exitCode: number;
  readonly signal: number | undefined;
  /** When that was, in milliseconds since 1970; undefined: just now. */
  readonly at?: number;
}

const waitedFor = new Set<number>();
/** How many programs are running whose children are to be waited for. */
let starts = 0;

/**
 * Makes this process the parent of everything its descendants leave behind: a container's first process, started by a
 * runtime that has ended, becomes a child whose exit status `waitForExit` reads. Orphans nobody waits for are reaped
 * soon; as long as one is not, the container in whose namespace it was cannot end. Children of Node's own are left
 * alone. Dispose to stop.
 */
export function becomeReaper(): Disposable {
  check(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'prctl');
  let timer: NodeJS.Timeout | undefined;
  const lookAround = (suspects: ReadonlySet<number>) => {
    const zombies = reapStrays(suspects);
    timer = zombies.size > 0 ? setTimeout(lookAround, STRAY_DELAY_MS, zombies).unref() : undefined;
  };
  const onChildEnded = () => {
    timer ??= setTimeout(lookAround, STRAY_DELAY_MS, new Set()).unref();
  };
  process.on('SIGCHLD', onChildEnded);
  return {
    [Symbol.dispose]: () => {
      process.off('SIGCHLD', onChildEnded);
      clearTimeout(timer);
      prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    },
  };
}

/**
 * Waits for a child that Node did not start (see `becomeReaper`), ended already or not, and reaps it. Call it once per
 * process. Needs Linux 5.3.
 */
export function waitForExit(pid: number): Promise<ExitStatus> {
  let fd: number;
  try {
    fd = openProcess(pid);
  } catch (error) {
    return Promise.reject(lostProcess(pid, systemCode(error) === 'ESRCH' ? 'it is gone' : messageOf(error)));
  }
  waitedFor.add(pid);
  const { promise, resolve, reject } = Promise.withResolvers<ExitStatus>();
  const watch = watchDescriptor(fd);
  const look = () => {
    const status = tryWait(pid);
    if (status === undefined) return;
    watch.stop();
    if (status === 'lost' && isZombie(pid)) {
      // It is the child of a helper of the runtime, which has not ended yet: soon it is ours.
      setTimeout(look, HELPER_DELAY_MS);
      return;
    }
    watch[Symbol.dispose]();
    closeSync(fd);
    waitedFor.delete(pid);
    if (status === 'lost') reject(lostProcess(pid, 'it is not a child of the host'));
    else resolve(status);
  };
  watch.start({ readable: true }, look);
  return promise;
}

/**
 * While it is held no orphan is reaped: one may be the process that a runtime has just left behind, whose number its
 * caller does not know yet and then gives to `waitForExit`.
 */
export function holdOrphans(): Disposable {
  starts++;
  return {
    [Symbol.dispose]: () => {
      starts--;
    },
  };
}

/** Undefined while the process runs. */
function tryWait(pid: number): ExitStatus | 'lost' | undefined {
  const status = Buffer.alloc(4);
  const found = waitpid(pid, status, WNOHANG);
  if (found === 0) return undefined;
  if (found === -1) return 'lost';
  const word = status.readInt32LE();
  const signal = word & 0x7f;
  if (signal === 0) return { exitCode: (word >> 8) & 0xff, signal: undefined };
  return { exitCode: 128 + signal, signal };
}

/**
 * Reaps zombies among our children that were already there, and already zombies, at the previous look: Node reaps its
 * own in the turn of the event loop between. Returns the new suspects.
 */
function reapStrays(suspects: ReadonlySet<number>): Set<number> {
  const zombies = new Set<number>();
  for (const pid of children()) {
    if (waitedFor.has(pid) || !isZombie(pid)) continue;
    if (suspects.has(pid) && starts === 0) tryWait(pid);
    else zombies.add(pid);
  }
  return zombies;
}

function children(): number[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return []; // the thread has ended, or the kernel lacks the file
      throw error;
    }
  });
}

function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2) === 'Z';
  } catch {
    return false;
  }
}

function lostProcess(pid: number, why: string): Failure {
  return new Failure('internal', 'EXIT_UNKNOWN', `cannot learn how process ${pid} ended: ${why}`);
}
