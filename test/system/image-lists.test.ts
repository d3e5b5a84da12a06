/** Lists of images print exactly what Docker's own client prints of the same host (mission rows I2, I5, I10, L3). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await host.build('app:1', 'FROM scratch\nCOPY f /\nLABEL a=b c="x y"\nENV Q=1\nCMD ["x","y"]\n', { f: 'before' });
  await host.build('app:1', 'FROM scratch\nCOPY f /\nLABEL a=b c="x y"\nENV Q=1\nCMD ["x","y"]\n', { f: '12345' });
  await host.ok(['tag', 'app:1', 'localhost:5000/team/app:7']);
  await host.ok(['create', '--name', 'user', 'app:1']);
});
after(() => host[Symbol.asyncDispose]());

/** Formats without times: a second may pass between the two clients. */
const COMMANDS: readonly string[][] = [
  ['images', '-q'],
  ['images', '-q', '--no-trunc', '-a'],
  ...[
    '{{.ID}}: {{.Repository}} {{.Tag}} {{.Digest}} {{.CreatedAt}} {{.Size}}',
    'table {{.Repository}}\t{{.Tag}}\t{{.Size}}',
    'table {{.ID | upper}}\\t{{lower .Tag}}',
    '{{json .Repository}}',
    '{{upper .Repository}} {{title .Repository}}',
    '{{split .Repository "/"}} {{join (split .Repository "/") ","}}',
    '{{pad .Tag 2 3}}|{{truncate .ID 4}}|{{println .Tag}}',
    '{{printf "%-20s %q" .Repository .Tag}}',
    '{{if eq .Tag "1"}}first{{else}}other{{end}}',
    '{{len .Repository}} {{index (split .Repository "/") 0}}',
    '{{',
    '{{.ID | nope}}',
  ].map((format) => ['images', '--format', format]),
  ...[
    ['dangling=true'],
    ['dangling=false'],
    ['dangling=x'],
    ['label=a'],
    ['label=c=x y'],
    ['label=a=c'],
    ['before=app:1'],
    ['since=app:1'],
    ['since=nope'],
    ['reference=app*'],
    ['reference=*/*/app'],
    ['reference=localhost:5000/team/*:7'],
    ['reference=['],
    ['until=1h'],
    ['until=0s', 'label=a'],
    ['until=2020-01-01'],
    ['until=2020-01-01T10:00:00Z'],
    ['until=soon'],
    ['nope=1'],
  ].map((filters) => ['images', '--no-trunc', '-q', ...filters.flatMap((filter) => ['-f', filter])]),
  ['images', '-q', 'app'],
  ['images', '-q', 'app:1'],
  ['images', '-q', 'app:2'],
  ['images', '-q', 'a?p'],
  ['image', 'ls', '-q'],
  ['image', 'list', '-q'],
  ['history', '-q', 'app:1'],
  ['history', '-q', '--no-trunc', 'app:1'],
  ['history', '--no-trunc', '--human=false', 'app:1'],
  ['history', '-H=false', 'app:1'],
  ['history', '--format', '{{.ID}} {{.CreatedAt}} {{.CreatedBy}} {{.Size}} {{.Comment}}', 'app:1'],
  ['history', '--format', 'table {{.ID}}\t{{.CreatedBy}}', 'app:1'],
  ['image', 'history', '-q', 'nope'],
  ['image', 'inspect', 'app:1'],
  ['image', 'inspect', '--format', '{{.Id}} {{.RootFS.Layers}} {{json .Config.Labels}}', 'app:1'],
  ['system', 'df'],
  ['system', 'df', '--format', 'table {{.Type}}\t{{.Size}}\t{{.Reclaimable}}'],
  ['system', 'df', '--format', 'json'],
  [
    'system',
    'df',
    '-v',
    '--format',
    '{{range .Images}}{{.Repository}} {{.SharedSize}} {{.UniqueSize}} {{.Containers}};{{end}}',
  ],
  [
    'system',
    'df',
    '-v',
    '--format',
    '{{range .Containers}}{{.Names}} {{.Size}} {{.LocalVolumes}};{{end}}{{len .Volumes}}',
  ],
  ['system', 'df', '-v', '--format', '{{range .BuildCache}}{{.ID}} {{.CacheType}} {{.Size}} {{.Shared}};{{end}}'],
];

test('lists, formats and filters are those of Docker', async () => {
  // Docker puts the names of one image in no order; its typed rows are named in one message.
  const lines = (text: string) =>
    text
      .replace(/\*formatter\.\w+/g, 'row')
      .trim()
      .split(/[\n;]/)
      .sort();
  const both = (command: readonly string[]) => Promise.all([host.strake(command), host.docker(command)]);
  for (const command of COMMANDS) {
    let [ours, theirs] = await both(command);
    // An age may become a second more between one answer and the other.
    if (ours.stdout !== theirs.stdout) [ours, theirs] = await both(command);
    const shown = command.join(' ');
    assert.deepEqual(lines(ours.stdout), lines(theirs.stdout), shown);
    assert.deepEqual(lines(ours.stderr), lines(theirs.stderr), shown);
    assert.equal(ours.code, theirs.code, shown);
  }
});

test('images --tree, by both clients', async () => {
  const ours = (await host.ok(['images', '--tree', '-a'])).split('\n').map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(ours[0], ['IMAGE', 'ID', 'DISK USAGE', 'CONTENT SIZE', 'EXTRA']);
  assert.deepEqual(ours[1], ['app:1']);
  assert.deepEqual([ours[2]?.[0], ...(ours[2]?.slice(2) ?? [])], ['localhost:5000/team/app:7', '5B', '0B', 'U']);
  assert.ok(ours.some(([name, , size]) => name === '<untagged>' && size === '6B'));
  const theirs = await host.docker(['images', '--tree', '-a']);
  assert.equal(theirs.code, 0, theirs.stderr);
  for (const text of ['app:1', 'localhost:5000/team/app:7', '5B', '6B']) assert.ok(theirs.stdout.includes(text), text);
  assert.ok(!(await host.ok(['images', '--tree'])).includes('untagged'));
  for (const flag of ['-q', '--no-trunc', '--digests', '--format=json']) {
    const refused = await Promise.all([
      host.strake(['images', '--tree', flag]),
      host.docker(['images', '--tree', flag]),
    ]);
    assert.deepEqual([refused[0].stderr, refused[0].code], [refused[1].stderr, refused[1].code]);
  }
});
