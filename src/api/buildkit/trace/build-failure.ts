import { Failure, isFailure, messageOf } from '../../../lib/error.ts';
import { DetailedFailure, statusOf } from '../grpc/status.ts';
import { rpcStatus, SOURCE_TYPE } from '../shapes/rpc-status.ts';
import { placeIn, type ReadDockerfile } from './place.ts';
import { failureWords } from './words.ts';

/**
 * What stopped a build, in BuildKit's words, with the place in the Dockerfile for clients that draw it. `words` are those
 * for the step that failed, if one has.
 */
export function buildFailure(
  error: unknown,
  { dockerfile, words }: { readonly dockerfile?: ReadDockerfile | undefined; readonly words?: string | undefined } = {},
): Failure {
  if (!isFailure(error)) return new Failure('internal', 'BUILD_FAILED', messageOf(error), { cause: error });
  const { kind, code, source } = error;
  const message = wordsOf(error, words);
  if (!source || !dockerfile || source.file !== dockerfile.name)
    return new Failure(kind, code, message, { cause: error });
  const { info, ranges } = placeIn(dockerfile, source);
  const place = { info: { ...info, data: Buffer.from(info.data).toString('base64') }, ranges };
  const status = {
    code: statusOf(error).code,
    message,
    details: [{ typeUrl: SOURCE_TYPE, value: Buffer.from(JSON.stringify(place)) }],
  };
  return new DetailedFailure(kind, code, message, { cause: error, source, details: rpcStatus.encode(status) });
}

/** The message, and the way out where there is one. What a failed RUN left is looked into with another command. */
function wordsOf({ message, code, hint }: Failure, words = failureWords(message)): string {
  return hint === undefined || code === 'RUN_FAILED' ? words : `${words} (${hint})`;
}
