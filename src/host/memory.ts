import { bind } from './libc.ts';

const M_TRIM_THRESHOLD = -1;
const M_ARENA_MAX = -8;
const TRIM_BYTES = 128 << 10;
const ARENAS = 2;

/**
 * Makes the C library's allocator give freed memory back to the kernel, and share its heaps between threads: a host works
 * in bursts and then waits, and would otherwise keep what each burst needed. Before threads start. Nothing happens with a
 * C library that has no such setting.
 */
export function returnFreedMemory(): void {
  let mallopt: (parameter: number, value: number) => number;
  try {
    mallopt = bind('int mallopt(int parameter, int value)');
  } catch {
    return; // musl
  }
  mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
  mallopt(M_ARENA_MAX, ARENAS);
}
