import { parseReference } from '../../oci/reference.ts';
import { EXPLAIN_QUERY } from '../../wire/build.ts';
import type { Ulimit } from '../../wire/container.ts';
import type { Query } from '../client/engine-client.ts';
import { platformFlag } from '../flags/common.ts';
import { bytes, custom, integer, list, text, toggle } from '../flags/flag.ts';
import type { ValuesOf } from '../flags/parse-flags.ts';
import { addHostFlag } from '../run/extra-host.ts';
import { toMap } from '../run/key-values.ts';
import { parseUlimit } from '../run/limits.ts';
import { type BuildOutput, parseOutput } from './output-flag.ts';

/** Flags of `build`. */
export const BUILD_FLAGS = {
  addHost: addHostFlag,
  buildArg: list('Set an ARG of the Dockerfile'),
  cacheFrom: custom<readonly string[]>('strings', 'Images to take cached steps from', [], (value, before) => [
    ...before,
    ...value.split(','),
  ]),
  cgroupParent: text('Parent cgroup of the RUN containers'),
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
  memory: bytes('Memory limit', { short: 'm' }),
  memorySwap: bytes('Limit of memory plus swap; -1 for unlimited swap', { unlimited: true }),
  network: text('Network of the RUN containers', { initial: 'default', shown: '"default"' }),
  noCache: toggle('Do not use the cache'),
  output: custom<readonly BuildOutput[]>(
    'list',
    'Where the result goes: DIR, - or type=image|local|tar|oci|docker[,dest=PATH]',
    [],
    (value, before) => [...before, parseOutput(value)],
    { short: 'o' },
  ),
  platform: platformFlag,
  progress: text('How to show progress: auto, tty or plain', { initial: 'auto', shown: '"auto"' }),
  pull: toggle('Look for newer base images'),
  quiet: toggle('Print only the image ID', { short: 'q' }),
  rm: toggle('Remove intermediate containers after success', { initial: true }),
  shmSize: bytes('Size of /dev/shm'),
  squash: toggle('Join the new layers into one'),
  tag: custom<readonly string[]>('list', 'Name of the image (name:tag)', [], parseTag, { short: 't' }),
  target: text('Stage to build'),
  ulimit: custom<readonly Ulimit[]>('ulimit', 'Limits of the processes', [], (value, before) => [
    ...before,
    parseUlimit(value),
  ]),
};

export type BuildFlags = ValuesOf<typeof BUILD_FLAGS>;

/** The flags as the query of POST /build. `dockerfile` and `remote` say where its input is. */
export function buildQuery(
  flags: BuildFlags,
  input: { dockerfile: string; remote: string | undefined },
  env: NodeJS.ProcessEnv,
): Query {
  const labels = toMap(flags.label);
  const buildArgs = buildArguments(flags.buildArg, env);
  return {
    version: '1',
    dockerfile: input.dockerfile,
    remote: input.remote,
    t: namesInStore(flags),
    extrahosts: flags.addHost,
    rm: flags.rm ? 1 : 0,
    forcerm: flags.forceRm || undefined,
    nocache: flags.noCache || undefined,
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
    cachefrom: flags.cacheFrom.length > 0 ? JSON.stringify(flags.cacheFrom) : undefined,
    buildargs: flags.buildArg.length > 0 ? JSON.stringify(buildArgs) : undefined,
    labels: flags.label.length > 0 ? JSON.stringify(labels) : undefined,
  };
}

/** An image that only leaves the host gets no name there. */
function namesInStore({ output, tag }: BuildFlags): readonly string[] {
  const images = output.filter(({ kind }) => kind === 'image');
  return output.length > 0 && images.length === 0 ? [] : [...tag, ...images.flatMap(({ names }) => names)];
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
