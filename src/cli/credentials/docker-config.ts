import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Failure, systemCode } from '../../lib/error.ts';

/** The parts of Docker's `config.json` that hold credentials. Everything else in the file is kept as it is. */
export interface DockerConfig {
  auths?: Record<string, { auth?: string; identitytoken?: string }>;
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

/** Replaces the file in one step, readable by its owner only. */
export async function writeDockerConfig(path: string, config: DockerConfig): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.${process.pid}.partial`;
  await writeFile(aside, `${JSON.stringify(config, null, '\t')}\n`, { mode: 0o600 });
  await rename(aside, path);
}
