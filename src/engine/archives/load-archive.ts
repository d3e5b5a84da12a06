import type { Readable } from 'node:stream';
import { Failure } from '../../lib/error.ts';
import { Scope } from '../../lib/scope.ts';
import type { ImageId } from '../../oci/digest.ts';
import { familiarReference } from '../../oci/reference.ts';
import { collect } from '../../store/collect.ts';
import type { Store } from '../../store/open-store.ts';
import type { FileOffer } from '../../wire/file-offer.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { openOffered } from '../offered-file.ts';
import { type ArchiveBytes, bytesOfFile, bytesOfStream } from './archive-bytes.ts';
import type { ArchiveContents } from './archive-contents.ts';
import { DOCKER_MANIFEST, OCI_INDEX } from './archive-paths.ts';
import type { ArchivedImage } from './archived-image.ts';
import type { ArchiveNeeds } from './archives.ts';
import { readDockerManifest } from './docker-manifest.ts';
import { readOciLayout } from './oci-layout.ts';
import { isStepOf } from './parent-link.ts';
import { receiveArchive } from './receive-archive.ts';

export interface LoadRequest {
  readonly source:
    | { readonly kind: 'tar'; readonly body: Readable }
    | { readonly kind: 'file'; readonly offer: FileOffer };
  /** Without lines about layers. */
  readonly quiet: boolean;
  readonly emit: (line: ProgressLine) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * POST /images/load: all images of an archive with their names, or, when anything is wrong with one of them, none. Configs
 * keep their bytes, so images keep their IDs.
 */
export async function loadArchive(needs: ArchiveNeeds, request: LoadRequest): Promise<void> {
  const { store } = needs;
  try {
    using lease = store.leases.begin();
    await using scope = new Scope();
    const contents = await receiveArchive({
      bytes: await openBytes(request, scope),
      signal: request.signal,
      store,
      receiveLayer: needs.receiveLayer,
      lease,
      emit: request.quiet ? undefined : request.emit,
    });
    const images = readImages(contents);
    checkNames(images);
    for (const text of putImages(store, images)) await request.emit({ stream: text });
    for (const { config } of images)
      needs.emit({ type: 'image', action: 'load', id: config.id, attributes: { name: config.id } });
  } finally {
    // Layers that no image of the archive has, or that were there before under another name.
    collect(store);
  }
}

async function openBytes({ source, signal }: LoadRequest, scope: Scope): Promise<ArchiveBytes> {
  if (source.kind === 'tar') return bytesOfStream(source.body, signal);
  return bytesOfFile(scope.use(await openOffered(source.offer, 'read')), signal);
}

function readImages(contents: ArchiveContents): ArchivedImage[] {
  if (contents.has(DOCKER_MANIFEST)) return readDockerManifest(contents);
  if (contents.has(OCI_INDEX)) return readOciLayout(contents);
  throw new Failure('invalid', 'ARCHIVE_KIND', `invalid archive: does not contain a ${DOCKER_MANIFEST}`, {
    hint: 'an archive of "save" or an OCI layout is needed; a tar of files is for "import"',
  });
}

function checkNames(images: readonly ArchivedImage[]): void {
  const holders = new Map<string, ImageId>();
  for (const { names, config } of images)
    for (const name of names.map(familiarReference)) {
      if ((holders.get(name) ?? config.id) !== config.id)
        throw new Failure('invalid', 'ARCHIVE_NAMES', `the archive gives the name "${name}" to two images`);
      holders.set(name, config.id);
    }
}

/** Records all images at once; returns what Docker says about each. */
function putImages(store: Store, images: readonly ArchivedImage[]): string[] {
  const byId = new Map(images.map((image) => [image.config.id, image]));
  return store.transaction(() => {
    for (const { config } of images) store.images.put({ config });
    for (const { config, parent } of images) {
      const above = parent === undefined ? undefined : byId.get(parent);
      if (!above) continue;
      if (!isStepOf(config.config, above.config.config))
        throw new Failure('invalid', 'ARCHIVE_PARENT', `image ${parent} is not a valid parent for ${config.id}`);
      store.images.put({ config, parent });
    }
    return images.flatMap(({ config, names }) =>
      names.length === 0
        ? [`Loaded image ID: ${config.id}\n`]
        : names.flatMap((name) => {
            const previous = store.images.names.tag(name, config.id);
            const shown = familiarReference(name);
            return [
              ...(previous
                ? [`The image ${shown} already exists, renaming the old one with ID ${previous} to empty string\n`]
                : []),
              `Loaded image: ${shown}\n`,
            ];
          }),
    );
  });
}
