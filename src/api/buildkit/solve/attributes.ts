/**
 * Attributes of BuildKit's Dockerfile frontend as options of a build. Their names and values:
 * https://github.com/moby/buildkit/blob/master/frontend/dockerui/config.go
 */
import { Failure } from '../../../lib/error.ts';
import { type Digest, parseDigest } from '../../../oci/digest.ts';
import { formatPlatform, hostPlatform, parsePlatform } from '../../../oci/platform.ts';
import type { BuildOptions, BuildResources } from '../../../wire/build.ts';
import type { Ulimit } from '../../../wire/container.ts';

export interface FrontendInput {
  readonly attrs: ReadonlyMap<string, string>;
  /** One of `platformsOf`. */
  readonly platform: string | undefined;
  /** Names of images and caches in registries. */
  readonly cacheFrom: readonly string[];
  /** The cache of the result is to be kept in its config. */
  readonly inlineCache: boolean;
  readonly entitlements: readonly string[];
}

export interface FrontendOptions {
  readonly options: BuildOptions;
  /** Names of the client's folders. The Dockerfile comes from its folder even when the context is remote, if `asked`. */
  readonly contextName: string;
  readonly dockerfileFolder: { readonly name: string; readonly asked: boolean };
  /** `context:NAME`, by name. */
  readonly named: ReadonlyMap<string, NamedSource>;
  /** What is asked for in place of a result: `frontend.lint`, `frontend.targets`, ... */
  readonly request: string | undefined;
}

export type NamedSource =
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'local'; readonly name: string; readonly sharedKey: string }
  /** An OCI layout that the client has: the name of its store, the digest of a manifest or index in it. */
  | { readonly kind: 'layout'; readonly store: string; readonly manifest: Digest };

/** Attributes that are read, and those that change nothing here: names or beginnings of names. */
const KNOWN = new Set(
  `filename target platform no-cache image-resolve-mode force-network-mode add-hosts shm-size ulimit cgroup-parent hostname
  memory memswap cpushares cpuperiod cpuquota cpusetcpus cpusetmems context contextkey dockerfilekey contextsubdir
  cache-from cache-imports multi-platform requestid frontend.caps cmdline source input:context`.split(/\s+/),
);
const MOST_PLATFORMS = 64;
const KNOWN_BEGINNINGS = ['build-arg:', 'label:', 'context:', 'attest:', 'vcs:', 'sharedkey:', 'local-sessionid:'];

/** The platforms to build for, each once, as `formatPlatform` writes them; undefined is what the host builds for. Throws Failure. */
export function platformsOf(attrs: ReadonlyMap<string, string>): readonly (string | undefined)[] {
  const stated = commas(attrs.get('platform')).map((text) => formatPlatform(parsePlatform(text)));
  if (stated.length > MOST_PLATFORMS)
    throw new Failure('exhausted', 'PLATFORMS', `a build for ${stated.length} platforms, more than ${MOST_PLATFORMS}`);
  return stated.length === 0 ? [undefined] : [...new Set(stated)];
}

/**
 * Options of a build for one platform from the attributes of its frontend. An attribute that nobody here knows may change the result: it is
 * refused by name, as is what this host cannot do. Throws Failure.
 */
