/** Checks that imports between the rooms under src/ only go down. The table is the one in ARCHITECTURE.md. */
import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const EVERYWHERE = ['lib', 'oci', 'wire'];
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  oci: ['lib'],
  wire: ['lib', 'oci'],
  tar: EVERYWHERE,
  host: EVERYWHERE,
  store: EVERYWHERE,
  remote: EVERYWHERE,
  registry: EVERYWHERE,
  dockerfile: EVERYWHERE,
  web: EVERYWHERE,
  snapshot: [...EVERYWHERE, 'tar', 'host', 'store'],
  container: [...EVERYWHERE, 'host', 'store', 'snapshot'],
  build: [...EVERYWHERE, 'tar', 'host', 'dockerfile', 'store', 'snapshot'],
  engine: [...EVERYWHERE, 'tar', 'host', 'store', 'remote', 'dockerfile', 'snapshot', 'container', 'build'],
  // Clients of BuildKit's protocol take the files of a result one by one: the door reads them off a tar, a pure room.
  api: [...EVERYWHERE, 'tar'],
  // The command sends a build's context itself when the host cannot see the folder: it needs the ignore rules and the
  // tar format, both pure rooms, and nothing else of the host. Commands about registries are clients of registries.
  // The explorer's page is served by the command.
  cli: [...EVERYWHERE, 'dockerfile', 'tar', 'remote', 'web'],
  bin: [
    ...EVERYWHERE,
    'tar',
    'host',
    'store',
    'remote',
    'registry',
    'dockerfile',
    'snapshot',
    'container',
    'build',
    'engine',
    'api',
    'web',
    'cli',
  ],
};

/** Imports of `root`/src that the table forbids, one line each, and how many imports were looked at. */
export async function findUpwardImports(root: string): Promise<{ looked: number; wrong: string[] }> {
  const wrong: string[] = [];
  let looked = 0;
  for await (const file of glob('src/**/*.ts', { cwd: root })) {
    const room = file.split('/')[1] ?? '';
    const allowed = ROOMS[room];
    if (!allowed) {
      wrong.push(`${file}: room "${room}" is not in the table`);
      continue;
    }
    for (const match of readFileSync(join(root, file), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
      looked++;
      const target = normalize(join(dirname(file), match[1] ?? '')).split('/')[1] ?? '';
      if (target !== room && !allowed.includes(target))
        wrong.push(`${file}: ${room} must not import ${target} (${match[1]})`);
    }
  }
  return { looked, wrong };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { looked, wrong } = await findUpwardImports(fileURLToPath(new URL('..', import.meta.url)));
  for (const line of wrong) console.error(line);
  if (looked === 0) console.error('no import was looked at');
  if (wrong.length > 0 || looked === 0) process.exitCode = 1;
  else console.log(`${looked} imports, all downwards`);
}
