import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isFailure } from '../lib/error.ts';
import { parseDockerfile } from './parse.ts';
import { planStages } from './stages.ts';

const GOLDEN = fileURLToPath(new URL('./golden/', import.meta.url));
const platform = { os: 'linux', architecture: 'amd64' };
/** Set to write what the parser says now as the expectation; review the difference. */
const update = process.env['UPDATE_GOLDEN'] === '1';

const cases = readdirSync(GOLDEN).sort();

test('there are at least 120 cases, 35 of them faults', () => {
  assert.ok(cases.length >= 120, `${cases.length} cases`);
  assert.ok(cases.filter((name) => existsSync(`${GOLDEN}${name}/error.txt`)).length >= 35);
});

for (const name of cases) {
  test(`golden ${name}`, () => {
    const folder = `${GOLDEN}${name}`;
    const outcome = run(readFileSync(`${folder}/Dockerfile`));
    const file = `${folder}/${outcome.file}`;
    if (update) writeFileSync(file, outcome.text);
    assert.ok(existsSync(file), `${outcome.file} is expected to be absent; the parser says:\n${outcome.text}`);
    assert.equal(outcome.text, readFileSync(file, 'utf8'));
  });
}

/** What a Dockerfile means, or the place, message and hint of its fault. */
function run(input: Uint8Array): { file: 'result.json' | 'error.txt'; text: string } {
  try {
    const dockerfile = parseDockerfile(input, { file: 'Dockerfile' });
    const plan = planStages(dockerfile, { buildArgs: {}, buildPlatform: platform, targetPlatform: platform });
    const view = {
      directives: dockerfile.directives,
      warnings: dockerfile.warnings.map(({ message, source }) => `${source?.line}-${source?.endLine}: ${message}`),
      instructions: dockerfile.instructions,
      stages: plan.stages.map(({ title, base, platform: of, dependencies }) => ({
        title,
        base,
        platform: of,
        dependencies: [...dependencies],
        needed: plan.needed.some((stage) => stage.title === title),
      })),
    };
    return { file: 'result.json', text: `${JSON.stringify(view, compact, 2)}\n` };
  } catch (error) {
    if (!isFailure(error)) throw error;
    const { source, message, hint } = error;
    const column = source?.column === undefined ? '' : ` column ${source.column}`;
    const place = source ? `line ${source.line}-${source.endLine}${column}` : 'no place';
    return {
      file: 'error.txt',
      text: `${[place, message, ...(hint === undefined ? [] : [`hint: ${hint}`])].join('\n')}\n`,
    };
  }
}

/** Leaves out what is empty and the map of pieces to columns, and writes a place as one string. */
function compact(key: string, value: unknown): unknown {
  if (key === 'segments' || value === '' || value === false || (Array.isArray(value) && value.length === 0))
    return undefined;
  if (key !== 'source' || typeof value !== 'object' || value === null) return value;
  return 'line' in value && 'endLine' in value ? `${value.line}-${value.endLine}` : value;
}
