import type { StepCache } from '../../build/needs.ts';
import { Failure } from '../../lib/error.ts';
import { parseDiffId } from '../../oci/digest.ts';
import type { BlobSource } from '../../remote/blob-source.ts';
import { collect } from '../../store/collect.ts';
import { CACHE_CONFIG_TYPE } from '../../wire/cache-transfer.ts';
import type { TransferNeeds } from '../transfer/transfer-needs.ts';
import { DOCUMENT_LIMIT, layersOf, parseDocument } from './cache-document.ts';
import { putRecords } from './put-records.ts';

export interface TakeNeeds extends TransferNeeds {
  readonly steps: StepCache;
}

/** Takes over the build cache that a manifest is; false when it is something else. Layers that the store has are not fetched. */
export async function takeCache(
  needs: TakeNeeds,
  source: BlobSource,
  name: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<boolean> {
  const { store } = needs;
  try {
    using _kept = store.leases.begin();
    const manifest = await source.manifest(name, signal);
    if (manifest.kind !== 'manifest' || manifest.config.mediaType !== CACHE_CONFIG_TYPE) return false;
    const document = parseDocument(await source.readBlob(manifest.config, DOCUMENT_LIMIT, signal), `manifest ${name}`);
    const diffIds = layersOf(document);
    if (diffIds.length !== manifest.layers.length)
      throw new Failure('invalid', 'CACHE_INVALID', 'build cache: its manifest has other layers than its records');
    for (const [index, layer] of manifest.layers.entries()) {
      const expect = parseDiffId(diffIds[index] ?? '');
      if (!store.layers.byDiffId(expect)) await needs.receiveLayer(source.blob(layer, { signal }), { signal, expect });
    }
    putRecords(store, needs.steps, document);
    return true;
  } finally {
    collect(store); // layers without a record
  }
}
