import type { Readable } from 'node:stream';
import type { StepCache } from '../../build/needs.ts';
import { Failure } from '../../lib/error.ts';
import { type DiffId, parseDiffId } from '../../oci/digest.ts';
import { collect } from '../../store/collect.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Store } from '../../store/open-store.ts';
import type { TarEntry } from '../../tar/tar-reader.ts';
import {
  CACHE_DOCUMENT_ENTRY,
  CACHE_LAYERS_FOLDER,
  type CacheDocument,
  type CacheImported,
} from '../../wire/cache-transfer.ts';
import { bytesOfStream } from '../archives/archive-bytes.ts';
import { ArchiveReader } from '../archives/archive-reader.ts';
import { DOCUMENT_LIMIT, parseDocument } from './cache-document.ts';
import { putRecords } from './put-records.ts';

export interface ImportNeeds {
  readonly store: Store;
  readonly steps: StepCache;
  /** Unpacks a layer in any compression; `data-loss` when it is not what `expect` says. */
  readonly receiveLayer: (
    source: AsyncIterable<Uint8Array>,
    options: { readonly signal: AbortSignal; readonly expect: DiffId },
  ) => Promise<LayerRecord>;
}

/**
 * Takes a build cache in: a tar whose first entry is the document, followed by those of its layers that the store may lack.
 * A layer must be what its name says. When anything is wrong, nothing is kept.
 */
export async function importCache(needs: ImportNeeds, body: Readable, signal: AbortSignal): Promise<CacheImported> {
  const { store } = needs;
  try {
    using _kept = store.leases.begin();
    await using archive = new ArchiveReader(bytesOfStream(body, signal));
    const document = await receiveDocument(archive, await archive.next());
    const named = new Set(document.records.map(({ layer }) => layer));
    let layers = 0;
    for (let entry = await archive.next(); entry; entry = await archive.next()) {
      const diffId = layerOf(entry);
      if (!named.has(diffId)) throw invalid(`no record has the layer ${entry.path}`);
      if (store.layers.byDiffId(diffId)) continue;
      await needs.receiveLayer(archive.content(), { signal, expect: diffId });
      layers++;
    }
    return { Records: putRecords(store, needs.steps, document), Layers: layers };
  } finally {
    collect(store); // layers without a record
  }
}

async function receiveDocument(archive: ArchiveReader, entry: TarEntry | undefined): Promise<CacheDocument> {
  if (entry?.path !== CACHE_DOCUMENT_ENTRY || entry.type !== 'file')
    throw invalid(`the first entry must be ${CACHE_DOCUMENT_ENTRY}`);
  if (entry.size > DOCUMENT_LIMIT) throw invalid(`the document is over ${DOCUMENT_LIMIT} bytes`);
  const bytes = Buffer.alloc(entry.size);
  let fill = 0;
  for await (const chunk of archive.content()) fill += chunk.copy(bytes, fill);
  return parseDocument(bytes, CACHE_DOCUMENT_ENTRY);
}

function layerOf({ path, type }: TarEntry): DiffId {
  if (type !== 'file' || !path.startsWith(CACHE_LAYERS_FOLDER)) throw invalid(`"${path}" is no layer`);
  return parseDiffId(`sha256:${path.slice(CACHE_LAYERS_FOLDER.length)}`);
}

const invalid = (message: string): Failure => new Failure('invalid', 'CACHE_INVALID', `build cache: ${message}`);
