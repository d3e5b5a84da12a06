/** Runs the tests: `unit` (beside the code) or `system` (the built command against the real machine). */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const kind = process.argv[2];
const only = process.argv[3] ?? '';
const root = fileURLToPath(new URL('..', import.meta.url));
const pattern = kind === 'system' ? 'test/system/**/*.test.ts' : '{src,scripts,bench}/**/*.test.ts';
const files = globSync(pattern, { cwd: root })
  .filter((file) => file.includes(only))
  .sort();
if (files.length === 0) throw new Error(`no ${kind} tests found`);
// System tests share the machine's kernel objects, so they run one file at a time.
const width = kind === 'system' ? ['--test-concurrency=1', '--test-timeout=600000'] : [];
const run = spawnSync(process.execPath, ['--test', ...width, ...files], { cwd: root, stdio: 'inherit' });
process.exitCode = run.status ?? 1;
