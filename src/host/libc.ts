import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { Failure } from '../lib/error.ts';

/** A path for a system call. A Buffer holds the raw bytes without a terminating NUL, for names that are not UTF-8. */
export type NativePath = string | Buffer;

const libc = koffi.load(null);

/**
 * Binds a function of the C library. `signature` is its C declaration in fixed-width types; `Call` must say the same,
 * because a wrong signature ends the process. Pointers take a Buffer or null, `const char *` also a string. 64-bit
 * results arrive as a number when it is exact, else as a bigint. Calls block the thread they are made from.
 */
export function bind<Call extends (...args: never[]) => unknown>(signature: string): Call {
  return libc.func(signature) as unknown as Call; // stated by the caller beside the C declaration
}

/** As `bind`, for the functions of another library (its file name). Undefined when the machine lacks it. */
export function openLibrary(name: string): typeof bind | undefined {
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load(name);
  } catch {
    return undefined;
  }
  return <Call extends (...args: never[]) => unknown>(signature: string): Call =>
    library.func(signature) as unknown as Call; // stated by the caller beside the C declaration
}

/**
 * As `bind`, for a call that may take long: it runs in another thread and resolves with its result. Why it failed cannot
 * be known.
 */
export function bindInBackground<Arguments extends unknown[]>(
  signature: string,
): (...args: Arguments) => Promise<number> {
  const call = libc.func(signature);
  return (...args) =>
    new Promise((resolve, reject) => {
      call.async(...args, (error: Error | null, result: number) => (error ? reject(error) : resolve(result)));
    });
}

/** Returns `result` unless it is -1, then throws a Node-like system error (`code`, `errno`, `syscall`, `path`). */
export function check(result: number, syscall: string, path?: NativePath): number {
  if (result === -1) throw systemError(koffi.errno(), syscall, path);
  return result;
}

/** The error number of the last call made from this thread. */
export function lastError(): number {
  return koffi.errno();
}

/** Error numbers that callers compare with. */
export const ERRNO: Readonly<Record<string, number>> = koffi.os.errno;

export function systemError(errno: number, syscall: string, path?: NativePath): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const place = path === undefined ? '' : ` '${path.toString()}'`;
  const error: NodeJS.ErrnoException = new Error(`${code}: ${getSystemErrorMessage(-errno)}, ${syscall}${place}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  if (path !== undefined) error.path = path.toString();
  return error;
}

/** The form of a path that goes into a `const char *`; a NUL inside is refused, it would silently cut the path. */
export function terminated(path: NativePath): NativePath {
  const cut = path.indexOf('\0');
  if (cut !== -1)
    throw new Failure(
      'invalid',
      'PATH_INVALID',
      `path contains a NUL character: "${path.toString().slice(0, cut)}..."`,
    );
  if (typeof path === 'string') return path;
  const bytes = Buffer.allocUnsafe(path.length + 1);
  path.copy(bytes);
  bytes[path.length] = 0;
  return bytes;
}

/** Watches one descriptor from the event loop. The descriptor stays the caller's, who closes the watch first. */
export interface DescriptorWatch extends Disposable {
  /** Calls `ready` whenever the descriptor is ready for what is wanted; replaces what was wanted before. */
  start(wanted: { readonly readable?: boolean; readonly writable?: boolean }, ready: () => void): void;
  stop(): void;
}

/** Only one watch of a descriptor may exist in a process. It keeps the process alive until disposed. */
export function watchDescriptor(fd: number): DescriptorWatch {
  const handle = koffi.node.poll(fd, { readable: true }, () => {});
  handle.stop();
  return {
    start: (wanted, ready) => handle.start(wanted, ready),
    stop: () => handle.stop(),
    [Symbol.dispose]: () => handle.close(),
  };
}

/** Memory address of a Buffer, which the caller keeps alive until the call that uses it has returned. */
export function addressOf(buffer: Buffer): bigint {
  return koffi.address(buffer);
}
