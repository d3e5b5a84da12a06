import { Failure } from '../lib/error.ts';
import type { Healthcheck } from '../oci/image-config.ts';
import type { ContainerConfig } from '../wire/container.ts';

/**
 * What a container is configured with: the image's config below what was asked for. Stating an entrypoint drops the
 * image's command; `[""]` as entrypoint means none. Throws `no command specified` when nothing is left to run.
 */
export function mergeConfig(image: ContainerConfig, asked: ContainerConfig): ContainerConfig {
  const { Entrypoint, Cmd } = mergeCommand(image, asked);
  if ((Entrypoint?.length ?? 0) + (Cmd?.length ?? 0) === 0)
    throw new Failure('invalid', 'NO_COMMAND', 'no command specified', {
      hint: 'the image has no CMD and no ENTRYPOINT: say what to run',
    });
  const own = asked.Env ?? [];
  const names = new Set(own.map(nameOf));
  const env = [...own, ...(image.Env ?? []).filter((entry) => !names.has(nameOf(entry)))];
  const healthcheck = mergeHealthcheck(image.Healthcheck, asked.Healthcheck);
  const volumes = { ...image.Volumes, ...asked.Volumes };
  return {
    ...UNSET,
    ...asked,
    User: asked.User || image.User || '',
    ...optional('ExposedPorts', { ...image.ExposedPorts, ...asked.ExposedPorts }),
    Env: env.length > 0 ? env : (asked.Env ?? null),
    Cmd,
    Entrypoint,
    Volumes: Object.keys(volumes).length > 0 ? volumes : null,
    WorkingDir: asked.WorkingDir || image.WorkingDir || '',
    Labels: { ...image.Labels, ...asked.Labels },
    ...optional('StopSignal', asked.StopSignal || image.StopSignal),
    ...optional('Shell', asked.Shell ?? image.Shell),
    ...optional('Healthcheck', healthcheck),
  };
}

/** What Docker shows for settings that were not given. */
const UNSET: ContainerConfig = {
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  OnBuild: null,
};

/** What is executed: entrypoint and command as one list. */
export function argumentsOf(config: ContainerConfig): string[] {
  return [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
}

function mergeCommand(
  image: ContainerConfig,
  asked: ContainerConfig,
): { Entrypoint: string[] | null; Cmd: string[] | null } {
  const reset = asked.Entrypoint?.length === 1 && asked.Entrypoint[0] === '';
  if (reset) return { Entrypoint: null, Cmd: asked.Cmd ?? null };
  if (asked.Entrypoint && asked.Entrypoint.length > 0) return { Entrypoint: asked.Entrypoint, Cmd: asked.Cmd ?? null };
  const cmd = asked.Cmd && asked.Cmd.length > 0 ? asked.Cmd : image.Cmd;
  return { Entrypoint: image.Entrypoint ?? null, Cmd: cmd ?? null };
}

function mergeHealthcheck(image: Healthcheck | undefined, asked: Healthcheck | undefined): Healthcheck | undefined {
  if (!asked) return image;
  const merged: Healthcheck = { ...image };
  if (asked.Test && asked.Test.length > 0) merged.Test = asked.Test;
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'] as const)
    if (asked[field]) merged[field] = asked[field];
  return merged;
}

/** The field, unless its value is nothing. */
function optional<Key extends string, Value extends string | object>(
  key: Key,
  value: Value | undefined,
): { [K in Key]?: Value } {
  const empty = !value || (typeof value === 'object' && Object.keys(value).length === 0);
  return empty ? {} : ({ [key]: value } as { [K in Key]: Value }); // one key of that name and type
}

function nameOf(entry: string): string {
  return entry.split('=', 1)[0] ?? '';
}
