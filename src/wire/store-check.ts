/**
 * GET /strake/check (look) and POST /strake/check (look and repair), Strake's own: JSON objects, one a line. One row for
 * each problem, and the summary at the end.
 */
export interface StoreProblemRow {
  /** Stable name: `LAYER_DAMAGED`. */
  Code: string;
  /** Digest, ID or name of what is wrong. */
  Subject: string;
  Message: string;
  /** `possible` is what a repair would do; `none` when only a person can: build, load or pull again. */
  Repair: 'done' | 'possible' | 'none';
}

export interface StoreCheckSummary {
  Images: number;
  Layers: number;
  Blobs: number;
  Problems: number;
  Repaired: number;
}

export type StoreCheckLine = StoreProblemRow | StoreCheckSummary;
