import { Failure } from '../../lib/error.ts';
import { runProgram } from '../../lib/run-program.ts';
import { type DockerConfig, dockerConfigPath, readDockerConfig, writeDockerConfig } from './docker-config.ts';

export interface Credentials {
  readonly username: string;
  /** Password, or the token when `username` is `<token>`. */
  readonly secret: string;
}

/** User name by which credential helpers mark an identity token. */
export const TOKEN_USER = '<token>';

interface StoreOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Credentials of a registry from where Docker keeps them: a credential helper, or its config file. */
export async function loadCredentials(key: string, options: StoreOptions): Promise<Credentials | undefined> {
  const config = await readDockerConfig(dockerConfigPath(options.env));
  const helper = helperOf(config, key);
  if (helper !== undefined) {
    const result = await runHelper(helper, 'get', key, options);
    if (result === undefined) return undefined;
    const { Username, Secret }: { Username: string; Secret: string } = JSON.parse(result);
    return { username: Username, secret: Secret };
  }
  const entry = config.auths?.[key];
  if (!entry) return undefined;
  if (entry.identitytoken) return { username: TOKEN_USER, secret: entry.identitytoken };
  const decoded = Buffer.from(entry.auth ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon < 0 ? undefined : { username: decoded.slice(0, colon), secret: decoded.slice(colon + 1) };
}

/** All credentials that the config file names. */
export async function loadAllCredentials(options: StoreOptions): Promise<Map<string, Credentials>> {
  const config = await readDockerConfig(dockerConfigPath(options.env));
  const keys = new Set([...Object.keys(config.auths ?? {}), ...Object.keys(config.credHelpers ?? {})]);
  const all = new Map<string, Credentials>();
  for (const key of keys) {
    const credentials = await loadCredentials(key, options);
    if (credentials) all.set(key, credentials);
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
  if (helper !== undefined) {
    const secret = { ServerURL: key, Username: credentials.username, Secret: credentials.secret };
    await runHelper(helper, 'store', JSON.stringify(secret), options);
  }
  const token = credentials.username === TOKEN_USER;
  const pair = Buffer.from(`${credentials.username}:${credentials.secret}`).toString('base64');
  const entry = helper === undefined ? (token ? { identitytoken: credentials.secret } : { auth: pair }) : {};
  await writeDockerConfig(path, { ...config, auths: { ...config.auths, [key]: entry } });
  return helper;
}

/** Forgets credentials. */
export async function eraseCredentials(key: string, options: StoreOptions): Promise<void> {
  const path = dockerConfigPath(options.env);
  const config = await readDockerConfig(path);
  const helper = helperOf(config, key);
  if (helper !== undefined) await runHelper(helper, 'erase', key, options);
  if (config.auths?.[key] === undefined) return;
  const { [key]: _, ...auths } = config.auths;
  await writeDockerConfig(path, { ...config, auths });
}

function helperOf(config: DockerConfig, key: string): string | undefined {
  return config.credHelpers?.[key] ?? (config.credsStore || undefined);
}

/** Runs a credential helper; undefined when it does not know the registry. */
async function runHelper(
  helper: string,
  action: 'get' | 'store' | 'erase',
  stdin: string,
  { env, signal }: StoreOptions,
): Promise<string | undefined> {
  const program = `docker-credential-${helper}`;
  const result = await runProgram(program, [action], { stdin, env, signal });
  if (result.exitCode === 0) return result.stdout;
  const message = (result.stdout || result.stderr).trim();
  if (/credentials not found/i.test(message)) return undefined;
  throw new Failure('unavailable', 'CREDENTIAL_HELPER', `${program} ${action} failed: ${message}`);
}
