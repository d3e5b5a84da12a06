import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testSession } from '../test-session.ts';
import { lint } from './lint.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-lint-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'Dockerfile');
const FAULTY = 'FROM debian:bookworm\nMAINTAINER me\nRUN cd /x && make\n';

async function run(...argv: string[]) {
  const session = testSession({ kind: 'unix', path: '/nonexistent', text: 'unix:///nonexistent' });
  const code = await lint.execute(session, 'lint', argv);
  return { code, out: session.stdout.text, err: session.stderr.text };
}

test('text names rule, place and page, with the line itself', async () => {
  writeFileSync(file, FAULTY);
  const { code, out } = await run(folder);
  assert.equal(code, 0);
  assert.match(out, /MaintainerDeprecated/);
  assert.match(out, /docs\/lint\/maintainer-deprecated\.md/);
  assert.match(out, /MAINTAINER me/);
});

test('json and sarif are documents of the same findings', async () => {
  writeFileSync(file, FAULTY);
  const findings = JSON.parse((await run('--format', 'json', folder)).out);
  const sarif = JSON.parse((await run('--format', 'sarif', folder)).out);
  assert.ok(findings.length > 0);
  assert.deepEqual(
    sarif.runs[0].results.map((result: { ruleId: string }) => result.ruleId),
    findings.map((finding: { rule: string }) => finding.rule),
  );
});

test('--fix rewrites what is safe and leaves the rest', async () => {
  writeFileSync(file, FAULTY);
  await run('--fix', folder);
  const fixed = readFileSync(file, 'utf8');
  assert.doesNotMatch(fixed, /^MAINTAINER/m);
  assert.match(fixed, /^RUN /m);
});

test('a config file skips rules and can make findings errors', async () => {
  writeFileSync(file, FAULTY);
  const config = join(folder, 'rules.json');
  writeFileSync(config, JSON.stringify({ skip: ['MaintainerDeprecated'], error: true }));
  const { code, out } = await run('--config', config, folder);
  assert.equal(code, 1);
  assert.doesNotMatch(out, /MaintainerDeprecated/);
});

test('an unknown format and a missing file are refused by name', async () => {
  await assert.rejects(run('--format', 'xml', folder), /unknown format "xml"/);
  await assert.rejects(run(join(folder, 'nosuch')), /cannot read .*nosuch/);
});
