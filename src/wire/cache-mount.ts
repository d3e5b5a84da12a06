/** A cache mount of RUN steps, as Strake hosts tell of it (GET /strake/cache). */
export interface CacheMountRow {
  ID: string;
  /** What the Dockerfile calls it: its id, else its target. */
  Name: string;
  /** Where a step last saw it; empty when none has. */
  Target: string;
  Sharing: string;
  /** Bytes. */
  Size: number;
  InUse: boolean;
  /** RFC 3339. */
  CreatedAt: string;
  LastUsedAt: string;
  UsageCount: number;
}
