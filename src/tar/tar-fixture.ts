import { BLOCK, checksumOf } from './header-block.ts';

/** For tests: fields of a header block, which may be as wrong as the test wants. */
export interface RawHeader {
  readonly name: string | Buffer;
  readonly flag?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly size?: number | Buffer;
  readonly device?: readonly [major: number, minor: number];
  readonly content?: string | Buffer;
}

/** For tests: an archive of such entries, with its end. */
export function rawTar(...headers: RawHeader[]): Buffer {
  return Buffer.concat([...headers.map(rawEntry), Buffer.alloc(2 * BLOCK)]);
}

/** For tests: an entry as the oldest tools and Go's would write it, nothing checked. */
export function rawEntry(header: RawHeader): Buffer {
  const content = Buffer.from(header.content ?? '');
  const block = Buffer.alloc(BLOCK);
  Buffer.from(header.name).copy(block, 0, 0, 100);
  block.write(octal(header.mode ?? 0o644, 7), 100, 'latin1');
  block.write(octal(header.uid ?? 0, 7), 108, 'latin1');
  block.write(octal(header.gid ?? 0, 7), 116, 'latin1');
  const size = header.size ?? content.length;
  if (typeof size === 'number') block.write(octal(size, 11), 124, 'latin1');
  else size.copy(block, 124);
  block.write(octal(header.mtime ?? 1_700_000_000, 11), 136, 'latin1');
  block.write(header.flag ?? '0', 156, 'latin1');
  block.write(header.link ?? '', 157, 100, 'utf8');
  block.write('ustar\x0000', 257, 'latin1');
  if (header.device) {
    block.write(octal(header.device[0], 7), 329, 'latin1');
    block.write(octal(header.device[1], 7), 337, 'latin1');
  }
  block.write(`${octal(checksumOf(block, 0), 6)}\0 `, 148, 'latin1');
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
  return Buffer.concat([block, content, padding]);
}

/** For tests: an extended header with these records. */
export function paxEntry(records: Readonly<Record<string, string | Buffer>>, flag: 'x' | 'g' = 'x'): Buffer {
  const lines = Object.entries(records).map(([keyword, value]) => {
    const rest = Buffer.concat([Buffer.from(` ${keyword}=`), Buffer.from(value), Buffer.from('\n')]);
    const digits = [1, 2, 3, 4, 5, 6, 7].find((count) => String(rest.length + count).length === count) ?? 0;
    return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
  });
  return rawEntry({ name: 'PaxHeaders/x', flag, content: Buffer.concat(lines) });
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
