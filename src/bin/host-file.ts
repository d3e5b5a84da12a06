import { readFileSync } from 'node:fs';
import { Failure, messageOf, systemCode } from '../lib/error.ts';

const DEFAULT_FILE = '/etc/strake/host.json';
const SIZE_LIMIT = 1 << 20;

/** What `parseArgs` is told of a flag. */
interface FlagForm {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
}

/**
 * The host's configuration file as words of a command line: JSON with the keys of Docker's daemon.json, which are the names of
 * the flags, in the plural where they are lists: `{"registry-mirrors": ["https://m"]}`. The default file need not be there.
 * An unknown key or a value of another type is `invalid` HOST_FILE.
 */
export function hostFileWords(path: string | undefined, flags: Readonly<Record<string, FlagForm>>): string[] {
  const file = path ?? DEFAULT_FILE;
  const refuse = (problem: string) =>
    new Failure('invalid', 'HOST_FILE', `unable to configure the host with file ${file}: ${problem}`);
  const document = read(file, path !== undefined, refuse);
  const keys = new Map(Object.entries(flags).map(([name, form]) => [form.multiple ? plural(name) : name, name]));
  const unknown = Object.keys(document).filter((key) => !keys.has(key));
  if (unknown.length > 0)
    throw refuse(`the following directives don't match any configuration option: ${unknown.join(', ')}`);
  return Object.entries(document).flatMap(([key, value]) => {
    const name = keys.get(key) ?? key;
    const form = flags[name];
    if (form?.multiple && Array.isArray(value) && value.every((item) => typeof item === 'string'))
      return value.map((item) => `--${name}=${item}`);
    if (form?.type === 'boolean' && typeof value === 'boolean') return value ? [`--${name}`] : [];
    if (form?.type === 'string' && !form.multiple && typeof value === 'string') return [`--${name}=${value}`];
    const wanted = form?.multiple ? 'a list of strings' : form?.type === 'boolean' ? 'true or false' : 'a string';
    throw refuse(`"${key}" must be ${wanted}`);
  });
}

function read(file: string, isAsked: boolean, refuse: (problem: string) => Failure): object {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.length > SIZE_LIMIT) throw refuse(`it is over the limit of ${SIZE_LIMIT} bytes`);
    const document: unknown = JSON.parse(text.trim() === '' ? '{}' : text);
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) return document;
  } catch (error) {
    if (!isAsked && systemCode(error) === 'ENOENT') return {};
    throw error instanceof Failure ? error : refuse(messageOf(error));
  }
  throw refuse('it is no JSON object');
}

const plural = (name: string): string => (name.endsWith('y') ? `${name.slice(0, -1)}ies` : `${name}s`);