export function readAttributes({
  attrs,
  platform,
  cacheFrom,
  inlineCache,
  entitlements,
}: FrontendInput): FrontendOptions {
  for (const name of attrs.keys()) {
    if (!KNOWN.has(name) && !KNOWN_BEGINNINGS.some((beginning) => name.startsWith(beginning)))
      throw new Failure(
        'unsupported',
        'BUILDKIT_ATTRIBUTE',
        `the frontend attribute ${name} is not supported by this host`,
      );
  }
  const buildArgs = beginningWith(attrs, 'build-arg:');
  const hostname = attrs.get('hostname');
  const noCache = attrs.get('no-cache');
  const contextName = attrs.get('contextkey') ?? 'context';
  const subfolder = attrs.get('contextsubdir');
  const options: BuildOptions = {
    dockerfile: attrs.get('filename') || 'Dockerfile',
    tags: [],
    remote: remoteOf(attrs.get(contextName) ?? attrs.get('context'), subfolder),
    quiet: false,
    noCache: noCache === '',
    noCacheFilter: commas(noCache),
    cacheFrom: [...new Set([...cacheFrom, ...commas(attrs.get('cache-from'))])],
    inlineCache: inlineCache || isTrue(buildArgs['BUILDKIT_INLINE_CACHE']),
    keepImage: false,
    verify: false,
    pull: isPulling(attrs.get('image-resolve-mode')),
    remove: true,
    forceRemove: true,
    buildArgs: hostname === undefined ? buildArgs : { BUILDKIT_SANDBOX_HOSTNAME: hostname, ...buildArgs },
    labels: beginningWith(attrs, 'label:'),
    target: attrs.get('target') || undefined,
    platform,
    networkMode: networkOf(attrs.get('force-network-mode'), entitlements),
    extraHosts: commas(attrs.get('add-hosts')).map(hostEntry),
    squash: false,
    lint: true,
    allow: allowed(entitlements),
    resources: resourcesOf(attrs),
    explain: false,
  };
  return {
    options,
    contextName,
    dockerfileFolder: { name: attrs.get('dockerfilekey') ?? 'dockerfile', asked: attrs.has('dockerfilekey') },
    named: namedOf(attrs, platform),
    request: attrs.get('requestid'),
  };
}

function beginningWith(attrs: ReadonlyMap<string, string>, beginning: string): Record<string, string> {
  const found = [...attrs].filter(([name]) => name.startsWith(beginning));
  return Object.fromEntries(found.map(([name, value]) => [name.slice(beginning.length), value]));
}

/** Fields of a line of CSV: of what is listed here only words in quotes could have a comma. */
function commas(line: string | undefined): string[] {
  return (line ?? '').split(',').flatMap((word) => word.trim().replace(/^"(.*)"$/, '$1') || []);
}

const isTrue = (text: string | undefined) => /^(1|t|true)$/i.test(text ?? '');

/** Clients name a folder in the URL; `contextsubdir` is for those that cannot. */
function remoteOf(context: string | undefined, subfolder: string | undefined): string | undefined {
  if (context === undefined || context === '') return undefined;
  if (!subfolder) return context;
  throw new Failure(
    'unsupported',
    'BUILDKIT_ATTRIBUTE',
    'the frontend attribute contextsubdir is not supported by this host',
    { hint: `name the folder in the URL: ${context}#:${subfolder}` },
  );
}

function isPulling(mode: string | undefined): boolean {
  if (mode === undefined || mode === '' || mode === 'default' || mode === 'local') return false;
  if (mode === 'pull') return true;
  throw invalid('image-resolve-mode', mode);
}

function networkOf(mode: string | undefined, entitlements: readonly string[]): string | undefined {
  if (mode === undefined || mode === '' || mode === 'sandbox' || mode === 'default') return undefined;
  if (mode === 'none') return mode;
  if (mode !== 'host') throw new Failure('invalid', 'NETWORK_MODE', `invalid netmode ${mode}`);
  if (entitlements.includes('network.host')) return mode;
  throw new Failure('denied', 'NETWORK_HOST', 'network.host is not allowed');
}

/** `name=address` as Docker's own API writes it. */
function hostEntry(entry: string): string {
  const at = entry.indexOf('=');
  if (at < 1)
    throw new Failure('invalid', 'ADD_HOSTS', `failed to parse additional hosts: invalid key-value pair ${entry}`);
  return `${entry.slice(0, at)}:${entry.slice(at + 1)}`;
}

function allowed(entitlements: readonly string[]): string[] {
  const unknown = entitlements.find((name) => name !== 'security.insecure' && name !== 'network.host');
  if (unknown === undefined) return [...entitlements];
  throw new Failure('unsupported', 'ENTITLEMENT_UNKNOWN', `the entitlement ${unknown} is not supported by this host`);
}

