import { posix } from 'node:path';
import { Failure } from '../lib/error.ts';
import { own } from '../lib/own.ts';
import type { MountField, MountFlag } from './instruction.ts';
import { didYouMean } from './suggest.ts';

/** A `RUN --mount` with variables expanded. Targets may be relative: to the stage's WORKDIR. */
export type Mount =
  | {
      readonly type: 'bind';
      /** Stage, image or named context; undefined for the build context. */
      readonly from: string | undefined;
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
    }
  | {
      readonly type: 'cache';
      /** Undefined: the cleaned target names the cache. */
      readonly id: string | undefined;
      readonly from: string | undefined;
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly sharing: 'shared' | 'private' | 'locked';
      readonly owner: Ownership;
    }
  | {
      readonly type: 'tmpfs';
      readonly target: string;
      readonly readOnly: boolean;
      /** Bytes; undefined for no limit. */
      readonly size: number | undefined;
    }
  | {
      readonly type: 'secret';
      readonly id: string;
      /** Path of the file; undefined when the secret only comes as a variable. */
      readonly target: string | undefined;
      /** Name of the environment variable; undefined when the secret only comes as a file. */
      readonly env: string | undefined;
      readonly required: boolean;
      readonly owner: Ownership;
    }
  | {
      readonly type: 'ssh';
      readonly id: string;
      /** Path of the socket; undefined for `/run/buildkit/ssh_agent.<n>`. */
      readonly target: string | undefined;
      readonly required: boolean;
      readonly owner: Ownership;
    };

export interface Ownership {
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

type MountType = Mount['type'];

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const satisfies readonly MountType[];
const SHARING = ['shared', 'private', 'locked'] as const;
const ALIASES: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};
const KEYS = [
  'type',
  'from',
  'source',
  'target',
  'readonly',
  'readwrite',
  'required',
  'size',
  'id',
  'sharing',
  'mode',
  'uid',
  'gid',
  'env',
];
const FLAGS = ['readonly', 'readwrite', 'required'];

/**
 * Types a mount once its variables can be expanded. Throws Failure `MOUNT_INVALID` for unknown keys and types, and
 * for keys that do not go with the type. https://docs.docker.com/reference/dockerfile/#run---mount
 */
export function resolveMount(flag: MountFlag, expand: (word: string) => string): Mount {
  const values = readFields(flag.fields, expand);
  const type = oneOf(TYPES, values.get('type') ?? 'bind', 'mount type');
  checkKeys(type, values);
  const from = flag.from;
  const source = values.get('source') ?? '';
  const target = values.get('target') ?? '';
  const owner = {
    mode: number(values, 'mode', 8),
    uid: number(values, 'uid', 10),
    gid: number(values, 'gid', 10),
  };
  const id = values.get('id');
  switch (type) {
    case 'bind':
      return { type, from, source, target, readOnly: readOnly(values, true) };
    case 'cache': {
      const sharing = oneOf(SHARING, values.get('sharing') ?? 'shared', 'sharing value');
      return {
        type,
        id: id === '' ? undefined : id,
        from,
        source,
        target,
        readOnly: readOnly(values, false),
        sharing,
        owner,
      };
    }
    case 'tmpfs': {
      const size = values.get('size');
      return {
        type,
        target,
        readOnly: readOnly(values, false),
        size: size === undefined ? undefined : parseSize(size),
      };
    }
    case 'secret': {
      const name = source !== '' ? source : (id ?? '');
      const required = boolean(values, 'required') ?? false;
      const env = values.get('env');
      const secret = name === '' ? posix.basename(target) : name;
      const file = target === '' && env === undefined ? `/run/secrets/${posix.basename(secret)}` : target;
      return { type, id: secret, target: file === '' ? undefined : file, env, required, owner };
    }
    case 'ssh':
      return {
        type,
        id: id === undefined || id === '' ? 'default' : id,
        target: target === '' ? undefined : target,
        required: boolean(values, 'required') ?? false,
        owner,
      };
  }
}

