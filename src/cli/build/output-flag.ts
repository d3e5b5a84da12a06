import { Failure } from '../../lib/error.ts';
import { parseReference } from '../../oci/reference.ts';
import { splitFields } from '../flags/fields.ts';
import { parseBoolean } from '../flags/flag.ts';

/** What the host makes of an image for its client: a tar of its files, or an archive. */
export type OutputForm = 'tree' | 'docker' | 'oci';

/** Where a build's result goes. `names` are those of the flag itself. */
export type BuildOutput =
  | { readonly kind: 'image'; readonly names: readonly string[] }
  /** `path` is `-` for stdout. */
  | { readonly kind: 'file'; readonly form: OutputForm; readonly path: string; readonly names: readonly string[] }
  | { readonly kind: 'folder'; readonly form: OutputForm; readonly path: string; readonly names: readonly string[] };

/**
 * Reads a value of `build --output`: `DIR`, `-`, or `type=...,dest=...`.
 * https://docs.docker.com/reference/cli/docker/buildx/build/#output
 */
export function parseOutput(text: string): BuildOutput {
  if (text === '-') return { kind: 'file', form: 'tree', path: '-', names: [] };
  if (!/[=,]/.test(text) && text !== '') return { kind: 'folder', form: 'tree', path: text, names: [] };
  const { type, dest, name = '', tar = 'true', push = 'false', ...rest } = readFields(text);
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid(`unknown option '${unknown}' of output type ${type}: ${text}`);
  if (parseBoolean(push) || type === 'registry')
    throw new Failure('unsupported', 'OUTPUT_PUSH', `output ${text}: a build does not push`, {
      hint: 'give the image a name with -t and push it with "strake push"',
    });
  const names = name.split(',').filter((one) => one !== '');
  for (const one of names) parseReference(one);
  switch (type) {
    case undefined:
      throw invalid(`type is required for output: ${text}`);
    case 'image':
      return { kind: 'image', names };
    case 'local':
      if (dest === undefined) throw invalid('dest is required for local exporter');
      if (dest === '-') throw invalid('dest cannot be stdout for local exporter');
      return { kind: 'folder', form: 'tree', path: dest, names: [] };
    case 'tar':
      return { kind: 'file', form: 'tree', path: dest ?? '-', names: [] };
    case 'docker':
    case 'oci': {
      if (dest === undefined && type === 'docker') return { kind: 'image', names };
      if (parseBoolean(tar)) return { kind: 'file', form: type, path: dest ?? '-', names };
      if (dest === undefined || dest === '-') throw invalid(`dest is required for ${type} exporter with tar=false`);
      return { kind: 'folder', form: type, path: dest, names };
    }
    default:
      throw invalid(`unknown output type "${type}": expected image, local, tar, oci or docker`);
  }
}

function readFields(text: string): Partial<Record<string, string>> {
  const fields: Partial<Record<string, string>> = {};
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=');
    if (equals < 0) throw invalid(`invalid value ${field}: expected key=value in output ${text}`);
    const key = field.slice(0, equals).trim().toLowerCase();
    if (key in fields) throw invalid(`${key} is given twice in output ${text}`);
    fields[key === 'destination' ? 'dest' : key] = field.slice(equals + 1);
  }
  return fields;
}

const invalid = (message: string): Failure => new Failure('invalid', 'OUTPUT_INVALID', message);
