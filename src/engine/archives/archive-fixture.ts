/** For tests: a host's part that saves and loads, layers and tars made in memory. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { WorkerPool } from '../../lib/worker-pool.ts';
import { digestOf, hexOf, type ImageId } from '../../oci/digest.ts';
import { encodeConfig, type ImageConfig, type StoredConfig } from '../../oci/image-config.ts';
import { Snapshots } from '../../snapshot/snapshots.ts';
import { checkStore } from '../../store/check.ts';
import type { Store } from '../../store/open-store.ts';
import { gather, openTestStore } from '../../store/test-store.ts';
import type { EntryHeader } from '../../tar/layer-entry.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import type { FileOffer } from '../../wire/file-offer.ts';
import type { EventSubject } from '../event-log.ts';
import { Archives } from './archives.ts';
import type { LoadRequest } from './load-archive.ts';

export const NO_ROOT = process.getuid?.() !== 0 && 'needs root: layers have owners and devices';

export interface ArchiveHost extends AsyncDisposable {
  readonly store: Store;
  readonly archives: Archives;
  readonly events: EventSubject[];
  /** Loads an archive; returns the texts that Docker's clients print. */
  load(archive: Uint8Array | Readable): Promise<string[]>;
  /** The same from a file that the client offers. */
  loadFile(archive: Uint8Array): Promise<string[]>;
  save(...names: string[]): Promise<Buffer>;
  /** The same into a file that the client offers. */
  saveFile(...names: string[]): Promise<Buffer>;
  /** What a check of the store finds. */
  problems(): Promise<string[]>;
}

export async function startArchiveHost(): Promise<ArchiveHost> {
  const store = await openTestStore();
  const pool = new WorkerPool(new URL('../../snapshot/layer-tasks.test-worker.ts', import.meta.url), 1);
  const snapshots = new Snapshots({
    layers: store.layers,
    active: join(store.root, 'active'),
    pool,
    trash: store.trash,
  });
  const events: EventSubject[] = [];
  const archives = new Archives({
    store,
    emit: (event) => events.push(event),
    receiveLayer: snapshots.receive.bind(snapshots),
    compressLayer: snapshots.compress.bind(snapshots),
    packLayer: snapshots.pack.bind(snapshots),
    packInto: snapshots.packInto.bind(snapshots),
    packTree: snapshots.packTree.bind(snapshots),
  });
  const signal = new AbortController().signal;
  const file = join(store.root, 'archive.tar');
  const load = async (source: LoadRequest['source']) => {
    const lines: string[] = [];
    const emit = async ({ stream }: { stream?: string }) => void (stream !== undefined && lines.push(stream));
    await archives.load({ source, quiet: true, emit, signal });
    return lines;
  };
  return {
    store,
    archives,
    events,
    load(archive) {
      const body = archive instanceof Readable ? archive : Readable.from(pieces(archive), { objectMode: false });
      return load({ kind: 'tar', body });
    },
    loadFile(archive) {
      writeFileSync(file, archive);
      return load({ kind: 'file', offer: offerOf(file) });
    },
    save: async (...names) => Buffer.concat(await gather(await archives.save(names, { signal }))),
    async saveFile(...names) {
      writeFileSync(file, '');
      await archives.saveTo(offerOf(file), names, { signal });
      return readFileSync(file);
    },
    problems: async () => (await gather(checkStore(store, { signal }))).map((problem) => problem.message),
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** What a client says of a file. */
export function offerOf(path: string): FileOffer {
  const { dev, ino } = statSync(path, { bigint: true });
  return { path, device: `${dev}`, inode: `${ino}` };
}

/** A file's content, a link's target after `-> `, or undefined for a folder. */
export type TarFiles = Readonly<Record<string, string | Uint8Array | undefined>>;

/** A tar with these files in this order. */
export function tarOf(files: TarFiles | readonly (readonly [string, string | Uint8Array | undefined])[]): Buffer {
  const out: Buffer[] = [];
  const writer = new TarWriter((bytes) => out.push(Buffer.from(bytes)));
  for (const [path, content] of Array.isArray(files) ? files : Object.entries(files)) {
    const base: EntryHeader = { path, type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 1, mtimeNsec: 0 };
    if (content === undefined) writer.begin({ ...base, type: 'directory', mode: 0o755 });
    else if (typeof content === 'string' && content.startsWith('-> '))
      writer.begin({ ...base, type: 'symlink', linkTarget: content.slice(3) });
    else {
      const bytes = Buffer.from(content);
      writer.begin({ ...base, size: bytes.length });
      writer.data(bytes);
    }
  }
  writer.end();
  return Buffer.concat(out);
}

/** A config whose layers are these tars; one history entry for each, after those of `parent`. */
export function configOf(layers: readonly Uint8Array[], more: Partial<ImageConfig> = {}): StoredConfig {
  return encodeConfig({
    architecture: 'amd64',
    os: 'linux',
    created: '2026-01-02T03:04:05.678901234Z',
    history: layers.map((_, index) => ({ created: '2026-01-02T03:04:05Z', created_by: `step ${index}` })),
    ...more,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => digestOf(layer) as never) },
  });
}

export interface ArchiveImage {
  readonly config: StoredConfig;
  readonly layers: readonly Uint8Array[];
  readonly tags?: readonly string[] | null;
  readonly parent?: ImageId;
}

/** The files of a docker archive as Docker 20.10 writes it, in the order of their names. */
export function dockerArchive(images: readonly ArchiveImage[]): Record<string, string | Uint8Array> {
  const files: Record<string, string | Uint8Array> = {};
  const folder = (layer: Uint8Array) => hexOf(digestOf(`folder of ${digestOf(layer)}`));
  for (const { config, layers } of images) {
    files[`${hexOf(config.id)}.json`] = config.bytes;
    for (const layer of layers) {
      files[`${folder(layer)}/VERSION`] = '1.0';
      files[`${folder(layer)}/json`] = JSON.stringify({ id: folder(layer) });
      files[`${folder(layer)}/layer.tar`] = layer;
    }
  }
  files['manifest.json'] = JSON.stringify(
    images.map(({ config, layers, tags = null, parent }) => ({
      Config: `${hexOf(config.id)}.json`,
      RepoTags: tags,
      Layers: layers.map((layer) => `${folder(layer)}/layer.tar`),
      ...(parent === undefined ? {} : { Parent: parent }),
    })),
  );
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Blobs and index of an OCI layout. `compress` makes the blob of a layer. */
export function ociLayout(
  images: readonly (ArchiveImage & { readonly annotations?: Readonly<Record<string, string>> })[],
  compress: (layer: Uint8Array) => Uint8Array = (layer) => layer,
): Record<string, string | Uint8Array> {
  const blobs: [string, Uint8Array][] = [];
  const blob = (mediaType: string, bytes: Uint8Array) => {
    blobs.push([`blobs/sha256/${hexOf(digestOf(bytes))}`, bytes]);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const vnd = 'application/vnd.oci.image';
  const manifests = images.map(({ config, layers, annotations }) => {
    const manifest = {
      schemaVersion: 2,
      mediaType: `${vnd}.manifest.v1+json`,
      config: blob(`${vnd}.config.v1+json`, config.bytes),
      layers: layers.map((layer) => blob(`${vnd}.layer.v1.tar`, compress(layer))),
    };
    return { ...blob(`${vnd}.manifest.v1+json`, Buffer.from(JSON.stringify(manifest))), annotations };
  });
  blobs.sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    ...Object.fromEntries(blobs),
    'index.json': JSON.stringify({ schemaVersion: 2, manifests }),
  };
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}
