/** Images by way of a registry, Debian's docker-registry on this machine: push and pull of one layer, beside docker. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packTree } from './archive-scenarios.ts';
import type { Phase, Scenario } from './scenarios.ts';

export const transferScenarios: readonly Scenario[] = [
  {
    name: 'registry, 200 MB in 5,000 files',
    rounds: 2,
    prepare: (context, seed) => packTree(context, seed, { large: 16, small: 5000 }),
    phases: [
      {
        ...phase('push', 'push'),
        before: (context, peer, tag) => {
          const { file, args, env } =
            peer.archives?.importTar(join(context, 'root.tar'), nameOf(peer.name, tag)) ?? none;
          must(spawnSync(file, args, { env: { ...process.env, ...env }, encoding: 'utf8' }));
        },
      },
      { ...phase('pull', 'pull'), before: (_, peer, tag) => peer.archives?.remove(nameOf(peer.name, tag)) },
    ],
  },
];

const none = { file: 'true', args: [], env: {} };

function phase(name: string, command: 'push' | 'pull'): Phase {
  return {
    name,
    target: 0.5,
    peer: 'docker',
    invoke: (peer, _, tag) => peer.archives?.[command](nameOf(peer.name, tag)),
  };
}

/** Each peer has a repository of its own: none finds what another has pushed. */
const nameOf = (peer: string, tag: string): string => `${registry()}/${peer}/${tag}`;

let address: string | undefined;

/** Starts the registry when it is first asked for; it ends with the bench. */
function registry(): string {
  if (address !== undefined) return address;
  const folder = mkdtempSync('/var/tmp/strake-bench-registry-');
  address = `127.0.0.1:${30_000 + (process.pid % 20_000)}`;
  const config = { version: '0.1', log: { level: 'error', accesslog: { disabled: true } }, http: { addr: address } };
  const storage = { filesystem: { rootdirectory: join(folder, 'data') } };
  writeFileSync(join(folder, 'config.yml'), JSON.stringify({ ...config, storage })); // JSON is YAML
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  child.unref();
  process.once('exit', () => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  must(
    spawnSync('curl', ['-fsS', '--retry', '50', '--retry-delay', '1', '--retry-connrefused', `http://${address}/v2/`], {
      encoding: 'utf8',
    }),
  );
  return address;
}

function must({ status, stderr }: { readonly status: number | null; readonly stderr: string }): void {
  if (status !== 0) throw new Error(`the registry, or the import for it, failed: ${stderr}`);
}
