import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseHostOptions } from './host-options.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-options-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'host.json');

function options(content: string, ...argv: string[]) {
  writeFileSync(file, content);
  const parsed = parseHostOptions(['--config-file', file, ...argv], {});
  assert.ok(parsed !== 'help');
  return parsed;
}

test('the configuration file: lists are added to, other values give way to flags', () => {
  const content = JSON.stringify({
    'registry-mirrors': ['https://mirror.example'],
    'insecure-registries': ['10.0.0.0/8'],
    'data-root': '/from/file',
    group: 'people',
    tlsverify: true,
    tls: false,
    'live-restore': true,
  });
  const mirror = 'https://second.example';
  const { registry, dataRoot, group, tls, liveRestore } = options(
    content,
    '--registry-mirror',
    mirror,
    '--data-root',
    '/from/flag',
  );
  assert.deepEqual(registry.mirrors, ['https://mirror.example', mirror]);
  assert.deepEqual(registry.insecure, ['10.0.0.0/8']);
  assert.deepEqual([dataRoot, group, tls.tlsverify, tls.tls, liveRestore], ['/from/flag', 'people', true, false, true]);
});

test('an empty file says nothing', () => assert.deepEqual(options('\n').registry.mirrors, []));

const refused: readonly (readonly [what: string, content: string, words: RegExp])[] = [
  [
    'an unknown key',
    '{"a":1,"debug":true}',
    /^unable to configure the host with file .*: the following directives don't match any configuration option: a, debug$/,
  ],
  ['no JSON', '{', /host\.json: .*JSON/],
  ['a list', '[]', /host\.json: it is no JSON object$/],
  ['a text for a list', '{"registry-mirrors":"https://m"}', /: "registry-mirrors" must be a list of strings$/],
  ['a list for a text', '{"data-root":["/x"]}', /: "data-root" must be a string$/],
  ['a text for a toggle', '{"tls":"yes"}', /: "tls" must be true or false$/],
  ['a mirror without a scheme', '{"registry-mirrors":["mirror.example"]}', /^invalid mirror "mirror\.example": /],
  [
    'a network that is none',
    '{"insecure-registries":["10.0.0.0/99"]}',
    /^invalid insecure registry "10\.0\.0\.0\/99"$/,
  ],
  ['a file that is too long', ' '.repeat((1 << 20) + 1), /over the limit of 1048576 bytes$/],
];
for (const [what, content, message] of refused)
  test(`a configuration file with ${what} is refused`, () => assert.throws(() => options(content), { message }));

test('a file that was named must be there', () =>
  assert.throws(() => parseHostOptions(['--config-file', join(folder, 'none')], {}), { code: 'HOST_FILE' }));
