/**
 * What BuildKit tells about a running build: moby.buildkit.v1.StatusResponse and what is in it.
 * https://github.com/moby/buildkit/blob/master/api/services/control/control.proto
 */
import {
  bigInteger,
  bool,
  byteStrings,
  bytes,
  integer,
  message,
  nested,
  nestedList,
  string,
  strings,
  type ValueOf,
} from '../../../lib/protobuf.ts';

export const timestamp = message({ seconds: bigInteger(1), nanos: integer(2) });
export type Timestamp = ValueOf<typeof timestamp>;

/** Lines and characters count from 1 and 0. */
const position = message({ line: integer(1), character: integer(2) });
export const range = message({ start: nested(position, 1), end: nested(position, 2) });
export type Range = ValueOf<typeof range>;

export const sourceInfo = message({ filename: string(1), data: bytes(2), language: string(4) });

const vertex = message({
  digest: string(1),
  inputs: strings(2),
  name: string(3),
  cached: bool(4),
  started: nested(timestamp, 5),
  completed: nested(timestamp, 6),
  error: string(7),
});
export type Vertex = ValueOf<typeof vertex>;

const vertexStatus = message({
  id: string(1),
  vertex: string(2),
  name: string(3),
  current: integer(4),
  total: integer(5),
  timestamp: nested(timestamp, 6),
  started: nested(timestamp, 7),
  completed: nested(timestamp, 8),
});
export type VertexStatus = ValueOf<typeof vertexStatus>;

/** Streams are numbered as descriptors are: 1 and 2. */
const vertexLog = message({ vertex: string(1), timestamp: nested(timestamp, 2), stream: integer(3), msg: bytes(4) });

const vertexWarning = message({
  vertex: string(1),
  level: integer(2),
  short: bytes(3),
  detail: byteStrings(4),
  url: string(5),
  info: nested(sourceInfo, 6),
  ranges: nestedList(range, 7),
});
export type VertexWarning = ValueOf<typeof vertexWarning>;

export const statusResponse = message({
  vertexes: nestedList(vertex, 1),
  statuses: nestedList(vertexStatus, 2),
  logs: nestedList(vertexLog, 3),
  warnings: nestedList(vertexWarning, 4),
});
/** What is new since the last one. A vertex is told whole each time. */
export type StatusResponse = ValueOf<typeof statusResponse>;
