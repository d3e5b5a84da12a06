import { Failure } from '../../lib/error.ts';
import { parseReference } from '../../oci/reference.ts';
import { CHECK_QUERY, EXPLAIN_QUERY, FILES_QUERY, INLINE_CACHE_QUERY, VERIFY_QUERY } from '../../wire/build.ts';
import type { Ulimit } from '../../wire/container.ts';
import type { Query } from '../client/engine-client.ts';
import { platformFlag } from '../flags/common.ts';
import { bytes, custom, integer, list, text, toggle } from '../flags/flag.ts';
import type { ValuesOf } from '../flags/parse-flags.ts';
import { addHostFlag } from '../run/extra-host.ts';
import { toMap } from '../run/key-values.ts';
import { parseUlimit } from '../run/limits.ts';
import { type CacheSource, type CacheTarget, parseCacheSource, parseCacheTarget } from './cache-flags.ts';
import { type AgentSource, parseAgent, parseSecret, type SecretSource } from './lent-flags.ts';
import { type BuildOutput, parseOutput } from './output-flag.ts';

/** Flags of `build`. */
export const BUILD_FLAGS = {
  addHost: addHostFlag,
  allow: list('Allow a privileged feature: security.insecure'),
  buildArg: list('Set an ARG of the Dockerfile'),
  buildContext: list('Another context (name=path, name=docker-image://image, name=URL)'),
  cacheFrom: custom<readonly CacheSource[]>(
    'strings',
    'Take cached steps from images or a registry (NAME,...) or a folder (type=local,src=DIR)',
    [],
    (value, before) => [...before, ...parseCacheSource(value)],
  ),
  cacheTo: custom<readonly CacheTarget[]>(
    'list',
    'Leave cached steps in the image (type=inline), a folder (type=local,dest=DIR) or a registry (type=registry,ref=NAME)',
    [],
    (value, before) => [...before, parseCacheTarget(value)],
  ),
  cgroupParent: text('Parent cgroup of the RUN containers'),
  check: toggle('Check the Dockerfile and build nothing'),
  compress: toggle('Send the context compressed with gzip'),
  cpuPeriod: integer('Period of the CPU quota in microseconds'),
  cpuQuota: integer('CPU time in a period in microseconds'),
  cpuShares: integer('CPU shares (relative weight)', { short: 'c' }),
  cpusetCpus: text('CPUs to run on (0-3, 0,1)'),
  cpusetMems: text('Memory nodes to use (0-3, 0,1)'),
  explain: toggle('Say of every step why it was not taken from the cache'),
  file: text('Path of the Dockerfile; - for stdin (default PATH/Dockerfile)', { short: 'f' }),
  forceRm: toggle('Remove intermediate containers always'),
  iidfile: text('Write the image ID to this file'),
  isolation: text('Isolation technology'),
  label: list('Set labels of the image'),
  metadataFile: text('Write digest and names of the image to this file, as JSON'),
  memory: bytes('Memory limit', { short: 'm' }),
  memorySwap: bytes('Limit of memory plus swap; -1 for unlimited swap', { unlimited: true }),
  network: text('Network of the RUN containers', { initial: 'default', shown: '"default"' }),
  noCache: toggle('Do not use the cache'),
  noCacheFilter: custom<readonly string[]>('strings', 'Stages that do not use the cache', [], splitInto),
  onError: text('What to do when a step fails: shell opens one where it failed'),
  output: custom<readonly BuildOutput[]>(
    'list',
    'Where the result goes: DIR, - or type=image|local|tar|oci|docker[,dest=PATH]',
    [],
    (value, before) => [...before, parseOutput(value)],
    { short: 'o' },
  ),
  platform: platformFlag,
  progress: text('How to show progress: auto, tty, plain, quiet or rawjson', { initial: 'auto', shown: '"auto"' }),
  pull: toggle('Look for newer base images'),
  quiet: toggle('Print only the image ID', { short: 'q' }),
  rm: toggle('Remove intermediate containers after success', { initial: true }),
  secret: custom<readonly SecretSource[]>(
    'list',
    'Secret for RUN --mount=type=secret (id=name,src=file|env=variable)',
    [],
    (value, before) => [...before, parseSecret(value)],
  ),
  shmSize: bytes('Size of /dev/shm'),
  squash: toggle('Join the new layers into one'),
  ssh: custom<readonly AgentSource[]>(
    'list',
    'SSH agent for RUN --mount=type=ssh (default, id=socket)',
    [],
    (value, before) => [...before, parseAgent(value)],
  ),
  tag: custom<readonly string[]>('list', 'Name of the image (name:tag)', [], parseTag, { short: 't' }),
  target: text('Stage to build'),
  ulimit: custom<readonly Ulimit[]>('ulimit', 'Limits of the processes', [], (value, before) => [
    ...before,
    parseUlimit(value),
  ]),
  verify: toggle('Do every step twice and fail when the results differ'),
};

