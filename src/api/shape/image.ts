/** Images as older API versions show them. https://docs.docker.com/reference/api/engine/version-history/ */
import type { ContainerConfig } from '../../wire/container.ts';
import type { ImageInspect, ImageSummary } from '../../wire/image.ts';

export type ImageSummaryShape = Omit<ImageSummary, 'RepoTags' | 'RepoDigests'> & {
  RepoTags: string[] | null;
  RepoDigests: string[] | null;
};

/** A row of the image list for a client of API 1.`version`. */
export function shapeImageSummary(image: ImageSummary, version: number): ImageSummaryShape {
  return {
    ...image,
    ...(version < 43 ? namesBefore43(image) : {}),
    ...(version < 44 ? { VirtualSize: image.Size } : {}),
    ...(version < 51 ? { Containers: -1 } : {}),
  };
}

/** Nameless images had a made-up name; an empty list beside a full one was null. */
function namesBefore43({ RepoTags, RepoDigests }: ImageSummary): Pick<ImageSummaryShape, 'RepoTags' | 'RepoDigests'> {
  if (RepoTags.length === 0 && RepoDigests.length === 0)
    return { RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] };
  return {
    RepoTags: RepoTags.length === 0 ? null : RepoTags,
    RepoDigests: RepoDigests.length === 0 ? null : RepoDigests,
  };
}

/** An image's config with all fields of a container, as it used to be. */
export type FullConfig = Omit<ContainerConfig, 'Env'> & { Env?: string[] | null };

export type ImageInspectShape = Omit<ImageInspect, 'Config' | 'ContainerConfig'> & {
  Config: FullConfig;
  ContainerConfig?: FullConfig;
};

const EMPTY_CONFIG: FullConfig = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null,
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/** An inspected image for a client of API 1.`version`. */
export function shapeImageInspect(image: ImageInspect, version: number): ImageInspectShape {
  const { Container, ContainerConfig: containerConfig, ...rest } = image;
  return {
    ...rest,
    ...(version < 45 ? { Container: Container ?? '', ContainerConfig: { ...EMPTY_CONFIG, ...containerConfig } } : {}),
    Config: version < 50 ? { ...EMPTY_CONFIG, ...image.Config } : image.Config,
    ...(version < 44 ? { VirtualSize: image.Size } : {}),
  };
}
