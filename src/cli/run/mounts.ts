import { resolve } from 'node:path';
import { Failure } from '../../lib/error.ts';
import type { MountRequest } from '../../wire/container.ts';
import { parseBytes } from '../flags/bytes.ts';
import { splitFields } from '../flags/fields.ts';
import { parseBoolean } from '../flags/flag.ts';

/** What `-v` asks for: `source:target[:mode]` is a bind or a named volume, a lone path an anonymous volume. */
export interface VolumeFlags {
  readonly binds: string[];
  readonly volumes: string[];
}

/** Sorts the values of `-v`. A source that begins with `.` is a path relative to the current folder. */
export function parseVolumes(values: readonly string[]): VolumeFlags {
  const binds: string[] = [];
  const volumes: string[] = [];
  for (const value of values) {
    const [source = '', target, ...more] = value.split(':');
    if (source === '' || target === '' || more.length > 1) throw invalid(`invalid volume specification: '${value}'`);
    if (target === undefined) {
      volumes.push(source);
      continue;
    }
    if (target === '/') throw invalid(`invalid volume specification: '${value}': destination can't be '/'`);
    const from = source.startsWith('.') ? resolve(source) : source;
    binds.push([from, target, ...more].join(':'));
  }
  return { binds, volumes };
}

/** Parses `--tmpfs /run[:rw,size=64m]` values into path -> options. */
export function parseTmpfs(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((value) => {
      const colon = value.indexOf(':');
      return colon < 0 ? [value, ''] : [value.slice(0, colon), value.slice(colon + 1)];
    }),
  );
}

/** Parses `--mount type=bind,source=/a,target=/b,readonly`. */
export function parseMount(text: string): MountRequest {
  const mount: MountRequest = { Type: 'volume', Target: '' };
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    applyField(mount, key, value, field);
  }
  if (mount.Target === '') throw invalid('target is required');
  if (mount.VolumeOptions && mount.Type !== 'volume') throw mixed('volume', mount.Type);
  if (mount.BindOptions && mount.Type !== 'bind') throw mixed('bind', mount.Type);
  if (mount.ImageOptions && mount.Type !== 'image') throw mixed('image', mount.Type);
  if (mount.TmpfsOptions && mount.Type !== 'tmpfs') throw mixed('tmpfs', mount.Type);
  return mount;
}

function applyField(mount: MountRequest, key: string, value: string | undefined, field: string): void {
  const flag = () => (value === undefined ? true : booleanField(key, value));
  switch (key) {
    case 'readonly':
    case 'ro':
      mount.ReadOnly = flag();
      return;
    case 'volume-nocopy':
      mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: flag() };
      return;
    case 'bind-nonrecursive':
      mount.BindOptions = { ...mount.BindOptions, NonRecursive: flag() };
      return;
  }
  if (value === undefined) throw invalid(`invalid field '${field}' must be a key=value pair`);
  switch (key) {
    case 'type': {
      const type = value.toLowerCase();
      if (!['bind', 'volume', 'image', 'tmpfs'].includes(type)) throw invalid(`unsupported mount type '${value}'`);
      mount.Type = type;
      return;
    }
    case 'source':
    case 'src':
      mount.Source = value.startsWith('.') ? resolve(value) : value;
      return;
    case 'target':
    case 'dst':
    case 'destination':
      mount.Target = value;
      return;
    case 'bind-propagation':
      mount.BindOptions = { ...mount.BindOptions, Propagation: value.toLowerCase() };
      return;
    case 'volume-label': {
      const [name = '', ...text] = value.split('=');
      const Labels = { ...mount.VolumeOptions?.Labels, [name]: text.join('=') };
      mount.VolumeOptions = { ...mount.VolumeOptions, Labels };
      return;
    }
    case 'volume-subpath':
      mount.VolumeOptions = { ...mount.VolumeOptions, Subpath: value };
      return;
    case 'volume-driver':
      mount.VolumeOptions = {
        ...mount.VolumeOptions,
        DriverConfig: { ...mount.VolumeOptions?.DriverConfig, Name: value },
      };
      return;
    case 'volume-opt': {
      const [name = '', ...text] = value.split('=');
      const { DriverConfig } = mount.VolumeOptions ?? {};
      const Options = { ...DriverConfig?.Options, [name]: text.join('=') };
      mount.VolumeOptions = { ...mount.VolumeOptions, DriverConfig: { ...DriverConfig, Options } };
      return;
    }
    case 'image-subpath':
      mount.ImageOptions = { Subpath: value };
      return;
    case 'tmpfs-size':
      mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: parseBytes(value) };
      return;
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(value)) throw invalid(`invalid value for tmpfs-mode: ${value}`);
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value, 8) };
      return;
    case 'consistency':
      return; // a hint for other systems
    default:
      throw invalid(`unknown option '${key}' in '${field}'`);
  }
}

function booleanField(key: string, value: string): boolean {
  try {
    return parseBoolean(value);
  } catch {
    throw invalid(`invalid value for ${key}: ${value}`);
  }
}

function mixed(options: string, type: string): Failure {
  return invalid(`cannot mix '${options}-*' options with mount type '${type}'`);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'MOUNT_INVALID', message);
}