export type BuildFlags = ValuesOf<typeof BUILD_FLAGS>;

/** The flags as the query of POST /build. `dockerfile` and `remote` say where its input is. */
export function buildQuery(
  flags: BuildFlags,
  input: { dockerfile: string; remote: string | undefined },
  env: NodeJS.ProcessEnv,
): Query {
  const labels = toMap(flags.label);
  const images = flags.cacheFrom.flatMap((source) => (source.kind === 'image' ? [source.name] : []));
  const buildArgs = buildArguments(flags.buildArg, env);
  const sourceDate = env['SOURCE_DATE_EPOCH'] ?? '';
  if (sourceDate !== '') buildArgs['SOURCE_DATE_EPOCH'] ??= sourceDate;
  return {
    version: '1',
    dockerfile: input.dockerfile,
    remote: input.remote,
    t: namesInStore(flags),
    extrahosts: flags.addHost,
    rm: flags.rm ? 1 : 0,
    forcerm: flags.forceRm || undefined,
    nocache: flags.noCache || undefined,
    nocachefilter: flags.noCacheFilter,
    allow: flags.allow,
    [CHECK_QUERY]: flags.check || undefined,
    pull: flags.pull || undefined,
    q: flags.quiet || undefined,
    squash: flags.squash || undefined,
    target: flags.target || undefined,
    platform: flags.platform.toLowerCase() || undefined,
    networkmode: flags.network || undefined,
    isolation: flags.isolation || undefined,
    cgroupparent: flags.cgroupParent || undefined,
    memory: flags.memory || undefined,
    memswap: flags.memorySwap || undefined,
    cpushares: flags.cpuShares || undefined,
    cpuperiod: flags.cpuPeriod || undefined,
    cpuquota: flags.cpuQuota || undefined,
    cpusetcpus: flags.cpusetCpus || undefined,
    cpusetmems: flags.cpusetMems || undefined,
    shmsize: flags.shmSize || undefined,
    ulimits: flags.ulimit.length > 0 ? JSON.stringify(flags.ulimit) : undefined,
    [EXPLAIN_QUERY]: flags.explain || undefined,
    cachefrom: images.length > 0 ? JSON.stringify(images) : undefined,
    [FILES_QUERY]: wantsFilesOnly(flags) || undefined,
    [VERIFY_QUERY]: flags.verify || undefined,
    [INLINE_CACHE_QUERY]: flags.cacheTo.some(({ kind }) => kind === 'inline') || undefined,
    buildargs: Object.keys(buildArgs).length > 0 ? JSON.stringify(buildArgs) : undefined,
    labels: flags.label.length > 0 ? JSON.stringify(labels) : undefined,
  };
}

/** Refuses what a Docker host would silently leave out. */
export function refuseForDocker(flags: BuildFlags): void {
  const asked = {
    '--secret': flags.secret.length,
    '--ssh': flags.ssh.length,
    '--build-context': flags.buildContext.length,
    '--no-cache-filter': flags.noCacheFilter.length,
    '--allow': flags.allow.length,
    '--check': flags.check ? 1 : 0,
    '--output': flags.output.filter(({ kind }) => kind !== 'image').length,
    '--verify': flags.verify ? 1 : 0,
    '--cache-to': flags.cacheTo.length,
    '--cache-from type=local': flags.cacheFrom.filter(({ kind }) => kind === 'folder').length,
  };
  const [first] = Object.entries(asked).find(([, count]) => count > 0) ?? [];
  if (first !== undefined)
    throw new Failure('unsupported', 'BUILD_HOST', `${first} needs a Strake host; this one is Docker`, {
      hint: 'use "docker buildx build" with it',
    });
}

function splitInto(value: string, before: readonly string[]): readonly string[] {
  return [...before, ...value.split(',')];
}

/** An image that only leaves the host gets no name there. */
function namesInStore(flags: BuildFlags): readonly string[] {
  const images = flags.output.filter(({ kind }) => kind === 'image');
  return wantsFilesOnly(flags) ? [] : [...flags.tag, ...images.flatMap(({ names }) => names)];
}

function wantsFilesOnly({ output }: BuildFlags): boolean {
  return output.length > 0 && output.every(({ kind }) => kind !== 'image');
}

/** `NAME` alone takes the value from the environment; null leaves the argument unset. */
function buildArguments(values: readonly string[], env: NodeJS.ProcessEnv): Record<string, string | null> {
  return Object.fromEntries(
    values.map((value) => {
      const equals = value.indexOf('=');
      return equals < 0 ? [value, env[value] ?? null] : [value.slice(0, equals), value.slice(equals + 1)];
    }),
  );
}

function parseTag(value: string, before: readonly string[]): readonly string[] {
  parseReference(value);
  return [...before, value];
}
