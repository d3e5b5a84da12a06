/**
 * What the metadata instructions do to a run config, and how Docker's history names them. Pure: a change returns a new
 * config. https://docs.docker.com/reference/dockerfile/
 */
import type { Healthcheck, RunConfig } from '../oci/image-config.ts';

export interface ConfigChange {
  readonly config: RunConfig;
  /** The instruction as the history's CREATED BY shows it after `#(nop) `. */
  readonly summary: string;
}

export const DEFAULT_SHELL: readonly string[] = ['/bin/sh', '-c'];

export type Pair = readonly [name: string, value: string];

export function setEnv(config: RunConfig, pairs: readonly Pair[]): ConfigChange {
  const env = withVariables(config.Env ?? [], pairs);
  return { config: { ...config, Env: env }, summary: ` ENV ${formatPairs(pairs)}` };
}

export function addLabels(config: RunConfig, pairs: readonly Pair[]): ConfigChange {
  const labels = { ...config.Labels, ...Object.fromEntries(pairs) };
  return { config: { ...config, Labels: labels }, summary: ` LABEL ${formatPairs(pairs)}` };
}

/** `ports` are `port/protocol`, ranges already spread out. */
export function expose(config: RunConfig, ports: readonly string[], written: readonly string[]): ConfigChange {
  const exposed = { ...config.ExposedPorts };
  for (const port of ports) exposed[port] = {};
  return { config: { ...config, ExposedPorts: exposed }, summary: ` EXPOSE ${[...written].sort().join(' ')}` };
}

export function setCmd(config: RunConfig, argv: readonly string[]): ConfigChange {
  return { config: { ...config, Cmd: [...argv] }, summary: ` CMD ${formatList(argv)}` };
}

/** `cmdIsInherited`: a CMD that came from the base image is dropped, as Docker does; one of this stage is kept. */
export function setEntrypoint(config: RunConfig, argv: readonly string[], cmdIsInherited: boolean): ConfigChange {
  const { Cmd, ...rest } = config;
  const kept = cmdIsInherited || Cmd === undefined ? rest : { ...rest, Cmd };
  return { config: { ...kept, Entrypoint: [...argv] }, summary: ` ENTRYPOINT ${formatList(argv)}` };
}

export function addVolumes(config: RunConfig, paths: readonly string[]): ConfigChange {
  const volumes = { ...config.Volumes };
  for (const path of paths) volumes[path] = {};
  return { config: { ...config, Volumes: volumes }, summary: ` VOLUME [${paths.join(' ')}]` };
}

export function setUser(config: RunConfig, user: string): ConfigChange {
  return { config: { ...config, User: user }, summary: ` USER ${user}` };
}

/** `path` is absolute. */
export function setWorkdir(config: RunConfig, path: string): ConfigChange {
  return { config: { ...config, WorkingDir: path }, summary: `WORKDIR ${path}` };
}

export function setStopSignal(config: RunConfig, signal: string): ConfigChange {
  return { config: { ...config, StopSignal: signal }, summary: ` STOPSIGNAL ${signal}` };
}

export function setShell(config: RunConfig, argv: readonly string[]): ConfigChange {
  return { config: { ...config, Shell: [...argv] }, summary: ` SHELL [${argv.join(' ')}]` };
}

export function addTrigger(config: RunConfig, trigger: string): ConfigChange {
  return { config: { ...config, OnBuild: [...(config.OnBuild ?? []), trigger] }, summary: ` ONBUILD ${trigger}` };
}

export function setHealthcheck(config: RunConfig, check: Healthcheck): ConfigChange {
  const test = `[${(check.Test ?? []).map(quote).join(' ')}]`;
  const { Interval, Timeout, StartPeriod, StartInterval } = check;
  const times = [Interval, Timeout, StartPeriod, StartInterval].map((value) => quote(formatDuration(value ?? 0)));
  const retries = `'\\x${(check.Retries ?? 0).toString(16).padStart(2, '0')}'`;
  return {
    config: { ...config, Healthcheck: check },
    summary: ` HEALTHCHECK &{${test} ${times.join(' ')} ${retries}}`,
  };
}

/** Env with variables set: replaced in place when they are there, appended otherwise. */
function withVariables(env: readonly string[], pairs: readonly Pair[]): string[] {
  const changed = [...env];
  const places = new Map<string, number>();
  for (const [at, entry] of env.entries()) {
    const name = entry.slice(0, Math.max(0, entry.indexOf('=')));
    if (!places.has(name)) places.set(name, at);
  }
  for (const [name, value] of pairs) {
    const at = places.get(name) ?? changed.length;
    changed[at] = `${name}=${value}`;
    places.set(name, at);
  }
  return changed;
}

/** How Docker's history marks a step that runs no command: `config` is that of its image, with the shell in force. */
export function nop(summary: string, config: RunConfig): string {
  return `${(config.Shell ?? DEFAULT_SHELL).join(' ')} #(nop) ${summary}`;
}

function formatPairs(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${name}=${value}`).join(' ');
}

function formatList(argv: readonly string[]): string {
  return `[${argv.map(quote).join(' ')}]`;
}

const quote = (text: string): string => JSON.stringify(text);

/** Nanoseconds as Go prints a duration: `1h2m3.5s`, `500ms`, `0s`. */
function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  if (nanoseconds < 1e9) {
    if (nanoseconds < 1e3) return `${nanoseconds}ns`;
    return nanoseconds < 1e6 ? `${nanoseconds / 1e3}µs` : `${nanoseconds / 1e6}ms`;
  }
  const seconds = nanoseconds / 1e9;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  if (hours > 0) return `${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
