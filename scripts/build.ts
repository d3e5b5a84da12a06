/** Bundles the command, the host and the worker script into dist/, all in one folder so that workers find each other. */
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
// Built aside and swapped, so that a command that starts meanwhile finds a whole bundle.
const aside = mkdtempSync(join(root, '.dist-'));
try {
  await build({
    absWorkingDir: root,
    entryPoints: ['src/bin/strake.ts', 'src/bin/host.ts', 'src/bin/worker.ts'],
    entryNames: '[name]',
    chunkNames: 'chunk-[hash]',
    outdir: join(aside, 'new'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    packages: 'external',
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'warning',
  });
  try {
    renameSync(dist, join(aside, 'old'));
  } catch {
    // the first build
  }
  renameSync(join(aside, 'new'), dist);
} finally {
  rmSync(aside, { recursive: true, force: true });
}
