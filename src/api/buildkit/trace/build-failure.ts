import { Failure, isFailure, messageOf } from '../../../lib/error.ts';
import { CANCELLED, DetailedFailure, type GrpcStatus, UNKNOWN } from '../grpc/status.ts';
import { rpcStatus, SOURCE_TYPE } from '../shapes/rpc-status.ts';
import { placeIn, type ReadDockerfile } from './place.ts';
import { failureWords } from './words.ts';

/**
 * What stopped a build, in BuildKit's words, with the place in the Dockerfile for clients that draw it. `words` are those
 * for the step that failed, if one has. Its code says nothing of its kind: clients would write that before the message.
 */
export function buildFailure(
  error: unknown,
  { dockerfile, words }: { readonly dockerfile?: ReadDockerfile | undefined; readonly words?: string | undefined } = {},
): Failure {
  if (error instanceof DetailedFailure) return error;
  const failure = isFailure(error)
    ? error
    : new Failure('internal', 'BUILD_FAILED', messageOf(error), { cause: error });
  const { kind, code, source } = failure;
  const plain = { code: kind === 'cancelled' ? CANCELLED : UNKNOWN, message: wordsOf(failure, words) };
  const isPlaced = source && dockerfile && source.file === dockerfile.name;
  const status = isPlaced ? { ...plain, details: detailsOf(plain, placeIn(dockerfile, source)) } : plain;
  return new DetailedFailure(kind, code, { cause: error, status, ...(source ? { source } : {}) });
}

function detailsOf(status: GrpcStatus, { info, ranges }: ReturnType<typeof placeIn>): Uint8Array {
  const place = { info: { ...info, data: Buffer.from(info.data).toString('base64') }, ranges };
  const details = [{ typeUrl: SOURCE_TYPE, value: Buffer.from(JSON.stringify(place)) }];
  return rpcStatus.encode({ code: status.code, message: status.message, details });
}

/** The message, and the way out where there is one. What a failed RUN left is looked into with another command. */
function wordsOf({ message, code, hint }: Failure, words = failureWords(message)): string {
  return hint === undefined || code === 'RUN_FAILED' ? words : `${words} (${hint})`;
}
