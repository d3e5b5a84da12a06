/**
 * Runs the tests: `unit` (beside the code) or `system` (the built command against the real machine); more words choose
 * files by a part of their path. Root on CI has all that tests need: with STRAKE_NO_SKIPS set, a skipped test is a failure.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [kind, ...only] = process.argv.slice(2);
const root = fileURLToPath(new URL('..', import.meta.url));
const pattern = kind === 'system' ? 'test/system/**/*.test.ts' : '{src,scripts,bench}/**/*.test.ts';
const files = globSync(pattern, { cwd: root })
  .filter((file) => only.length === 0 || only.some((part) => file.includes(part)))
  .sort();
if (files.length === 0) throw new Error(`no ${kind} tests found`);

const scratch = mkdtempSync(join(tmpdir(), 'strake-tests-'));
const skippedFile = join(scratch, 'skipped');
const reporters = [
  ['spec', 'stdout'],
  [join(root, 'scripts/skipped-tests.ts'), skippedFile],
].flatMap(([reporter, destination]) => [`--test-reporter=${reporter}`, `--test-reporter-destination=${destination}`]);
// System tests share the machine's kernel objects, so they run one file at a time.
const width = kind === 'system' ? ['--test-concurrency=1', '--test-timeout=600000'] : [];
const run = spawnSync(process.execPath, ['--test', ...width, ...reporters, ...files], { cwd: root, stdio: 'inherit' });
process.exitCode = run.status ?? 1;
const skipped = readFileSync(skippedFile, 'utf8');
rmSync(scratch, { recursive: true });
if (skipped !== '' && process.env['STRAKE_NO_SKIPS']) {
  console.error(`skipped, which counts as failed here:\n${skipped}`);
  process.exitCode = 1;
}
