import { isFailure, messageOf } from '../../../lib/error.ts';
import { type GrpcStatus, statusOf } from '../grpc/status.ts';
import { rpcStatus, SOURCE_TYPE } from '../shapes/rpc-status.ts';
import { placeIn, type ReadDockerfile } from './place.ts';
import { failureWords } from './words.ts';

/** The message of what stopped a build, in BuildKit's words, and the way out where there is one. */
export function errorWords(error: unknown): string {
  const message = failureWords(messageOf(error));
  // What the failed step left is looked into with another command.
  const hint = isFailure(error) && error.code !== 'RUN_FAILED' ? error.hint : undefined;
  return hint === undefined ? message : `${message} (${hint})`;
}

/** The status with which a build ends; its details let clients show the place in the Dockerfile. */
export function errorStatus(error: unknown, dockerfile: ReadDockerfile | undefined): GrpcStatus {
  const { code } = statusOf(error);
  const message = errorWords(error);
  const source = isFailure(error) ? error.source : undefined;
  if (!source || !dockerfile || source.file !== dockerfile.name) return { code, message };
  const { info, ranges } = placeIn(dockerfile, source);
  const value = { info: { ...info, data: Buffer.from(info.data).toString('base64') }, ranges };
  const details = [{ typeUrl: SOURCE_TYPE, value: Buffer.from(JSON.stringify(value)) }];
  return { code, message, details: rpcStatus.encode({ code, message, details }) };
}
