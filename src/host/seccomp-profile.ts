import { Failure, messageOf } from '../lib/error.ts';
import { ownInterfaces, type Seccomp, type SyscallRule } from './seccomp.ts';

const SIZE_LIMIT = 1 << 20;

/**
 * A seccomp profile as users of Docker write them, for a container with these capabilities: the runtime specification's form
 * plus `archMap`, rules with one `name`, and rules that depend on capabilities and architectures. Anything else is a Failure
 * of kind `invalid`. https://docs.docker.com/engine/security/seccomp/
 */
export function parseSeccompProfile(text: string, capabilities: readonly string[]): Seccomp {
  if (text.length > SIZE_LIMIT) throw invalid(`more than ${SIZE_LIMIT} characters`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw invalid(messageOf(error));
  }
  const profile = record(document, 'the profile');
  const applies = (rule: Fields) =>
    matches(rule['includes'], capabilities, 'all') && !matches(rule['excludes'], capabilities, 'any');
  const syscalls = array(profile['syscalls'] ?? [], 'syscalls')
    .map((rule) => record(rule, 'syscalls'))
    .filter(applies)
    .map(toRule);
  const stated = array(profile['architectures'] ?? [], 'architectures').map((name) => string(name, 'architectures'));
  const errno = profile['defaultErrnoRet'];
  return {
    defaultAction: string(profile['defaultAction'], 'defaultAction'),
    ...(errno === undefined || errno === null ? {} : { defaultErrnoRet: number(errno, 'defaultErrnoRet') }),
    architectures: stated.length > 0 ? stated : ownInterfaces(),
    syscalls,
  };
}

type Fields = Readonly<Record<string, unknown>>;

function toRule(rule: Fields): SyscallRule {
  const names = rule['names'] === undefined || rule['names'] === null ? [rule['name']] : array(rule['names'], 'names');
  const errno = rule['errnoRet'];
  return {
    names: names.map((name) => string(name, 'names')),
    action: string(rule['action'], 'action'),
    ...(errno === undefined || errno === null ? {} : { errnoRet: number(errno, 'errnoRet') }),
    args: array(rule['args'] ?? [], 'args')
      .map((argument) => record(argument, 'args'))
      .map((argument) => ({
        index: number(argument['index'] ?? 0, 'index'),
        value: number(argument['value'] ?? 0, 'value'),
        valueTwo: number(argument['valueTwo'] ?? 0, 'valueTwo'),
        op: string(argument['op'], 'op'),
      })),
  };
}

/** Whether a filter of a rule fits: capabilities (all of `includes`, any of `excludes`) and architectures. */
function matches(filter: unknown, capabilities: readonly string[], how: 'all' | 'any'): boolean {
  const fields = filter === undefined || filter === null ? {} : record(filter, 'includes');
  const caps = array(fields['caps'] ?? [], 'caps').map((name) => string(name, 'caps'));
  const arches = array(fields['arches'] ?? [], 'arches').map((name) => string(name, 'arches'));
  const has = (name: string) => capabilities.includes(name);
  const isHere = arches.includes(process.arch === 'x64' ? 'amd64' : process.arch);
  if (how === 'all') return caps.every(has) && (arches.length === 0 || isHere);
  return caps.some(has) || isHere;
}

function record(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} must be an object`);
  return value as Fields; // an object that came out of JSON.parse
}

function array(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`${what} must be a list`);
  return value;
}

function string(value: unknown, what: string): string {
  if (typeof value !== 'string') throw invalid(`${what} must be a text`);
  return value;
}

function number(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw invalid(`${what} must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
  return value;
}

function invalid(what: string): Failure {
  return new Failure('invalid', 'SECCOMP_PROFILE', `Decoding seccomp profile failed: ${what}`);
}
