import { Failure, isFailure } from '../../lib/error.ts';
import { runProgram } from '../../lib/run-program.ts';
import {
  type AuthEntry,
  type DockerConfig,
  dockerConfigPath,
  readDockerConfig,
  writeDockerConfig,
} from './docker-config.ts';

export interface Credentials {
  /** Empty where a helper keeps only a token. */
  readonly username: string;
  readonly secret: string;
  /** `token`: the secret is an identity token, which a registry gives instead of the password. */
  readonly kind: 'password' | 'token';
}

/** User name by which credential helpers mark an identity token. */
const TOKEN_USER = '<token>';

interface StoreOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/**
 * Credentials of a registry from where Docker keeps them: a credential helper, or its config file. A helper that is missing
 * or fails is `unavailable` CREDENTIAL_HELPER.
 */
export async function loadCredentials(key: string, options: StoreOptions): Promise<Credentials | undefined> {
  const config = await readDockerConfig(dockerConfigPath(options.env));
  const helper = helperOf(config, key);
  if (helper !== undefined) return await askHelper(helper, key, options);
  const { auths = {} } = config;
  // Old files name registries by URL.
  const name = Object.hasOwn(auths, key) ? key : Object.keys(auths).find((entry) => hostOf(entry) === hostOf(key));
  return name === undefined ? undefined : fromEntry(auths[name]);
}

/** All credentials that the config file and its helpers know; a helper that fails gets its say in `onFailure`. */
export async function loadAllCredentials(
  options: StoreOptions & { readonly onFailure?: (failure: Failure) => void },
): Promise<Map<string, Credentials>> {
  const config = await readDockerConfig(dockerConfigPath(options.env));
  const keys = new Set([...Object.keys(config.auths ?? {}), ...Object.keys(config.credHelpers ?? {})]);
  const all = new Map<string, Credentials>();
  try {
    if (config.credsStore) for (const key of await listHelper(config.credsStore, options)) keys.add(key);
    for (const key of keys) {
      const credentials = await loadCredentials(key, options);
      if (credentials) all.set(key, credentials);
    }
  } catch (error) {
    if (!options.onFailure || !isFailure(error, 'unavailable')) throw error;
    options.onFailure(error);
  }
  return all;
}

/** Keeps credentials; returns the helper that has them, or undefined when they lie in the config file. */
export async function saveCredentials(
  key: string,
  credentials: Credentials,
  options: StoreOptions,
): Promise<string | undefined> {
  const path = dockerConfigPath(options.env);
  const config = await readDockerConfig(path);
  const helper = helperOf(config, key);
  const { username, secret, kind } = credentials;
  if (helper !== undefined) {
    const kept = { ServerURL: key, Username: kind === 'token' ? TOKEN_USER : username, Secret: secret };
    await runHelper(helper, 'store', JSON.stringify(kept), options);
  }
  const entry = helper === undefined ? toEntry(credentials) : {};
  await writeDockerConfig(path, { ...config, auths: { ...config.auths, [key]: entry } });
  return helper;
}

/** Forgets credentials. */
export async function eraseCredentials(key: string, options: StoreOptions): Promise<void> {
  const path = dockerConfigPath(options.env);
  const config = await readDockerConfig(path);
  const helper = helperOf(config, key);
  if (helper !== undefined) await runHelper(helper, 'erase', key, options);
  const { auths = {} } = config;
  const kept = Object.entries(auths).filter(([entry]) => hostOf(entry) !== hostOf(key));
  if (kept.length === Object.keys(auths).length) return;
  await writeDockerConfig(path, { ...config, auths: Object.fromEntries(kept) });
}

function helperOf(config: DockerConfig, key: string): string | undefined {
  return config.credHelpers?.[key] ?? (config.credsStore || undefined);
}

const hostOf = (key: string): string => key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');

function fromEntry(entry: AuthEntry | undefined): Credentials | undefined {
  const decoded = Buffer.from(entry?.auth ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  const username = colon < 0 ? (entry?.username ?? '') : decoded.slice(0, colon);
  if (entry?.identitytoken) return { username, secret: entry.identitytoken, kind: 'token' };
  // Some tools end the password with zeros.
  const secret = colon < 0 ? (entry?.password ?? '') : decoded.slice(colon + 1).replace(/\0+$/, '');
  return username === '' ? undefined : { username, secret, kind: 'password' };
}

function toEntry({ username, secret, kind }: Credentials): AuthEntry {
  const auth = (password: string) => Buffer.from(`${username}:${password}`).toString('base64');
  return kind === 'token' ? { auth: auth(''), identitytoken: secret } : { auth: auth(secret) };
}

async function askHelper(helper: string, key: string, options: StoreOptions): Promise<Credentials | undefined> {
  const answer = await runHelper(helper, 'get', key, options);
  if (answer === undefined) return undefined;
  const { Username: username, Secret: secret } = parseAnswer(helper, 'get', answer);
  if (typeof username !== 'string' || typeof secret !== 'string') throw helperFailure(helper, 'get', 'no credentials');
  return username === TOKEN_USER ? { username: '', secret, kind: 'token' } : { username, secret, kind: 'password' };
}

async function listHelper(helper: string, options: StoreOptions): Promise<string[]> {
  const answer = await runHelper(helper, 'list', '', options);
  return answer === undefined ? [] : Object.keys(parseAnswer(helper, 'list', answer));
}

function parseAnswer(helper: string, action: string, answer: string): Record<string, unknown> {
  try {
    return { ...Object(JSON.parse(answer)) };
  } catch {
    throw helperFailure(helper, action, 'its answer is not JSON');
  }
}

/** Runs a credential helper; undefined when it does not know the registry. */
async function runHelper(
  helper: string,
  action: 'get' | 'store' | 'erase' | 'list',
  stdin: string,
  { env, signal }: StoreOptions,
): Promise<string | undefined> {
  const program = `docker-credential-${helper}`;
  const result = await runProgram(program, [action], { stdin, env, signal }).catch((error: unknown) => {
    if (!isFailure(error, 'unavailable')) throw error;
    throw helperFailure(helper, action, 'it is not installed', error);
  });
  if (result.exitCode === 0) return result.stdout;
  const message = (result.stdout || result.stderr).trim();
  if (/credentials not found/i.test(message)) return undefined;
  throw helperFailure(helper, action, message);
}

function helperFailure(helper: string, action: string, problem: string, cause?: unknown): Failure {
  return new Failure('unavailable', 'CREDENTIAL_HELPER', `docker-credential-${helper} ${action} failed: ${problem}`, {
    hint: 'the config file of docker names it as credsStore or in credHelpers',
    ...(cause !== undefined && { cause }),
  });
}
