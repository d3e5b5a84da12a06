/** Bundles the command, the host and the worker script into dist/, all in one folder so that workers find each other. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { OFTEN_CALLED } from '../src/bin/compiled-command.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
// Built aside and swapped, so that a command that starts meanwhile finds a whole bundle.
const aside = mkdtempSync(join(root, '.dist-'));
try {
  const shared = {
    absWorkingDir: root,
    entryNames: '[name]',
    outdir: join(aside, 'new'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    packages: 'external',
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'warning',
  } as const;
  await build({
    ...shared,
    entryPoints: [
      'src/bin/host.ts',
      'src/bin/keeper.ts',
      'src/bin/registry-import.ts',
      'src/bin/registry-worker.ts',
      'src/bin/worker.ts',
    ],
    chunkNames: 'chunk-[hash]',
    splitting: true,
    format: 'esm',
  });
  // The explorer's page, as browsers get it.
  const page = join(root, 'src/web/page');
  const explorer = join(aside, 'new/explorer');
  await build({
    entryPoints: [join(page, 'main.ts')],
    outfile: join(explorer, 'explorer.js'),
    bundle: true,
    platform: 'browser',
    target: 'es2023',
    format: 'esm',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  for (const name of ['index.html', 'explorer.css', 'icon.svg']) copyFileSync(join(page, name), join(explorer, name));
  // The command starts anew for every call, and a registry should answer soon. As one CommonJS file each is read at once, and
  // loads only those parts of Node that it calls: an import would also make what their modules offer besides (a whole fetch).
  await build({
    ...shared,
    entryPoints: ['src/bin/command.ts', 'src/bin/quick-command.ts', 'src/bin/strake.ts', 'src/bin/registry.ts'],
    minifyWhitespace: true,
    minifySyntax: true,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    banner: { js: "const import_meta_url = require('node:url').pathToFileURL(__filename).href;" },
    define: { 'import.meta.url': 'import_meta_url', 'import.meta.dirname': '__dirname' },
  });
  for (const name of ['command.cjs', 'quick-command.cjs'])
    if (readFileSync(join(aside, 'new', name)).some((byte) => byte > 127))
      throw new Error(`${name} must be ASCII: see src/bin/compiled-command.ts`);
  for (const word of [...OFTEN_CALLED, 'other']) {
    const script = join(root, 'scripts/keep-code.ts');
    const { status, stderr } = spawnSync(process.execPath, [script, join(aside, 'new'), word]);
    if (status !== 0) throw new Error(`the code of ${word} could not be kept: ${stderr}`);
  }
  try {
    renameSync(dist, join(aside, 'old'));
  } catch {
    // the first build
  }
  renameSync(join(aside, 'new'), dist);
} finally {
  rmSync(aside, { recursive: true, force: true });
}
