/** Shapes of the Docker Engine API for images. https://docs.docker.com/reference/api/engine/ */
import type { ContainerConfig } from './container.ts';

/** One row of GET /images/json */
export interface ImageSummary {
  Id: string;
  ParentId: string;
  RepoTags: string[];
  RepoDigests: string[];
  /** Unix seconds. */
  Created: number;
  Size: number;
  SharedSize: number;
  VirtualSize?: number;
  Labels: Record<string, string> | null;
  Containers: number;
  /** Only when they were asked for. */
  Manifests?: ManifestSummary[];
}

/** A manifest of an image in GET /images/json with `manifests`. Sizes in bytes. */
export interface ManifestSummary {
  ID: string;
  Descriptor: { mediaType: string; digest: string; size: number };
  Available: boolean;
  Kind: 'image';
  /** `Content` are the blobs as they are shipped, `Total` also the unpacked layers. */
  Size: { Content: number; Total: number };
  ImageData: {
    Platform: { architecture: string; os: string; variant?: string };
    /** IDs */
    Containers: string[];
    Size: { Unpacked: number };
  };
}

/** GET /images/{name}/json */
export interface ImageInspect {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
  Parent: string;
  Comment: string;
  Created: string;
  Container?: string;
  ContainerConfig?: ContainerConfig;
  DockerVersion: string;
  Author: string;
  Config: ContainerConfig;
  Architecture: string;
  Variant?: string;
  Os: string;
  Size: number;
  VirtualSize?: number;
  GraphDriver: { Name: string; Data: Record<string, string> };
  RootFS: { Type: 'layers'; Layers?: string[] };
  Metadata: { LastTagTime: string };
}

/** One row of GET /images/{name}/history, newest first. */
export interface HistoryRow {
  /** Image ID of the step, or `<missing>`. */
  Id: string;
  /** Unix seconds. */
  Created: number;
  CreatedBy: string;
  Tags: string[] | null;
  Size: number;
  Comment: string;
}

/** One row of the answer of DELETE /images/{name} and of prune. */
export type DeletedRow = { Untagged: string } | { Deleted: string };

export interface ImagesPruned {
  ImagesDeleted: DeletedRow[] | null;
  SpaceReclaimed: number;
}
