import { lstatSync, readdirSync } from 'node:fs';
import { TarWriter } from '../../tar/tar-writer.ts';
import { addFile, specialEntry } from '../build/context-tar.ts';

/**
 * The tar of a file or folder of this machine, under the name `base`: owners, modes and times as they are; sockets are left
 * out. Files are read while the tar flows.
 */
export async function* localTar(path: string, base: string): AsyncGenerator<Buffer> {
  const ready: Buffer[] = [];
  const writer = new TarWriter((bytes) => ready.push(Buffer.from(bytes)));
  for (const _ of addEntries(writer, path.replace(/(?<=.)\/\.?$/, ''), base)) yield* ready.splice(0);
  writer.end();
  yield* ready;
}

/** Yields after every piece of content. */
function* addEntries(writer: TarWriter, full: string, name: string): Generator<void> {
  const stat = lstatSync(full);
  const header = {
    path: name === '.' ? '' : name,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: 0,
    mtime: Math.floor(stat.mtimeMs / 1000),
    mtimeNsec: 0,
  };
  if (stat.isFile()) {
    yield* addFile(writer, header, full);
    return;
  }
  const special = specialEntry(stat, full);
  if (special) writer.begin({ ...header, ...special });
  if (!stat.isDirectory()) return;
  for (const child of readdirSync(full).sort())
    yield* addEntries(writer, full === '/' ? `/${child}` : `${full}/${child}`, `${name}/${child}`);
}