function resourcesOf(attrs: ReadonlyMap<string, string>): BuildResources {
  const whole = (name: string) => {
    const text = attrs.get(name) ?? '';
    if (text === '') return 0;
    if (!/^-?\d{1,15}$/.test(text)) throw invalid(name, text);
    return Number(text);
  };
  return {
    memory: whole('memory'),
    memorySwap: whole('memswap'),
    cpuShares: whole('cpushares'),
    cpuPeriod: whole('cpuperiod'),
    cpuQuota: whole('cpuquota'),
    cpusetCpus: attrs.get('cpusetcpus') ?? '',
    cpusetMems: attrs.get('cpusetmems') ?? '',
    shmSize: whole('shm-size'),
    ulimits: commas(attrs.get('ulimit')).map(ulimitOf),
    cgroupParent: attrs.get('cgroup-parent') ?? '',
  };
}

function ulimitOf(text: string): Ulimit {
  const [, name, soft, hard = soft] = /^(\w+)=(-?\d{1,15})(?::(-?\d{1,15}))?$/.exec(text) ?? [];
  if (name === undefined) throw invalid('ulimit', text);
  return { Name: name, Soft: Number(soft), Hard: Number(hard) };
}

/** A name with a platform behind it, `NAME::linux/amd64`, stands before the name alone. */
function namedOf(attrs: ReadonlyMap<string, string>, platform: string | undefined): Map<string, NamedSource> {
  const own = platform ?? formatPlatform(hostPlatform());
  const named = new Map<string, NamedSource>();
  const entries = Object.entries(beginningWith(attrs, 'context:')).map(([key, value]) => {
    const [, name = key, meant] = /^(.*)::([^:]*)$/.exec(key) ?? [];
    return { key, value, name, meant };
  });
  for (const { key, value, name, meant } of entries) {
    const isOther = meant !== undefined && meant !== own;
    if (isOther && entries.some((entry) => entry.name === name && (entry.meant === undefined || entry.meant === own)))
      continue;
    if (meant === undefined && entries.some((entry) => entry.name === name && entry.meant === own)) continue;
    named.set(name, namedSource(name, value, attrs.get(`sharedkey:localdir:${key}`) ?? ''));
  }
  return named;
}

function namedSource(name: string, value: string, sharedKey: string): NamedSource {
  const [scheme = ''] = value.split(':', 1);
  const rest = value.slice(scheme.length + 1);
  if (scheme === 'docker-image') return { kind: 'image', reference: rest.replace(/^\/\//, '') };
  if (scheme === 'local') return { kind: 'local', name: rest, sharedKey };
  if (['http', 'https', 'git', 'ssh'].includes(scheme) || value.startsWith('git@'))
    return { kind: 'remote', url: value };
  if (scheme === 'oci-layout') return layoutSource(rest.replace(/^\/\//, ''));
  const hints: Readonly<Record<string, string>> = {
    input: 'build the other target first, and name its image as docker-image://NAME',
  };
  const hint = hints[scheme];
  throw new Failure(
    'unsupported',
    'CONTEXT_SOURCE',
    `unsupported context source ${scheme} for ${name}`,
    hint === undefined ? {} : { hint },
  );
}

/** `STORE[:TAG]@DIGEST` */
function layoutSource(text: string): NamedSource {
  const [, store, digest] = /^([^:@]+)(?::[^@]*)?@(.+)$/.exec(text) ?? [];
  if (store === undefined || digest === undefined)
    throw new Failure('invalid', 'CONTEXT_SOURCE', `oci-layout reference "${text.slice(0, 200)}" has no digest`);
  return { kind: 'layout', store, manifest: parseDigest(digest) };
}

function invalid(name: string, value: string): Failure {
  return new Failure(
    'invalid',
    'BUILDKIT_ATTRIBUTE',
    `invalid value "${value.slice(0, 200)}" of the frontend attribute ${name}`,
  );
}