function readFields(fields: readonly MountField[], expand: (word: string) => string): Map<string, string> {
  const values = new Map<string, string>();
  for (const field of fields) {
    const key = own(ALIASES, field.key) ?? field.key;
    if (!KEYS.includes(key)) {
      const near = didYouMean(field.key, [...KEYS, ...Object.keys(ALIASES)]);
      throw invalid(`unexpected key '${field.key}' in '${field.text}'${near}`);
    }
    if (field.value === undefined && !FLAGS.includes(key))
      throw invalid(`invalid field '${field.text}' must be a key=value pair`);
    const value = field.value === undefined ? 'true' : key === 'from' ? field.value : expand(field.value);
    // readonly and readwrite are one setting: the last one written counts.
    if (key === 'readwrite') values.set('readonly', parseBoolean(field.key, value) ? 'false' : 'true');
    else values.set(key, value);
  }
  return values;
}

function checkKeys(type: MountType, values: ReadonlyMap<string, string>): void {
  const refuse = (key: string) => invalid(`unexpected key '${key}' for mount type '${type}'`);
  if (values.has('required') && type !== 'secret' && type !== 'ssh') throw refuse('required');
  if (values.has('size') && type !== 'tmpfs') throw refuse('size');
  if (values.has('env') && type !== 'secret') throw refuse('env');
  if (values.has('sharing') && type !== 'cache') throw invalid(`invalid cache sharing set for ${type} mount`);
  for (const key of ['mode', 'uid', 'gid'])
    if (values.has(key) && (type === 'bind' || type === 'tmpfs'))
      throw invalid(`${key} not allowed for "${type}" type mounts`);
  if (type === 'ssh' && (values.get('source') ?? '') !== '') throw invalid('ssh does not support source');
  if (type !== 'secret') return;
  const has = (key: string) => (values.get(key) ?? '') !== '';
  if (has('from')) throw invalid('secret mount should not have a from');
  if (!has('source') && !has('target') && !has('id'))
    throw invalid('invalid secret mount. one of source, target required');
  if (has('source') && has('id')) throw invalid("both source and id can't be set");
}

function readOnly(values: ReadonlyMap<string, string>, fallback: boolean): boolean {
  return boolean(values, 'readonly') ?? fallback;
}

function boolean(values: ReadonlyMap<string, string>, key: string): boolean | undefined {
  const value = values.get(key);
  return value === undefined ? undefined : parseBoolean(key, value);
}

function parseBoolean(key: string, value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(`invalid value for ${key}: ${value}`);
}

function number(values: ReadonlyMap<string, string>, key: string, base: 8 | 10): number | undefined {
  const value = values.get(key);
  if (value === undefined) return undefined;
  const digits = base === 8 ? /^[0-7]{1,12}$/ : /^\d{1,10}$/;
  const parsed = digits.test(value) ? Number.parseInt(value, base) : Number.NaN;
  if (!(parsed < 2 ** 32)) throw invalid(`invalid value ${value} for ${key}`);
  return parsed;
}

/** Bytes with an optional unit of 1024: `64m`, `1.5GiB`. */
function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d*)?|\.\d+) ?(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text);
  const power = match?.[2] === undefined ? 0 : 'kmgtp'.indexOf(match[2].toLowerCase()) + 1;
  const size = Math.floor(Number(match?.[1]) * 1024 ** power);
  if (!Number.isSafeInteger(size)) throw invalid(`invalid value for size: ${text}`);
  return size;
}

function oneOf<const T extends string>(allowed: readonly T[], value: string, what: string): T {
  const found = allowed.find((item) => item === value.toLowerCase());
  if (found !== undefined) return found;
  throw invalid(`unsupported ${what} ${JSON.stringify(value)}${didYouMean(value, allowed)}`);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'MOUNT_INVALID', message);
}
