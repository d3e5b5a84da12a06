import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseIgnore } from '../ignore.ts';
import { parseDockerfile } from '../parse.ts';
import { DEFAULT_CONFIG } from './config.ts';
import { applyFixes } from './fix.ts';
import { lint } from './lint.ts';
import type { LintOptions } from './model.ts';
import { type Finding, pageOf } from './rule.ts';
import { BUILDKIT_RULES, RULES } from './rules.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const amd64 = { os: 'linux', architecture: 'amd64' };

/** What the examples of a rule need to be known besides their text. */
const KNOWN: Readonly<Record<string, LintOptions>> = {
  CopyIgnoredFile: { ignore: parseIgnore('tmp\n') },
  InvalidBaseImagePlatform: {
    targetPlatform: amd64,
    baseImage: () => ({ env: [], user: '', platform: { os: 'linux', architecture: 'arm64' } }),
  },
};

function findingsOf(rule: string, text: string): Finding[] {
  const config = { ...DEFAULT_CONFIG, experimental: rule === 'InvalidDefinitionDescription' ? [rule] : [] };
  const all = lint(parseDockerfile(text, { file: 'Dockerfile' }), { ...KNOWN[rule], config });
  return all.filter((finding) => finding.rule === rule);
}

function example(page: string, heading: string): string | undefined {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0];
  return /```dockerfile\n([\s\S]*?)```/.exec(section ?? '')?.[1];
}

test("all of BuildKit's 22 checks are there, and no name twice", () => {
  assert.equal(BUILDKIT_RULES.length, 22);
  assert.equal(new Set(RULES.map(({ name }) => name)).size, RULES.length);
});

test('every page belongs to a rule and the index lists every rule', () => {
  const pages = readdirSync(`${ROOT}docs/lint`).filter((name) => name !== 'README.md');
  assert.deepEqual(pages.sort(), RULES.map(({ name }) => basename(pageOf(name))).sort());
  const index = readFileSync(`${ROOT}docs/lint/README.md`, 'utf8');
  for (const { name, level, description } of RULES) {
    const row = index
      .split('\n')
      .find((line) => line.startsWith(`| [${name}](${basename(pageOf(name))}) | ${level} |`));
    assert.ok(row?.endsWith(`| ${description} |`), name);
  }
});

for (const rule of RULES) {
  test(`${rule.name}: its page tells the truth`, () => {
    const page = readFileSync(ROOT + pageOf(rule.name), 'utf8');
    assert.ok(page.startsWith(`# ${rule.name}\n\nWant: ${rule.description}.\n\nLevel: `), 'heading and description');
    assert.ok(page.includes(rule.level), 'level');
    for (const code of rule.codes ?? []) assert.ok(page.includes(code), code);
    const bad = example(page, 'Bad') ?? '';
    const good = example(page, 'Good') ?? '';
    const fixed = example(page, 'Fixed by `strake lint --fix`');
    const found = findingsOf(rule.name, bad);
    assert.ok(found.length > 0, 'the bad example is found');
    assert.deepEqual(findingsOf(rule.name, good), [], 'the good example is not');
    if (fixed !== undefined) assert.equal(applyFixes(bad, found).text, fixed);
    else
      assert.ok(
        found.every(({ edits }) => edits.length === 0),
        'the page shows the fix',
      );
  });
}
