import { readFileSync } from 'node:fs';
import { Failure } from '../../lib/error.ts';
import { systemMessage } from '../system-message.ts';

/** Environment of a container: the files first, then the flags. `NAME` alone takes the value from `env`. */
export function parseEnvironment(
  files: readonly string[],
  values: readonly string[],
  env: NodeJS.ProcessEnv,
): string[] {
  const fromFiles = files.flatMap((path) => readLines(path, env));
  const fromFlags = values.map((value) => {
    const equals = value.indexOf('=');
    if (equals === 0 || value === '') throw invalid(`invalid environment variable: ${value}`);
    if (equals > 0) return value;
    // Without a value here, the name alone tells the host to take the variable of the image away.
    return env[value] === undefined ? value : `${value}=${env[value]}`;
  });
  return [...fromFiles, ...fromFlags];
}

/** Labels of a container or an image. A label without `=` has an empty value. */
export function parseLabels(files: readonly string[], values: readonly string[]): Record<string, string> {
  return toMap([...files.flatMap((path) => readLines(path, {})), ...values]);
}

/** `key=value` texts as a map. */
export function toMap(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

function readLines(path: string, env: NodeJS.ProcessEnv): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Failure('invalid', 'FILE', `open ${path}: ${systemMessage(error)}`, { cause: error });
  }
  const pairs: string[] = [];
  for (const raw of text.replace(/^\ufeff/, '').split(/\r?\n/)) {
    const line = raw.trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    const name = equals < 0 ? line : line.slice(0, equals);
    if (name === '') throw invalid(`invalid environment file: ${path}: no variable name on line '${line}'`);
    if (/\s/.test(name)) throw invalid(`invalid environment file: ${path}: variable '${name}' contains whitespaces`);
    if (equals >= 0) pairs.push(line);
    else if (env[name] !== undefined) pairs.push(`${name}=${env[name]}`);
  }
  return pairs;
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'KEY_VALUE', message);
}
