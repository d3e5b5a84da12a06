import { Failure } from '../../../lib/error.ts';

/** Where a build takes its cache from, or gives it to. */
export interface CacheOption {
  readonly type: string;
  readonly attrs: ReadonlyMap<string, string>;
}

/** Names of the caches in registries, which are the ones that a host can look into. Throws Failure. */
export function importedCaches(imports: readonly CacheOption[]): string[] {
  return imports.map(({ type, attrs }) => {
    if (type !== 'registry') throw unknown('importer', type);
    return refOf(attrs, type);
  });
}

/** Refuses what nobody here can write, before the build. */
export function refuseCacheExports(exports: readonly CacheOption[]): void {
  for (const option of exports) {
    if (option.type === 'inline') continue;
    if (option.type !== 'registry') throw unknown('exporter', option.type);
    registryCache(option);
  }
}

/** A cache in a registry: its name, and how much of the build's cache it gets. */
export function registryCache({ type, attrs }: CacheOption): { ref: string; mode: 'min' | 'max' } {
  const mode = attrs.get('mode') || 'min';
  if (mode !== 'min' && mode !== 'max')
    throw new Failure('invalid', 'CACHE_MODE', `invalid cache mode "${mode}": expected min or max`);
  return { ref: refOf(attrs, type), mode };
}

function refOf(attrs: ReadonlyMap<string, string>, type: string): string {
  const ref = attrs.get('ref');
  if (ref) return ref;
  throw new Failure('invalid', 'CACHE_REF', `cache of type ${type} needs ref, the name in the registry`);
}

function unknown(what: 'importer' | 'exporter', type: string): Failure {
  return new Failure('unsupported', 'CACHE_TYPE', `unknown cache ${what}: "${type}"`, {
    hint: `this host knows registry${what === 'exporter' ? ' and inline' : ''}`,
  });
}
