import { Readable } from 'node:stream';
import type { Platform } from '../../oci/platform.ts';
import type { ImageRecord } from '../../store/images.ts';
import { type TarEntry, TarReader } from '../../tar/tar-reader.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import { type SaveTreeNeeds, saveTree } from './save-tree.ts';

/** The file systems of images for several platforms as one tar, each in a folder `linux_arm64` of its own. */
export function saveTrees(
  needs: SaveTreeNeeds,
  images: readonly { readonly image: ImageRecord; readonly platform: Platform }[],
  signal: AbortSignal,
): Readable {
  const trees = images.map(({ image, platform }) => ({
    folder: [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined).join('_'),
    open: () => saveTree(needs, image, signal),
  }));
  async function* bytes(): AsyncGenerator<Buffer> {
    const ready: Buffer[] = [];
    const writer = new TarWriter((piece) => ready.push(piece), 'given');
    for (const { folder, open } of trees.toSorted((a, b) => (a.folder < b.folder ? -1 : 1))) {
      writer.begin({ ...FOLDER, path: folder });
      const reader = new TarReader(into(writer, folder));
      for await (const chunk of open()) {
        reader.push(chunk);
        yield* ready.splice(0);
      }
      reader.end();
    }
    writer.end();
    yield* ready;
  }
  return Readable.from(bytes(), { objectMode: false });
}

/** Writes entries into a folder of another tar. */
function into(writer: TarWriter, folder: string): ConstructorParameters<typeof TarReader>[0] {
  return {
    entry: ({ linkTarget, ...entry }: TarEntry) => {
      const path = entry.path.replace(/^\.\//, '').replace(/\/$/, '');
      if (path === '') return;
      const isHard = entry.type === 'hardlink' && linkTarget !== undefined;
      writer.begin({
        ...entry,
        path: `${folder}/${path}`,
        linkTarget: isHard ? `${folder}/${linkTarget}` : linkTarget,
      });
    },
    data: (bytes) => writer.data(bytes),
    hole: (length) => {
      for (let left = length; left > 0; left -= ZEROS.length) writer.data(ZEROS.subarray(0, left));
    },
    close() {},
    raw() {},
  };
}

const FOLDER = { type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNsec: 0 } as const;
const ZEROS = Buffer.alloc(64 << 10);
