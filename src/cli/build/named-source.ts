import { join } from 'node:path';
import { IgnoreMatcher, parseIgnore } from '../../dockerfile/ignore.ts';
import { Failure } from '../../lib/error.ts';
import type { ContextOffer } from '../../wire/build.ts';
import { isRemote, offerOf, readIfThere } from './build-source.ts';
import type { ContextPart } from './context-tar.ts';

/** What a `--build-context` names. */
export type NamedSource =
  | { readonly kind: 'folder'; readonly offer: ContextOffer; readonly part: ContextPart }
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'remote'; readonly url: string };

/**
 * Reads `name=value`: a folder, `docker-image://reference`, or the URL of a git repository or tar.
 * https://docs.docker.com/reference/cli/docker/buildx/build/#build-context
 */
export function findNamedSource(text: string): [name: string, source: NamedSource] {
  const equals = text.indexOf('=');
  const name = text.slice(0, Math.max(equals, 0));
  const value = text.slice(equals + 1);
  if (name === '' || value === '')
    throw invalid(`invalid context value: ${text}, expected key=value`, '--build-context name=path or URL');
  return [name, sourceOf(name, value)];
}

function sourceOf(name: string, value: string): NamedSource {
  const image = /^docker-image:\/\/(.+)$/.exec(value)?.[1];
  if (image !== undefined) return { kind: 'image', reference: image };
  if (/^(oci-layout|target|input):/.test(value))
    throw new Failure('unsupported', 'BUILD_CONTEXT', `build context ${name}: ${value} is not supported`, {
      hint: 'a folder, docker-image://name, or the URL of a git repository or tar; "strake load" takes an OCI layout',
    });
  if (isRemote(value)) return { kind: 'remote', url: value };
  const { folder, offer } = offerOf(value);
  const ignores = new IgnoreMatcher(
    parseIgnore(readIfThere(join(folder, '.dockerignore'))?.toString('utf8') ?? '', { file: '.dockerignore' }),
  );
  return { kind: 'folder', offer, part: { folder: { folder, ignores, keep: ['.dockerignore'] }, extra: [] } };
}

function invalid(message: string, hint: string): Failure {
  return new Failure('invalid', 'BUILD_CONTEXT', message, { hint });
}
