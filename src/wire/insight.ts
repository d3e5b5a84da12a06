/**
 * What Strake's own routes under /strake/images answer. Lists come as JSON objects, one a line. Paths are absolute paths
 * inside the image, sizes are bytes of content as `images` counts them.
 */

/** The instruction that made a layer. */
export interface StepShape {
  /** Place in the image's history, from 1 for the oldest entry. */
  Number: number;
  /** As the history has it; empty when it does not say. */
  CreatedBy: string;
  /** Diff ID of the layer. */
  Layer: string;
}

/** One of the list in GET /strake/images/{name}/layers, bottom first. */
export interface LayerRow extends StepShape {
  Size: number;
}

export type FileType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

/** One row of GET /strake/images/{name}/files and of GET /strake/images/find. */
export interface FileRow {
  Path: string;
  Type: FileType;
  /** Permission bits. */
  Mode: number;
  Uid: number;
  Gid: number;
  Size: number;
  /** Unix seconds. */
  Modified: number;
  /** Text of a symlink, path of the file that a hard link shares. */
  Link?: string;
  /** Of a file's content. */
  Digest?: string;
  /** Of a listed directory: bytes of all that it shows; further names of a file count nothing. */
  Total?: number;
  /** Of a device. */
  Device?: [major: number, minor: number];
  Step: StepShape;
}

/** One row of GET /strake/images/find. */
export interface FoundRow extends FileRow {
  /** Image ID. */
  Image: string;
  Names: string[];
}

/** One row of GET /strake/images/{name}/diff. */
export interface DiffRow {
  Kind: 'added' | 'changed' | 'removed';
  Path: string;
  Type: FileType;
  /** In what the two differ: type, content, link, device, mode, owner, xattrs, time. */
  Changes?: string[];
  /** Absent where there was nothing. */
  SizeBefore?: number;
  SizeAfter?: number;
  /** The step that made the difference. */
  Step: StepShape;
  /** Whether it is a step of the first or of the second image. */
  StepOf: 'first' | 'second';
}

/** The last row of GET /strake/images/{name}/diff. */
export interface DiffSummary {
  Added: number;
  Changed: number;
  Removed: number;
  /** Bytes that the second image shows, less those of the first. */
  Bytes: number;
  /** Entries that differ in their time alone; they have no row. */
  TimeOnly: number;
}

export type DiffLine = DiffRow | DiffSummary;

/** One row of GET /strake/images/{name}/blame, oldest first. */
export interface BlameRow {
  /** `repeated` is a file stored again as it was; `shadowed` went with a directory above it. */
  Kind: 'added' | 'changed' | 'repeated' | 'deleted' | 'shadowed';
  /** Where the path leads once the symlinks before its last name are followed. */
  Path: string;
  Step: StepShape;
  Changes?: string[];
  Before?: EntryState;
  After?: EntryState;
  /** The directory whose deletion or replacement took a `shadowed` path away. */
  By?: string;
}

/** One row of GET /strake/images/{name}/changes: what the layer of one step did to an entry of a folder. */
export interface ChangeRow extends Omit<BlameRow, 'Kind' | 'Step'> {
  /** `inside` is a directory that the layer left as it was, but not what is below it. */
  Kind: BlameRow['Kind'] | 'inside';
  /** Bytes that the layer stored at the path and below it. */
  Stored: number;
  /** Bytes of lower layers that it hid there. */
  Hidden: number;
}

export interface EntryState {
  Type: FileType;
  Mode: number;
  Uid: number;
  Gid: number;
  Size: number;
  Digest?: string;
  Link?: string;
}

/** Why bytes are of no use: `attributes` are files stored again for another mode, owner or time. */
export type WasteKind = 'deleted' | 'moved' | 'replaced' | 'attributes' | 'repeated';

/** Bytes that one step stored and another hid or repeated; largest first. */
export interface WasteGroup {
  Kind: WasteKind;
  Bytes: number;
  Files: number;
  /** The step whose layer holds the bytes that are of no use. */
  Stored: StepShape;
  /** The step that hid them; for `repeated` the one that had the content first. */
  By: StepShape;
  /** Largest files first, at most five. */
  Examples: string[];
  /** The edit that would save the bytes. */
  Advice: string;
}

/** GET /strake/images/{name}/waste */
export interface WasteReport {
  /** Bytes of all layers. */
  Total: number;
  Wasted: number;
  /** Share of the bytes that are of use, 0 to 1. */
  Efficiency: number;
  Groups: WasteGroup[];
}

/** One layer on top of another, in GET /strake/images/tree. */
export interface LayerNode {
  Chain: string;
  /** Chain of the layers below; empty at the bottom. */
  Parent: string;
  Layer: string;
  Size: number;
  CreatedBy: string;
}

/** An image in GET /strake/images/tree. */
export interface ImageNode {
  Id: string;
  Names: string[];
  /** Chain of its layers; empty for an image without layers. */
  Chain: string;
  Size: number;
  /** Unix seconds. */
  Created: number;
}

/** GET /strake/images/tree: images with names or without children, and the layers that they stand on. */
export interface ImageTree {
  Layers: LayerNode[];
  Images: ImageNode[];
}

/** The answer of POST /strake/images/{name}/flatten, squash and rebase. */
export interface RewrittenImage {
  Id: string;
  /** Things that a person should look at. */
  Warnings: string[];
}
