import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadCommand } from './compiled-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-bundle-'));
after(() => rmSync(folder, { recursive: true }));
const bundle = (name: string, code: number) =>
  writeFileSync(join(folder, `${name}.cjs`), `function answer(){return ${code}}exports.runCommand=async()=>answer();`);
bundle('quick-command', 1);
bundle('command', 2);
const code = join(folder, 'run.code');
const run = (...argv: string[]) => loadCommand(folder, argv).runCommand(argv);

test('the first word chooses the bundle', async () => {
  assert.equal(await run('run', 'image'), 1);
  for (const argv of [['images'], ['-H', 'run'], [], ['constructor']]) assert.equal(await run(...argv), 2);
});

const STATES: readonly (readonly [name: string, change: () => void, answer: number])[] = [
  ['as it was kept', () => {}, 1],
  ['cut short', () => truncateSync(code, 100), 1],
  ['not code', () => writeFileSync(code, 'x'.repeat(500)), 1],
  ['empty', () => writeFileSync(code, ''), 1],
  ['of another bundle', () => bundle('quick-command', 1000), 1000],
  ['of another Node', () => writeFileSync(code, readFileSync(code).fill(0, 4, 8)), 1],
];
for (const [name, change, answer] of STATES)
  test(`kept code ${name}`, async () => {
    bundle('quick-command', 1);
    const loaded = loadCommand(folder, ['run']);
    await loaded.runCommand([]);
    loaded.keepCode();
    change();
    assert.equal(await run('run'), answer);
  });
