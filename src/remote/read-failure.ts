import { Failure, isFailure } from '../lib/error.ts';
import { familiarName, familiarReference, type Reference } from '../oci/reference.ts';

/** What a registry says about an image that is not to be had, in the words that Docker's clients look for. */
export function readFailure(error: unknown, reference: Reference): unknown {
  if (!isFailure(error)) return error;
  const isAll = reference.tag === undefined && reference.digest === undefined;
  if (error.code === 'NAME_UNKNOWN' && isAll)
    return new Failure(
      'not-found',
      'NAME_UNKNOWN',
      `repository ${familiarName(reference)} not found: ${error.message}`,
      { cause: error },
    );
  if (error.code === 'MANIFEST_UNKNOWN')
    return new Failure(
      'not-found',
      'MANIFEST_UNKNOWN',
      `manifest for ${familiarReference(reference)} not found: ${error.message}`,
      { cause: error },
    );
  if (error.kind === 'denied' || error.code === 'NAME_UNKNOWN')
    return new Failure(
      'not-found',
      'PULL_DENIED',
      `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': ${error.message}`,
      { cause: error },
    );
  return error;
}
