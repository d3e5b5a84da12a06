import { closeSync, fstatSync, readSync } from 'node:fs';
import { openLibrary } from './libc.ts';
import { openMemoryFile } from './memory-file.ts';
import type { Seccomp } from './seccomp.ts';

/**
 * The filter as the kernel takes it: a classic BPF program in base64, or undefined where the machine has no libseccomp
 * or it cannot translate the filter (the runtime then says what is wrong with it). Translating takes some 10 ms, more
 * than all the rest of a container's start; programs are kept, so that it is done once for each filter.
 */
export function seccompProgram(filter: Seccomp): string | undefined {
  const key = JSON.stringify(filter);
  if (!kept.has(key)) {
    if (kept.size >= KEPT_LIMIT) kept.clear();
    kept.set(key, translate(filter));
  }
  return kept.get(key);
}

const kept = new Map<string, string | undefined>();
/** A filter of its own for each set of capabilities: few are in use at a time. */
const KEPT_LIMIT = 32;

type Context = bigint;
interface Library {
  readonly init: (action: number) => Context | null;
  readonly release: (context: Context) => void;
  readonly resolveArchitecture: (name: string) => number;
  readonly addArchitecture: (context: Context, token: number) => number;
  readonly resolveCall: (name: string) => number;
  readonly addRule: (context: Context, action: number, call: number, count: number, conditions: Buffer) => number;
  readonly setAttribute: (context: Context, attribute: number, value: number) => number;
  readonly write: (context: Context, fd: number) => number;
}

let library: Library | undefined;

/** https://man7.org/linux/man-pages/man3/seccomp_init.3.html and its neighbours. */
function load(): Library | undefined {
  const call = openLibrary('libseccomp.so.2');
  if (call === undefined) return undefined;
  return {
    init: call('uintptr_t seccomp_init(uint32_t action)'),
    release: call('void seccomp_release(uintptr_t context)'),
    resolveArchitecture: call('uint32_t seccomp_arch_resolve_name(const char *name)'),
    addArchitecture: call('int seccomp_arch_add(uintptr_t context, uint32_t token)'),
    resolveCall: call('int seccomp_syscall_resolve_name(const char *name)'),
    addRule: call(
      'int seccomp_rule_add_array(uintptr_t context, uint32_t action, int call, uint32_t count, const void *conditions)',
    ),
    setAttribute: call('int seccomp_attr_set(uintptr_t context, int attribute, uint32_t value)'),
    write: call('int seccomp_export_bpf(uintptr_t context, int fd)'),
  };
}

const EEXIST = 17;
const UNKNOWN_ARCHITECTURE = 0;
const UNKNOWN_CALL = -1;
/** Calls are found in a tree instead of one after the other: every call of the container is faster. libseccomp 2.5. */
const OPTIMIZE = 8;
const AS_A_TREE = 2;

function translate(filter: Seccomp): string | undefined {
  library ??= load();
  const defaultAction = actionOf(filter.defaultAction, filter.defaultErrnoRet);
  if (library === undefined || defaultAction === undefined) return undefined;
  const context = library.init(defaultAction);
  if (!context) return undefined;
  try {
    for (const name of filter.architectures) {
      const architecture = library.resolveArchitecture(architectureName(name));
      if (architecture === UNKNOWN_ARCHITECTURE) return undefined;
      const result = library.addArchitecture(context, architecture);
      if (result !== 0 && result !== -EEXIST) return undefined;
    }
    for (const { names, action, errnoRet, args = [] } of filter.syscalls) {
      const code = actionOf(action, errnoRet);
      if (code === undefined) return undefined;
      if (code === defaultAction) continue;
      const conditions = conditionsOf(args);
      if (conditions === undefined) return undefined;
      for (const name of names) {
        const call = library.resolveCall(name);
        if (call !== UNKNOWN_CALL && library.addRule(context, code, call, args.length, conditions) !== 0)
          return undefined;
      }
    }
    library.setAttribute(context, OPTIMIZE, AS_A_TREE);
    return exported(library, context);
  } finally {
    library.release(context);
  }
}

function exported({ write }: Library, context: Context): string | undefined {
  const fd = openMemoryFile('seccomp');
  try {
    if (write(context, fd) !== 0) return undefined;
    const program = Buffer.alloc(fstatSync(fd).size);
    readSync(fd, program, 0, program.length, 0);
    return program.toString('base64');
  } finally {
    closeSync(fd);
  }
}

/** `SCMP_ARCH_X86_64` is `x86_64` to the library. */
function architectureName(name: string): string {
  return name.replace(/^SCMP_ARCH_/, '').toLowerCase();
}

const EPERM = 1;
const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};

/** SCMP_ACT_NOTIFY needs a listener that only the runtime can set up. */
function actionOf(name: string, errno: number | undefined): number | undefined {
  if (name === 'SCMP_ACT_ERRNO') return 0x00050000 | (errno ?? EPERM);
  if (name === 'SCMP_ACT_TRACE') return 0x7ff00000 | (errno ?? EPERM);
  return ACTIONS[name];
}

const COMPARISONS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((name) => `SCMP_CMP_${name}`);
const CONDITION_SIZE = 24;

/** An array of `struct scmp_arg_cmp`. */
function conditionsOf(
  args: readonly { readonly index: number; readonly value: number; readonly valueTwo?: number; readonly op: string }[],
): Buffer | undefined {
  const conditions = Buffer.alloc(Math.max(1, args.length) * CONDITION_SIZE);
  for (const [i, { index, value, valueTwo, op }] of args.entries()) {
    const at = i * CONDITION_SIZE;
    const comparison = COMPARISONS.indexOf(op) + 1;
    if (comparison === 0) return undefined;
    conditions.writeUInt32LE(index, at);
    conditions.writeUInt32LE(comparison, at + 4);
    conditions.writeBigUInt64LE(BigInt(value), at + 8);
    conditions.writeBigUInt64LE(BigInt(valueTwo ?? 0), at + 16);
  }
  return conditions;
}
