import { Failure } from '../../lib/error.ts';
import { parseReference } from '../../oci/reference.ts';
import { splitFields } from '../flags/fields.ts';

/** Where a build finds cached steps: in an image, or in a folder of the client. */
export type CacheSource =
  | { readonly kind: 'image'; readonly name: string }
  | { readonly kind: 'folder'; readonly path: string };

/** Where it leaves them. `max` is also the steps of stages that the result only copied from. */
export type CacheTarget =
  | { readonly kind: 'inline' }
  | { readonly kind: 'folder'; readonly path: string; readonly mode: CacheMode }
  | { readonly kind: 'registry'; readonly name: string; readonly mode: CacheMode };

type CacheMode = 'min' | 'max';

/**
 * Reads a value of `--cache-from`: names of images, `type=registry,ref=NAME` or `type=local,src=DIR`.
 * https://docs.docker.com/reference/cli/docker/buildx/build/#cache-from
 */
export function parseCacheSource(text: string): CacheSource[] {
  if (!text.includes('='))
    return text
      .split(',')
      .filter((name) => name !== '')
      .map((name) => ({ kind: 'image', name: checkedName(name) }));
  const { type, src, ref, ...rest } = readFields(text, ['source', 'src']);
  refuseUnknown(text, rest);
  switch (type) {
    case 'local':
      if (src === undefined) throw invalid(`src is required for local cache: ${text}`);
      return [{ kind: 'folder', path: src }];
    case 'registry':
      if (ref === undefined) throw invalid(`ref is required for registry cache: ${text}`);
      return [{ kind: 'image', name: checkedName(ref) }];
    default:
      throw invalid(`unknown cache type "${type ?? ''}": expected local or registry`);
  }
}

/** Reads a value of `--cache-to`: `type=inline`, `type=local,dest=DIR` or `type=registry,ref=NAME`, the latter with `mode=max`. */
export function parseCacheTarget(text: string): CacheTarget {
  if (text === 'inline') return { kind: 'inline' };
  const { type, dest, ref, mode = 'min', ...rest } = readFields(text, ['destination', 'dest']);
  refuseUnknown(text, rest);
  if (mode !== 'min' && mode !== 'max') throw invalid(`invalid mode "${mode}" of cache: expected min or max`);
  switch (type) {
    case 'inline':
      if (mode !== 'min') throw invalid(`inline cache has no mode: ${text}`);
      return { kind: 'inline' };
    case 'local':
      if (dest === undefined) throw invalid(`dest is required for local cache: ${text}`);
      return { kind: 'folder', path: dest, mode };
    case 'registry':
      if (ref === undefined) throw invalid(`ref is required for registry cache: ${text}`);
      return { kind: 'registry', name: checkedName(ref), mode };
    default:
      throw invalid(`unknown cache type "${type ?? ''}": expected inline, local or registry`);
  }
}

function readFields(text: string, [long, short]: readonly [string, string]): Partial<Record<string, string>> {
  const fields: Partial<Record<string, string>> = {};
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=');
    if (equals < 0) throw invalid(`invalid value ${field}: expected key=value in cache option ${text}`);
    const key = field.slice(0, equals).trim().toLowerCase();
    fields[key === long ? short : key] = field.slice(equals + 1);
  }
  return fields;
}

function refuseUnknown(text: string, rest: Partial<Record<string, string>>): void {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid(`unknown option '${unknown}' of cache: ${text}`);
}

function checkedName(name: string): string {
  parseReference(name);
  return name;
}

const invalid = (message: string): Failure => new Failure('invalid', 'CACHE_OPTION', message);
