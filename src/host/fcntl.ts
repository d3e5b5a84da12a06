import { bind } from './libc.ts';

/** fcntl(2) for the commands that take a number. Returns -1 when the kernel refuses. */
export const fcntl = bind<(fd: number, command: number, value: number) => number>(
  'int fcntl(int fd, int command, int64_t value)',
);
