import { closeSync, fchmodSync, readFileSync, writeSync } from 'node:fs';
import { fcntl } from './fcntl.ts';
import { bind, check } from './libc.ts';

const memfdCreate = bind<(name: string, flags: number) => number>('int memfd_create(const char *name, uint32_t flags)');
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** Nobody can change it any more, in any way: seal, shrink, grow, write. */
const ALL_SEALS = 0b1111;

/** Opens an empty file that has no name and lives in memory; the caller closes it. */
export function openMemoryFile(name: string): number {
  return check(memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), 'memfd_create');
}

/** Copies a program to memory, sealed: it can be executed as `/proc/<our process>/fd/<descriptor>`. */
export function copyProgram(path: string): number {
  const fd = openMemoryFile('program');
  try {
    const bytes = readFileSync(path);
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
    fchmodSync(fd, 0o700);
    check(fcntl(fd, F_ADD_SEALS, ALL_SEALS), 'fcntl');
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
