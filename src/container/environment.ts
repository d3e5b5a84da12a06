export const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The environment of a container's process: what Docker sets by itself, replaced by the container's own values. Empty
 * values stay, entries without `=` are dropped.
 */
export function containerEnvironment(options: {
  /** What links to other containers set. */
  readonly linkEnv: readonly string[];
  readonly env: readonly string[];
  readonly hostname: string;
  readonly home: string;
  readonly tty: boolean;
}): string[] {
  const defaults = [
    DEFAULT_PATH,
    `HOSTNAME=${options.hostname}`,
    ...(options.tty ? ['TERM=xterm'] : []),
    ...options.linkEnv,
  ];
  const merged = mergeEnvironment(defaults, options.env);
  return merged.some((entry) => entry.startsWith('HOME=')) ? merged : [...merged, `HOME=${options.home}`];
}

/** `over` wins; the order is that of first appearance. */
export function mergeEnvironment(base: readonly string[], over: readonly string[]): string[] {
  const merged = new Map<string, string>();
  for (const entry of [...base, ...over]) {
    const end = entry.indexOf('=');
    if (end > 0) merged.set(entry.slice(0, end), entry);
  }
  return [...merged.values()];
}
