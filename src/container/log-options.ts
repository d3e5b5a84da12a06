import { Failure } from '../lib/error.ts';
import { own } from '../lib/own.ts';
import type { ContainerConfig, HostConfig } from '../wire/container.ts';
import type { LogLimits } from './log-writer.ts';

type LogConfig = NonNullable<HostConfig['LogConfig']>;

const FILE_OPTIONS = [
  'max-size',
  'max-file',
  'compress',
  'labels',
  'labels-regex',
  'env',
  'env-regex',
  'tag',
  'mode',
  'max-buffer-size',
];
const DRIVERS: Readonly<Record<string, readonly string[]>> = {
  'json-file': FILE_OPTIONS,
  // The same files here; Docker's have a form of their own.
  local: ['max-size', 'max-file', 'compress', 'mode', 'max-buffer-size'],
  none: [],
};
const UNITS = 'bkmgtp';

/** Limits of a log's files. Refuses drivers and options that this host does not have, in Docker's words. */
export function logLimits({ Type, Config }: LogConfig): LogLimits {
  const known = own(DRIVERS, Type);
  if (!known) throw invalid(`error looking up logging plugin ${Type}: plugin "${Type}" not found`);
  for (const name of Object.keys(Config))
    if (!known.includes(name))
      throw invalid(`unknown log opt '${name}' for ${Type === 'local' ? 'log driver local' : `${Type} log driver`}`);
  checkMode(Config);
  for (const option of ['labels-regex', 'env-regex']) checkPattern(option, Config[option]);
  const defaults =
    Type === 'local' ? { size: '20m', files: '5', compress: true } : { size: '-1', files: '1', compress: false };
  const maxSize = parseSize(Config['max-size'] ?? defaults.size);
  const files = Config['max-file'] ?? defaults.files;
  if (!/^-?\d{1,9}$/.test(files)) throw failed(`strconv.Atoi: parsing "${files}": invalid syntax`);
  if (Number(files) < 1) throw failed('max-file cannot be less than 1');
  const maxFiles = Number(files);
  const compress = Config['compress'] === undefined ? defaults.compress && maxFiles > 1 : parseFlag(Config['compress']);
  if (compress && (maxFiles < 2 || maxSize === undefined))
    throw failed('compress cannot be true when max-file is less than 2 or max-size is not set');
  return { maxSize, maxFiles, compress };
}

function checkPattern(option: string, pattern: string | undefined): void {
  try {
    if (pattern !== undefined) new RegExp(pattern);
  } catch {
    throw failed(`invalid regular expression of log option ${option}: ${pattern}`);
  }
}

/** Lines never wait here: blocking and non-blocking come to the same. */
function checkMode({ mode = 'blocking', 'max-buffer-size': buffer }: LogConfig['Config']): void {
  if (mode !== 'blocking' && mode !== 'non-blocking') throw invalid(`logger: logging mode not supported: ${mode}`);
  if (buffer !== undefined && mode === 'blocking')
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
}

/** What `logs --details` shows before each line: labels, variables and the tag that the log's options name. */
export function logDetails(config: ContainerConfig, { Config }: LogConfig, id: string): string {
  const labels = Object.entries(config.Labels ?? {});
  const variables = (config.Env ?? []).map((entry): [string, string] => {
    const [name = '', value = ''] = entry.split(/=(.*)/s);
    return [name, value];
  });
  const attributes = [
    ...named(labels, Config['labels'], Config['labels-regex']),
    ...named(variables, Config['env'], Config['env-regex']),
    ...(Config['tag'] ? [['tag', tagOf(Config['tag'], id)] as const] : []),
  ];
  const encode = (text: string) => encodeURIComponent(text).replaceAll('%20', '+');
  const texts = attributes.map(([name, value]) => `${encode(name)}=${encode(value)}`);
  return `${texts.sort().join(',')} `;
}

function named(
  pairs: readonly [string, string][],
  names: string | undefined,
  pattern: string | undefined,
): [string, string][] {
  const wanted = new Set((names ?? '').split(',').filter(Boolean));
  const matches = pattern ? new RegExp(pattern) : undefined;
  return pairs.filter(([name]) => wanted.has(name) || matches?.test(name));
}

/** The placeholders of IDs are those that people use; others stay as they are written. */
function tagOf(tag: string, id: string): string {
  return tag.replace(/\{\{\s*\.(ID|FullID)\s*\}\}/g, (_, name: string) => (name === 'ID' ? id.slice(0, 12) : id));
}

/** The words that Go's strconv takes for a flag. */
function parseFlag(text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw failed(`strconv.ParseBool: parsing "${text}": invalid syntax`);
}

/** Sizes of log files count in thousands. */
function parseSize(text: string): number | undefined {
  if (text === '-1') return undefined;
  const [, number = '', unit = 'b'] = /^(\d+(?:\.\d+)?) ?([kmgtp])?b?$/i.exec(text) ?? [];
  if (number === '') throw failed(`invalid size: '${text}'`);
  const size = Math.trunc(Number(number) * 1000 ** UNITS.indexOf(unit.toLowerCase()));
  if (size <= 0) throw failed('max-size must be a positive number');
  return size;
}

function failed(why: string): Failure {
  return invalid(`failed to initialize logging driver: ${why}`);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'LOG_OPTIONS', message);
}
