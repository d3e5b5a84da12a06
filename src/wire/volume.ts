/** Shapes of the Docker Engine API for volumes. https://docs.docker.com/reference/api/engine/ */

/** Body of POST /volumes/create. Without a name the volume is anonymous. */
export interface VolumeCreateBody {
  Name?: string;
  Driver?: string;
  DriverOpts?: Record<string, string>;
  Labels?: Record<string, string>;
}

/** GET /volumes/{name}, and one row of GET /volumes */
export interface VolumeInspect {
  Name: string;
  Driver: string;
  Mountpoint: string;
  CreatedAt: string;
  Labels: Record<string, string> | null;
  Options: Record<string, string> | null;
  Scope: string;
  /** Bytes; -1 when not computed. In the answer of GET /system/df only. */
  UsageData?: { Size: number; RefCount: number };
}
