import { DescriptorStream } from './descriptor-stream.ts';
import { bind, check } from './libc.ts';

const ioctl = bind<(fd: number, request: number, argument: Buffer) => number>(
  'int ioctl(int fd, uint64_t request, void *argument)',
);

const TIOCSWINSZ = 0x5414;

/**
 * The master side of a pseudo terminal. Reading ends when the last program has closed the terminal. libuv's own terminal
 * handles can block the event loop on a master.
 */
export class Terminal extends DescriptorStream {
  /** Tells the programs of the terminal its size in characters. */
  resize(rows: number, columns: number): void {
    if (this.destroyed) return;
    const size = Buffer.alloc(8);
    size.writeUInt16LE(rows & 0xffff, 0);
    size.writeUInt16LE(columns & 0xffff, 2);
    check(ioctl(this.fd, TIOCSWINSZ, size), 'ioctl');
  }
}
