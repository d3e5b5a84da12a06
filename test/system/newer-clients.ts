/**
 * The docker command, buildx and compose v2 of scripts/newer-clients.sh. A test that needs them says
 * `{ skip: withoutNewerClients }`.
 */
import { existsSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const clients = fileURLToPath(new URL('../../.clients/usr', import.meta.url));

/** The `docker` command of Debian 13 (26.1). */
export const NEWER_DOCKER = join(clients, 'bin/docker');

/** Why a test cannot run; false where they are. */
export const withoutNewerClients: string | false = existsSync(NEWER_DOCKER)
  ? false
  : 'docker 26, buildx and compose v2 are not in .clients/: run `sh scripts/newer-clients.sh`, which says why it cannot';

/** A new folder below `parent` for DOCKER_CONFIG: `docker buildx` and `docker compose` work with it, any `docker`'s. */
export function pluginConfig(parent: string): string {
  const folder = mkdtempSync(join(parent, 'docker-config-'));
  const plugins = join(folder, 'cli-plugins');
  mkdirSync(plugins);
  for (const name of ['docker-buildx', 'docker-compose'])
    symlinkSync(join(clients, 'libexec/docker/cli-plugins', name), join(plugins, name));
  return folder;
}
