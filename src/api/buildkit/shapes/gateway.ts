/** moby.buildkit.v1.frontend.LLBBridge. https://github.com/moby/buildkit/blob/master/frontend/gateway/pb/gateway.proto */
import { bool, bytesMap, message, nested, nestedList, nestedMap, string, stringMap } from '../../../lib/protobuf.ts';
import { transferEntry } from './control.ts';
import { definition } from './definition.ts';
import { rpcStatus } from './rpc-status.ts';
import { capability, workerRecord } from './worker.ts';

export const pongResponse = message({
  frontendCapabilities: nestedList(capability, 1),
  graphCapabilities: nestedList(capability, 2),
  workers: nestedList(workerRecord, 3),
});

const resultRef = message({ id: string(1), definition: nested(definition, 2) });
const result = message({
  ref: nested(resultRef, 3),
  refs: nested(message({ refs: nestedMap(resultRef, 1) }), 4),
  metadata: bytesMap(10),
});

export const bridgeSolveRequest = message({
  definition: nested(definition, 1),
  frontend: string(2),
  frontendAttrs: stringMap(3),
  cacheImports: nestedList(transferEntry, 12),
  frontendInputs: nestedMap(definition, 13),
  evaluate: bool(14),
});
export const bridgeSolveResponse = message({ result: nested(result, 3) });

export const evaluateRequest = message({ ref: string(1) });

export const returnRequest = message({ result: nested(result, 1), error: nested(rpcStatus, 2) });
