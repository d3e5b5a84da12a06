/** containerd.services.content.v1: https://github.com/containerd/containerd, api/services/content/v1/content.proto */
import { bytes, integer, message, nested, string } from '../../../lib/protobuf.ts';

export const infoRequest = message({ digest: string(1) });
export const infoResponse = message({ info: nested(message({ digest: string(1), size: integer(2) }), 1) });

export const readRequest = message({ digest: string(1), offset: integer(2), size: integer(3) });
export const readResponse = message({ offset: integer(1), data: bytes(2) });

export const WriteAction = { stat: 0, write: 1, commit: 2 } as const;
export const writeRequest = message({
  action: integer(1),
  ref: string(2),
  total: integer(3),
  expected: string(4),
  offset: integer(5),
  data: bytes(6),
});
export const writeResponse = message({ action: integer(1), offset: integer(4), total: integer(5), digest: string(6) });

export const abortRequest = message({ ref: string(1) });
