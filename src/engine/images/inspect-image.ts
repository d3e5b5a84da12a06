import { familiarReference } from '../../oci/reference.ts';
import type { ImageInspect } from '../../wire/image.ts';
import type { ImageNeeds } from './image-needs.ts';
import { shownTime } from './times.ts';

/** GET /images/{name}/json. Throws `not-found` IMAGE_NOT_FOUND. */
export function inspectImage({ store }: ImageNeeds, name: string): ImageInspect {
  const image = store.images.resolve(name);
  const { config } = image;
  const layers = store.layers.chain(config.rootfs.diff_ids);
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  // Nearest first, as in the mount options; overlayfs stacks the top layer on all others.
  const [top, ...lower] = layers.map((layer) => `${store.layers.folder(layer.id)}/diff`).reverse();
  return {
    Id: image.id,
    RepoTags: store.images.names.of(image.id).map(familiarReference),
    RepoDigests: store.images.names.digestsOf(image.id).map(familiarReference),
    Parent: image.parent ?? '',
    Comment: text(config['comment']) || (config.history?.at(-1)?.comment ?? ''),
    Created: shownTime(config.created),
    Container: text(config['container']),
    DockerVersion: text(config['docker_version']),
    Author: config.author ?? '',
    Config: config.config ?? {},
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: image.size,
    GraphDriver: {
      Name: 'overlay2',
      Data: {
        ...(lower.length === 0 ? {} : { LowerDir: lower.join(':') }),
        ...(top === undefined ? {} : { UpperDir: top }),
      },
    },
    RootFS: { Type: 'layers', ...(layers.length === 0 ? {} : { Layers: [...config.rootfs.diff_ids] }) },
    Metadata: {
      LastTagTime: shownTime(image.lastTagTime === undefined ? undefined : new Date(image.lastTagTime).toISOString()),
    },
  };
}
