import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EntryHeader } from '../../src/tar/layer-entry.ts';
import { TarWriter } from '../../src/tar/tar-writer.ts';

const ARCHIVES: Readonly<Record<string, readonly Pick<EntryHeader, 'path' | 'type' | 'linkTarget'>[]>> = {
  dotdot: [{ path: '../../x', type: 'file' }],
  absolute: [{ path: '/absolute', type: 'file' }],
  symlink: [
    { path: 's', type: 'symlink', linkTarget: '../../../../tmp' },
    { path: 's/evil', type: 'file' },
  ],
  'symlink-absolute': [
    { path: 's', type: 'symlink', linkTarget: '/tmp' },
    { path: 's/evil', type: 'file' },
  ],
  hardlink: [{ path: 'h', type: 'hardlink', linkTarget: '../../etc/passwd' }],
  'over-folder': [{ path: 'sub', type: 'file' }],
  'over-file': [{ path: 'f', type: 'directory' }],
};

/** Writes archives that try to leave the folder they are unpacked into, or to replace what they must not. */
export function writeHostileTars(folder: string): void {
  for (const [name, entries] of Object.entries(ARCHIVES)) {
    const pieces: Buffer[] = [];
    const writer = new TarWriter((bytes) => pieces.push(Buffer.from(bytes)));
    for (const entry of entries)
      writer.begin({ ...entry, mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNsec: 0 });
    writer.end();
    writeFileSync(join(folder, `${name}.tar`), Buffer.concat(pieces));
  }
}
