/** `docker compose` (v2) drives a host. */
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, run, startHost, type TestHost } from './harness.ts';
import { NEWER_DOCKER, pluginConfig, withoutNewerClients } from './newer-clients.ts';

let host: TestHost;
let env: Record<string, string>;
before(async () => {
  host = await startHost();
  await importBusybox(host);
  if (!withoutNewerClients) env = { DOCKER_HOST: `unix://${host.socket}`, DOCKER_CONFIG: pluginConfig(host.folder) };
});
after(() => host[Symbol.asyncDispose]());

/** `docker compose` in a folder, with exit code 0 expected; its stdout without the last newline. */
async function compose(cwd: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(NEWER_DOCKER, ['compose', ...args], { cwd, env, timeout: 60_000 });
  assert.equal(
    code,
    0,
    `docker compose ${args.join(' ')}: exit ${code}\n${stdout}\n${stderr}\n${host.log().slice(-2000)}`,
  );
  return stdout.replace(/\n$/, '');
}

test('a service starts and goes', { skip: withoutNewerClients }, async () => {
  const folder = mkdtempSync(join(host.folder, 'one-'));
  writeFileSync(join(folder, 'compose.yaml'), 'services: { a: { image: busybox, init: true, command: sleep 1000 } }\n');
  await compose(folder, 'up', '-d');
  assert.equal(await compose(folder, 'ps', '--format', '{{.Service}} {{.State}}'), 'a running');
  await compose(folder, 'down', '-t', '0');
  assert.equal(await host.ok(['ps', '-aq']), '');
});
