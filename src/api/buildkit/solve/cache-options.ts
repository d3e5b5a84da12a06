import { Failure } from '../../../lib/error.ts';
import { type Digest, parseDigest } from '../../../oci/digest.ts';

/** Where a build takes its cache from, or gives it to. */
export interface CacheOption {
  readonly type: string;
  readonly attrs: ReadonlyMap<string, string>;
}

/** A cache that a build is to look into. */
export type CacheImport =
  | { readonly kind: 'registry'; readonly ref: string }
  /** A folder of the client, and the digest of the manifest there. */
  | { readonly kind: 'local'; readonly folder: string; readonly manifest: Digest }
  | { readonly kind: 'unknown'; readonly type: string };

/** Each once: clients name them in two places. Throws Failure for one that says too little. */
export function readCacheImports(imports: readonly CacheOption[]): CacheImport[] {
  const read = imports.map(({ type, attrs }): CacheImport => {
    if (type === 'registry') return { kind: 'registry', ref: refOf(attrs, type) };
    if (type !== 'local') return { kind: 'unknown', type };
    return {
      kind: 'local',
      folder: demand(attrs.get('src'), 'local cache importer requires src'),
      manifest: parseDigest(demand(attrs.get('digest'), 'local cache importer requires explicit digest')),
    };
  });
  return [...new Map(read.map((one) => [JSON.stringify(one), one])).values()];
}

/** The value of the frontend attribute `cache-imports`. Throws Failure. */
export function parseCacheImports(text: string): CacheOption[] {
  const refuse = () =>
    new Failure(
      'invalid',
      'CACHE_IMPORTS',
      `invalid value "${text.slice(0, 200)}" of the frontend attribute cache-imports`,
    );
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    throw refuse();
  }
  if (!Array.isArray(entries)) throw refuse();
  return entries.map((entry: { Type?: unknown; Attrs?: Record<string, unknown> | null } | null) => {
    if (typeof entry?.Type !== 'string') throw refuse();
    const attrs = Object.entries(entry.Attrs ?? {}).map(([name, value]): [string, string] => [name, String(value)]);
    return { type: entry.Type, attrs: new Map(attrs) };
  });
}

/** Where a session's client has the folder of a cache of type local. */
export const localStore = (folder: string): string => `local:${folder}`;

/** Refuses what nobody here can write, before the build. */
export function refuseCacheExports(exports: readonly CacheOption[]): void {
  for (const option of exports) {
    if (option.type === 'registry') registryCache(option);
    else if (option.type === 'local') localCache(option);
    else if (option.type !== 'inline') throw unknownExporter(option.type);
  }
}

/** A cache in a registry: its name, and how much of the build's cache it gets. */
export function registryCache({ type, attrs }: CacheOption): { ref: string; mode: 'min' | 'max' } {
  return { ref: refOf(attrs, type), mode: modeOf(attrs) };
}

/** A cache in a folder of the client. */
export function localCache({ attrs }: CacheOption): { folder: string; mode: 'min' | 'max' } {
  return { folder: demand(attrs.get('dest'), 'local cache exporter requires dest'), mode: modeOf(attrs) };
}

/** Whether the build is to go on without it when it cannot be written. */
export const isIgnored = ({ attrs }: CacheOption): boolean => attrs.get('ignore-error') === 'true';

function modeOf(attrs: ReadonlyMap<string, string>): 'min' | 'max' {
  const mode = attrs.get('mode') || 'min';
  if (mode !== 'min' && mode !== 'max')
    throw new Failure('invalid', 'CACHE_MODE', `invalid cache mode "${mode}": expected min or max`);
  return mode;
}

function refOf(attrs: ReadonlyMap<string, string>, type: string): string {
  return demand(attrs.get('ref'), `cache of type ${type} needs ref, the name in the registry`);
}

function demand(value: string | undefined, message: string): string {
  if (value) return value;
  throw new Failure('invalid', 'CACHE_OPTION', message);
}

function unknownExporter(type: string): Failure {
  return new Failure('unsupported', 'CACHE_TYPE', `unknown cache exporter: "${type.slice(0, 100)}"`, {
    hint: 'this host knows inline, local and registry',
  });
}
