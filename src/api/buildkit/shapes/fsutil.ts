/** Messages of moby.filesync.v1.FileSync and FileSend: github.com/tonistiigi/fsutil, types/wire.proto and stat.proto. */
import { bigInteger, bytes, bytesMap, integer, message, nested, string, type ValueOf } from '../../../lib/protobuf.ts';
import type { ClientEntry } from '../../backend/build.ts';

/** What a packet says: `stat` the next entry (without one: there are no more), `request` send the content of an entry, ... */
export const PacketType = { stat: 0, request: 1, data: 2, finish: 3, error: 4 } as const;

export const Stat = message({
  path: string(1),
  /** As Go's os.FileMode. */
  mode: integer(2),
  uid: integer(3),
  gid: integer(4),
  size: integer(5),
  /** Nanoseconds since 1970. */
  modified: bigInteger(6),
  link: string(7),
  major: integer(8),
  minor: integer(9),
  xattrs: bytesMap(10),
});

export const Packet = message({
  type: integer(1),
  stat: nested(Stat, 2),
  /** Number of the entry in the list. */
  id: integer(3),
  data: bytes(4),
});

/** A piece of a stream of bytes, in many services. */
export const BytesMessage = message({ data: bytes(1) });

/** Bits of os.FileMode: https://pkg.go.dev/io/fs#FileMode */
const DIRECTORY = 2 ** 31;
const SYMLINK = 2 ** 27;
const DEVICE = 2 ** 26;
const FIFO = 2 ** 25;
const SOCKET = 2 ** 24;
const IRREGULAR = 2 ** 19;
/** Each with its bit in a Unix mode. */
const SPECIAL = [
  [2 ** 23, 0o4000],
  [2 ** 22, 0o2000],
  [2 ** 20, 0o1000],
] as const;

const KINDS = {
  file: 0,
  directory: DIRECTORY,
  symlink: SYMLINK,
  fifo: FIFO,
  block: DEVICE,
  char: DEVICE + 2 ** 21,
} as const;

/** An entry as the client wrote it. */
export function entryOf({ path, mode, size, modified, link, xattrs }: ValueOf<typeof Stat>): ClientEntry {
  return { path, type: typeOf(mode), mode: unixMode(mode), size, modified, link, xattrs };
}

/** The mode of a file as Go has it. */
export function goMode(type: keyof typeof KINDS, mode: number): number {
  const kind = KINDS[type];
  return SPECIAL.reduce((sum, [bit, unix]) => sum + ((mode & unix) === 0 ? 0 : bit), kind + (mode & 0o777));
}

function typeOf(mode: number): ClientEntry['type'] {
  const has = (bit: number) => Math.floor(mode / bit) % 2 === 1;
  if (has(DIRECTORY)) return 'directory';
  if (has(SYMLINK)) return 'symlink';
  if (has(DEVICE)) return 'device';
  if (has(FIFO)) return 'fifo';
  if (has(SOCKET)) return 'socket';
  return has(IRREGULAR) ? 'other' : 'file';
}

function unixMode(mode: number): number {
  return SPECIAL.reduce((sum, [bit, unix]) => sum + (Math.floor(mode / bit) % 2) * unix, mode & 0o777);
}
