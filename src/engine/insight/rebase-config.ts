import type { RunConfig } from '../../oci/image-config.ts';

/**
 * The config of an image that was made on `base`, on another base: what the image set itself stays, everything that it
 * has from the old base comes from the new one. Variables, labels, ports and volumes are decided one by one.
 */
export function rebaseConfig(image: RunConfig, base: RunConfig, onto: RunConfig): RunConfig {
  const keys = new Set([...Object.keys(image), ...Object.keys(onto)]) as Set<keyof RunConfig>; // of exactly these objects
  const result: Record<string, unknown> = {};
  for (const key of keys) {
    const value = rebaseField(key, image[key], base[key], onto[key]);
    if (value !== undefined) result[key] = value;
  }
  return result as RunConfig; // each field is one of the three configs' own, or joined of them
}

function rebaseField(key: keyof RunConfig, image: unknown, base: unknown, onto: unknown): unknown {
  switch (key) {
    case 'Env':
      return joined(variables(image), variables(base), variables(onto), (values) => [...values.values()]);
    case 'Labels':
    case 'ExposedPorts':
    case 'Volumes':
      return joined(properties(image), properties(base), properties(onto), Object.fromEntries);
    case 'OnBuild':
      return image; // triggers of a base fire in its child and do not stay
    default:
      return isSame(image, base) ? onto : image;
  }
}

/** The entries of `onto`, with those that `image` has otherwise than `base`, without those that it took away. */
function joined<Result>(
  image: ReadonlyMap<string, unknown>,
  base: ReadonlyMap<string, unknown>,
  onto: ReadonlyMap<string, unknown>,
  build: (entries: ReadonlyMap<string, unknown>) => Result,
): Result | undefined {
  const result = new Map<string, unknown>();
  for (const [name, value] of onto) if (image.has(name) || !base.has(name)) result.set(name, value);
  for (const [name, value] of image) if (!base.has(name) || !isSame(value, base.get(name))) result.set(name, value);
  return result.size === 0 ? undefined : build(result);
}

/** `NAME=value` entries by name. */
function variables(list: unknown): Map<string, unknown> {
  const entries = Array.isArray(list) ? list.map(String) : [];
  return new Map(entries.map((entry) => [entry.split('=', 1)[0] ?? '', entry]));
}

function properties(value: unknown): Map<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}
