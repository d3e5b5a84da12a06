/** google.rpc.Status, in which gRPC carries typed details of an error. */
import { bytes, integer, message, nestedList, string } from '../../../lib/protobuf.ts';

const any = message({ typeUrl: string(1), value: bytes(2) });
export const rpcStatus = message({ code: integer(1), message: string(2), details: nestedList(any, 3) });

/** The place in a file that an error is about. BuildKit's typed details are JSON. */
export const SOURCE_TYPE = 'github.com/moby/buildkit/errdefs.Source+json';
