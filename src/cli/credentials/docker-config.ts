import { chown, mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Failure, systemCode } from '../../lib/error.ts';

/** What the file keeps of one registry. `auth`: base64 of `user:password`, without the password beside a token. */
export interface AuthEntry {
  auth?: string;
  identitytoken?: string;
  /** By hand only: no client writes these two. */
  username?: string;
  password?: string;
}

/** The parts of Docker's `config.json` that hold credentials. Everything else in the file is kept as it is. */
export interface DockerConfig {
  auths?: Record<string, AuthEntry>;
  credsStore?: string;
  credHelpers?: Record<string, string>;
  [more: string]: unknown;
}

/** Place of the file: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
export function dockerConfigPath(env: NodeJS.ProcessEnv): string {
  return join(env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker'), 'config.json');
}

/** Reads the file; an absent one is empty. */
export async function readDockerConfig(path: string): Promise<DockerConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return {};
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Failure('invalid', 'CONFIG_FILE', `${path} is not JSON`, { cause: error });
  }
  if (typeof value !== 'object' || value === null) throw new Failure('invalid', 'CONFIG_FILE', `${path} is no object`);
  return { ...value };
}

/** Replaces the file in one step, readable by its owner only, who stays the same. A link stays one. */
export async function writeDockerConfig(path: string, config: DockerConfig): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const target = await realpath(path).catch(() => path); // not there yet
  const before = await stat(target).catch(() => undefined);
  const aside = `${target}.${process.pid}.partial`;
  try {
    await writeFile(aside, `${JSON.stringify(config, null, '\t')}\n`, { mode: 0o600 });
    // For root, who writes into somebody's home; to others the file is their own already.
    if (before) await chown(aside, before.uid, before.gid).catch(() => {});
    await rename(aside, target);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
