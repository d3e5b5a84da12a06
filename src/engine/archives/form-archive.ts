import { Readable } from 'node:stream';
import type { Descriptor } from '../../oci/descriptor.ts';
import { configDigest, type DiffId, type Digest } from '../../oci/digest.ts';
import type { ImageForm } from '../../oci/image-form.ts';
import { MediaType } from '../../oci/media-type.ts';
import type { Platform } from '../../oci/platform.ts';
import { familiarReference, type Reference } from '../../oci/reference.ts';
import { type ImagePart, type WrittenImage, writeImage } from '../../oci/write-image.ts';
import type { ImageRecord } from '../../store/images.ts';
import type { LayerRecord } from '../../store/layers.ts';
import type { Lease } from '../../store/leases.ts';
import { TarWriter } from '../../tar/tar-writer.ts';
import { formOfLayer, type LayerBlobNeeds, makeLayerBlob } from '../transfer/layer-blob.ts';
import { type ArchiveForm, json, named } from './archive-documents.ts';
import { blobPath, DOCKER_MANIFEST, OCI_INDEX, OCI_LAYOUT } from './archive-paths.ts';
import type { SaveNeeds } from './save-archive.ts';

export interface FormArchiveNeeds extends SaveNeeds, LayerBlobNeeds {}

/** A layer as the blob that the archive has. */
interface ArchivedLayer {
  readonly layer: LayerRecord;
  readonly blob: Descriptor;
}

/** An image written down in the form that was asked for, with all that it needs; kept until it is disposed. */
export interface FormArchive extends Disposable {
  readonly image: WrittenImage;
  readonly parts: readonly ImagePart[];
  readonly layers: readonly ArchivedLayer[];
}

/** Makes what is not there yet: layers in other forms than as plain tars, which are taken from their trees. */
export async function prepareForm(
  needs: FormArchiveNeeds,
  images: readonly { readonly image: ImageRecord; readonly platform: Platform }[],
  {
    form,
    names,
    signal,
  }: { readonly form: ImageForm; readonly names: readonly Reference[]; readonly signal: AbortSignal },
): Promise<FormArchive> {
  const lease = needs.store.leases.begin();
  try {
    const layers = new Map<DiffId, ArchivedLayer>();
    const parts: ImagePart[] = [];
    for (const { image, platform } of images) {
      lease.keep({ diffIds: image.config.rootfs.diff_ids });
      const descriptors: Descriptor[] = [];
      for (const layer of needs.store.layers.chain(image.config.rootfs.diff_ids)) {
        const known = layers.get(layer.diffId);
        const blob = known?.blob ?? (await layerBlob(needs, layer, { form, lease, signal }));
        layers.set(layer.diffId, { layer, blob });
        descriptors.push(blob);
      }
      parts.push({ platform, config: { digest: configDigest(image.id), bytes: image.bytes }, layers: descriptors });
    }
    const image = writeImage(parts, form, names);
    return { image, parts, layers: [...layers.values()], [Symbol.dispose]: () => lease[Symbol.dispose]() };
  } catch (error) {
    lease[Symbol.dispose]();
    throw error;
  }
}

async function layerBlob(
  needs: FormArchiveNeeds,
  { diffId, tarSize }: LayerRecord,
  { form, lease, signal }: { readonly form: ImageForm; readonly lease: Lease; readonly signal: AbortSignal },
): Promise<Descriptor> {
  const { compression } = form;
  if (!compression || compression.type === 'uncompressed')
    return { mediaType: MediaType.ociLayer, digest: plainDigest(diffId), size: tarSize };
  const { content, shipped } = needs.store;
  const known = shipped
    .blobsOf(diffId)
    .find(({ mediaType, digest }) => formOfLayer(mediaType) === compression.type && content.has(digest));
  const { mediaType, digest, size } = known ?? (await makeLayerBlob(needs, diffId, { compression, signal }));
  lease.keep({ blobs: [digest] });
  return { mediaType, digest, size };
}

/** A tar of an OCI layout, as `docker` with the list that Docker reads; what says where things are comes first. */
export function saveForm(
  needs: FormArchiveNeeds,
  archive: FormArchive,
  {
    type,
    names,
    signal,
  }: { readonly type: ArchiveForm; readonly names: readonly Reference[]; readonly signal: AbortSignal },
): Readable {
  const stream = Readable.from(bytesOf(needs, archive, { type, names, signal }), { objectMode: false });
  stream.once('close', () => archive[Symbol.dispose]());
  return stream;
}

async function* bytesOf(
  { store, packLayer }: FormArchiveNeeds,
  { image, parts, layers }: FormArchive,
  {
    type,
    names,
    signal,
  }: { readonly type: ArchiveForm; readonly names: readonly Reference[]; readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const { top, manifests, blobs, annotations } = image;
  const ready: Buffer[] = [];
  const writer = new TarWriter((piece) => ready.push(Buffer.from(piece)));
  const begin = (path: string, size: number) => writer.begin({ ...HEADER, path, size });
  const document = (path: string, content: Uint8Array) => {
    begin(path, content.length);
    writer.data(content);
  };
  const descriptor = { mediaType: top.mediaType, digest: top.digest, size: top.size, annotations };
  document(OCI_LAYOUT, json({ imageLayoutVersion: '1.0.0' }));
  document(OCI_INDEX, json({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: named(descriptor, names) }));
  if (type === 'docker') document(DOCKER_MANIFEST, json(dockerManifest(parts, names)));
  const documents = new Map([top, ...manifests, ...blobs].map(({ digest, bytes }) => [digest, bytes]));
  for (const [digest, content] of documents) document(blobPath(digest), content);
  for (const { layer, blob } of layers) {
    begin(blobPath(blob.digest), blob.size);
    writer.leave(blob.size);
    yield* ready.splice(0);
    if (blob.digest === plainDigest(layer.diffId)) yield* packLayer(layer, { signal });
    else yield* store.content.open(blob.digest);
  }
  writer.end();
  yield* ready;
}

const dockerManifest = (parts: readonly ImagePart[], names: readonly Reference[]) =>
  parts.map(({ config, layers }) => ({
    Config: blobPath(config.digest),
    RepoTags: names.length === 0 ? null : names.map(familiarReference),
    Layers: layers.map(({ digest }) => blobPath(digest)),
  }));

/** Of a layer as a plain tar: its diff ID. */
const plainDigest = (diffId: DiffId): Digest => diffId as string as Digest;

const HEADER = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 } as const;
