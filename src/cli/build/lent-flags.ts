import { readFileSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { Failure, systemCode } from '../../lib/error.ts';
import { AGENTS_HEADER, SECRET_LIMIT, SECRETS_HEADER, SECRETS_LIMIT } from '../../wire/build-input.ts';
import { splitFields } from '../flags/fields.ts';

/** A value of `--secret`: a file, or a variable of the command's environment. */
export type SecretSource =
  | { readonly id: string; readonly file: string }
  | { readonly id: string; readonly variable: string }
  /** The variable of that name if there is one, else the file of that name. */
  | { readonly id: string; readonly either: string };

/** A value of `--ssh`: the socket of an agent; undefined for that of SSH_AUTH_SOCK. */
export interface AgentSource {
  readonly id: string;
  readonly socket: string | undefined;
}

/**
 * Reads `id=name[,src=file|env=variable]`. https://docs.docker.com/reference/cli/docker/buildx/build/#secret
 */
export function parseSecret(text: string): SecretSource {
  const fields: Partial<Record<string, string>> = {};
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=');
    if (equals < 0) throw invalid(`invalid field '${field}' must be a key=value pair`);
    const key = field.slice(0, equals).toLowerCase();
    if (!['id', 'type', 'src', 'source', 'env'].includes(key))
      throw invalid(`unexpected key '${key}' in '${key}=...': known are id, src, env and type`);
    fields[key === 'source' ? 'src' : key] = field.slice(equals + 1);
  }
  const { id = '', src, env, type } = fields;
  if (id === '') throw invalid('a secret needs an id: --secret id=name,src=file');
  if (type !== undefined && type !== 'file' && type !== 'env') throw invalid(`unsupported secret type "${type}"`);
  if (type === 'env') return { id, variable: env ?? src ?? id };
  if (src !== undefined) return { id, file: src };
  if (env !== undefined) return { id, variable: env };
  return type === 'file' ? { id, file: id } : { id, either: id };
}

/** Reads `default`, or `id=socket`. */
export function parseAgent(text: string): AgentSource {
  const equals = text.indexOf('=');
  const id = equals < 0 ? text : text.slice(0, equals);
  if (id === '') throw invalid(`invalid --ssh "${text}": expected default or id=socket`);
  return { id, socket: equals < 0 ? undefined : text.slice(equals + 1) };
}

/**
 * The header that brings secrets to the host; none without secrets. A variable that is not set brings nothing: it is for
 * the RUN to say that it needs it.
 */
export function secretsHeader(sources: readonly SecretSource[], env: NodeJS.ProcessEnv): Record<string, string> {
  const pairs: string[] = [];
  let size = 0;
  for (const source of sources) {
    const content = contentOf(source, env);
    if (!content) continue;
    size += content.length;
    if (content.length > SECRET_LIMIT) throw invalid(`secret ${source.id} too big. max size ${SECRET_LIMIT}`);
    if (size > SECRETS_LIMIT) throw invalid(`the secrets are too big together. max size ${SECRETS_LIMIT}`);
    pairs.push(`${encodeURIComponent(source.id)}=${content.toString('base64')}`);
  }
  return pairs.length === 0 ? {} : { [SECRETS_HEADER]: pairs.join(',') };
}

/** The header that tells the host, on the same machine, where agents listen; none without agents. */
export function agentsHeader(sources: readonly AgentSource[], env: NodeJS.ProcessEnv): Record<string, string> {
  if (sources.length === 0) return {};
  const paths = Object.fromEntries(sources.map((source) => [source.id, socketOf(source, env)]));
  return { [AGENTS_HEADER]: Buffer.from(JSON.stringify(paths)).toString('base64') };
}

function contentOf(source: SecretSource, env: NodeJS.ProcessEnv): Buffer | undefined {
  if ('file' in source) return fileOf(source.id, source.file);
  const name = 'variable' in source ? source.variable : source.either;
  const value = env[name];
  if (value === undefined && 'either' in source) return fileOf(source.id, source.either);
  return value === undefined ? undefined : Buffer.from(value);
}

function fileOf(id: string, file: string): Buffer {
  try {
    const { size } = statSync(file);
    if (size > SECRET_LIMIT) throw invalid(`secret ${id} too big. max size ${SECRET_LIMIT}`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Failure) throw error;
    const why = { ENOENT: 'no such file or directory', EACCES: 'permission denied' }[systemCode(error) ?? ''];
    throw new Failure('not-found', 'SECRET_FILE', `failed to stat ${file}: ${why ?? systemCode(error)}`, {
      hint: `secret ${id} comes from it`,
      cause: error,
    });
  }
}

function socketOf({ id, socket }: AgentSource, env: NodeJS.ProcessEnv): string {
  const path = socket ?? env['SSH_AUTH_SOCK'] ?? '';
  if (path === '')
    throw new Failure('not-found', 'SSH_AGENT', `invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set`, {
      hint: `start an agent, or name its socket: --ssh ${id}=/path/of/socket`,
    });
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new Failure('not-found', 'SSH_AGENT', `failed to stat ${path}: no such file or directory`);
  if (found.isSocket()) return realpathSync(resolve(path));
  throw new Failure('unsupported', 'SSH_KEY', `--ssh ${id}=${path}: not the socket of an agent`, {
    hint: 'a key is not sent to the host: add it to an agent with ssh-add, and name that',
  });
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'BUILD_FLAG', message);
}
