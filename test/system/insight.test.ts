/** What is in images, told by the layer indexes; images made of others without a container (issue "look inside them"). */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
  await host.build(
    'app:1',
    [
      'FROM busybox',
      'COPY f /srv/f',
      "RUN mkdir /cache && head -c 50000 /dev/urandom > /cache/big && printf '#!/bin/sh\\necho tool\\n' > /srv/tool && mkdir /o && touch /o/a",
      'ENV A=b',
      'RUN rm -r /cache && chown 1000:1000 /srv/f && ln /srv/tool /srv/tool2 && chmod 755 /srv/tool && rm -r /o && mkdir /o && touch /o/n',
      'RUN echo more >> /etc/passwd && ln -s ../srv /etc/link',
      'CMD ["/srv/tool2"]',
    ].join('\n'),
    { f: 'x'.repeat(2000) },
  );
});
after(() => host[Symbol.asyncDispose]());

const lines = async (...args: string[]) => (await host.ok(args)).split('\n').filter(Boolean);

async function fails(args: string[], message: RegExp, code = 1): Promise<void> {
  const result = await host.strake(args);
  assert.match(result.stderr, message);
  assert.equal(result.code, code, result.stderr);
}

test('image ls, cat and find show what a container would see', async () => {
  const names = async (path: string) => lines('image', 'ls', '--format', '{{.Name}}', 'app:1', path);
  assert.deepEqual(await names('/srv'), ['f', 'tool', 'tool2']);
  assert.deepEqual(await names('/etc/link/'), ['f', 'tool', 'tool2']);
  assert.ok(!(await names('/')).includes('cache'));
  assert.match(await host.ok(['image', 'ls', 'app:1', '/srv/f']), /^MODE.*\n-rw-r--r-- +1000:1000 +2kB +\S+ \S+ +f$/);
  assert.match(await host.ok(['image', 'cat', 'app:1', '/etc/passwd']), /^root:.*\nmore$/s);
  assert.equal(await host.ok(['image', 'cat', 'app:1', '/etc/link/../srv/tool2']), '#!/bin/sh\necho tool');
  assert.equal(await host.ok(['image', 'cat', 'app:1', 'srv/f']), 'x'.repeat(2000));
  assert.deepEqual(await lines('image', 'find', '--format', '{{.Path}} {{.Step}}', 'app:1', 'tool*'), [
    '/srv/tool 5',
    '/srv/tool2 5',
  ]);
  assert.deepEqual(await lines('image', 'find', '--all', '--format', '{{.Image}} {{.Path}}', '/etc/pass*'), [
    'app:1 /etc/passwd',
    'busybox:latest /etc/passwd',
  ]);
  await fails(['image', 'cat', 'app:1', '/srv'], /"\/srv" in the image is a directory/);
  await fails(['image', 'cat', 'app:1', '/cache/big'], /no "\/cache\/big" in the image/);
  await fails(['image', 'ls', 'app:1', '/nope'], /no "\/nope" in the image/);
  await fails(['image', 'cat', 'nope', '/f'], /No such image: nope:latest/);
  await fails(['image', 'find', 'app:1', '[x'], /invalid pattern "\[x"/);
  assert.equal((await host.strake(['image', 'find', 'app:1', 'nothing'])).code, 1);
});

test('image ls without a path still lists images', async () => {
  assert.deepEqual(await lines('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', 'app'), ['app:1']);
});

test('blame tells every step of a path', async () => {
  const blame = (path: string) => lines('blame', '--format', '{{.Step}} {{.What}}', 'app:1', path);
  assert.deepEqual(await blame('/srv/f'), ['2 added', '5 changed (owner)']);
  assert.deepEqual(await blame('/cache/big'), ['3 added', '5 shadowed by /cache']);
  assert.deepEqual(await blame('/o/a'), ['3 added', '5 shadowed by /o']);
  assert.deepEqual(await blame('/etc/link/tool'), ['3 added', '5 changed (mode)']);
  assert.match((await blame('/etc/passwd')).join(), /^1 added,6 changed \(content(, time)?\)$/);
  await fails(['blame', 'app:1', '/nope'], /no step of the image made "\/nope"/);
});

test('image diff names the step behind each file', async () => {
  const rows = await lines('image', 'diff', '--format', '{{.Kind}} {{.Path}} {{.Step}}', 'busybox', 'app:1');
  assert.deepEqual(rows, [
    'A /etc/link 6',
    'C /etc/passwd 6',
    'A /o 3',
    'A /o/n 5',
    'A /srv 2',
    'A /srv/f 5',
    'A /srv/tool 5',
    'A /srv/tool2 5',
  ]);
  const json = (await lines('image', 'diff', '--format', 'json', 'app:1', 'busybox')).map((line) => JSON.parse(line));
  assert.deepEqual(json.at(-1), {
    Added: 0,
    Changed: 1,
    Removed: 7,
    Bytes: json.at(-1).Bytes,
    TimeOnly: json.at(-1).TimeOnly,
  });
  assert.equal(json.find(({ Path }) => Path === '/srv/f').Step.Number, 5);
  await fails(['image', 'diff', 'app:1', 'nope'], /No such image: nope:latest/);
});

test('image waste finds the bytes that no container sees and says how to save them', async () => {
  const { Total, Wasted, Groups } = JSON.parse(await host.ok(['image', 'waste', '--format', 'json', 'app:1']));
  assert.equal(Total, Number(await host.inspect('app:1', '{{.Size}}')));
  assert.deepEqual(
    Groups.slice(0, 2).map(({ Kind, Bytes }: { Kind: string; Bytes: number }) => [Kind, Bytes]),
    [
      ['deleted', 50000],
      ['attributes', 2000],
    ],
  );
  assert.ok(Wasted > 52000);
  const text = await host.ok(['image', 'waste', 'app:1']);
  assert.match(text, /50kB in 1 file of step 3 \(RUN mkdir \/cache.*\n {2}deleted by step 5 .*\n {2}\/cache\/big\n/);
  assert.match(text, /save them: let step 2 set them: COPY --chown=1000:1000, and drop the change in step 5/);
  assert.match(text, /are of no use: efficiency 9\d\.\d %$/);
});

test('tree draws layers and images, as text, for Graphviz and as pictures', async () => {
  const text = await host.ok(['tree']);
  const [base] = JSON.parse(await host.inspect('busybox', '{{json .RootFS.Layers}}'));
  assert.ok(text.startsWith(`${base.slice(7, 19)} `), text);
  assert.match(text, /^├─ busybox:latest \([0-9a-f]{12}, /m);
  assert.match(text, /^└─ [0-9a-f]{12} 2kB COPY file:[0-9a-f]{12} in \/srv\/f$/m);
  assert.match(text, /^ {3}└─ app:1 \(/m);
  const dot = await host.ok(['tree', '--dot']);
  assert.match(dot, /^digraph images \{\n/);
  assert.equal(dot.match(/shape=box/g)?.length, 5);
  assert.equal(dot.match(/shape=ellipse/g)?.length, 2);
  const [svg, png] = [join(host.folder, 'tree.svg'), join(host.folder, 'tree.png')];
  await host.ok(['tree', '--svg', svg, '--png', png]);
  assert.match(readFileSync(svg, 'utf8'), /<svg[\s\S]*app:1[\s\S]*<\/svg>/);
  assert.equal(readFileSync(png).toString('latin1', 1, 4), 'PNG');
  const nowhere = join(host.folder, 'x.svg');
  await fails(['tree', '--svg', nowhere, '--png', join(host.folder, 'no/folder.png')], /dot cannot draw/);
  const poor = await host.strake(['tree', '--svg', `${nowhere}2`], { env: { PATH: withoutDot() } });
  assert.match(poor.stderr, /needs the program "dot", which is not installed[\s\S]*install the package graphviz/);
  assert.equal(poor.code, 1);
  assert.ok(!existsSync(`${nowhere}2`));
});

/** A search path that has node and nothing else. */
function withoutDot(): string {
  const folder = makeContext(host.folder, { node: `#!/bin/sh\nexec ${process.execPath} "$@"\n` });
  return folder;
}

const files = (image: string) =>
  host.sh(
    image,
    'cd / && find bin etc o srv tmp -print0 | sort -z | xargs -0 stat -c "%n %f %u %g %s"; stat -c %h srv/tool2',
  );

test('flatten and squash: the same files and config in fewer layers; the same request gives the same ID', async () => {
  const expected = await files('app:1');
  const flat = await host.ok(['image', 'flatten', '-t', 'flat', 'app:1']);
  const squashed = await host.ok(['image', 'squash', '--from', '2', '-t', 'squashed:2', 'app:1']);
  const layers = async (image: string): Promise<string[]> =>
    JSON.parse(await host.inspect(image, '{{json .RootFS.Layers}}'));
  assert.equal((await layers('flat')).length, 1);
  assert.deepEqual(
    [(await layers('squashed:2')).length, (await layers('squashed:2'))[0]],
    [2, (await layers('busybox'))[0]],
  );
  for (const image of ['flat', 'squashed:2']) {
    assert.equal(await files(image), expected);
    assert.equal(await host.ok(['run', '--rm', image]), 'tool');
    assert.equal(await host.inspect(image, '{{json .Config}}'), await host.inspect('app:1', '{{json .Config}}'));
    assert.equal(await host.ok(['image', 'diff', '--format', '{{.Path}}', 'app:1', image]), '');
  }
  assert.equal(await host.ok(['image', 'flatten', 'app:1']), flat);
  assert.equal(await host.ok(['image', 'squash', '--from', '2', 'app:1']), squashed);
  const history = await lines('history', '--human=false', '--format', '{{.Size}} {{.Comment}}', 'squashed:2');
  assert.equal(history.length, 8);
  assert.match(history[0] ?? '', /^\d+ squashed steps 2 to 7 of sha256:/);
  assert.deepEqual(
    history.slice(1, 7),
    Array.from({ length: 6 }, () => '0 '),
  );
  await fails(['image', 'squash', '--from', '8', 'app:1'], /the image has no step 8: its steps are 1 to 7/);
  await fails(['image', 'squash', '--from', '7', 'app:1'], /nothing to squash: steps 7 to 7 have no layer/);
  await fails(['image', 'squash', '--from', '6', 'app:1'], /nothing to squash: steps 6 to 7 have one layer only/);
  await fails(['image', 'flatten', '-t', 'UPPER', 'app:1'], /repository name \(library\/UPPER\) must be lowercase/);
});

test('rebase: the same layers and settings on a patched base, and a warning of what hides the patch', async () => {
  await host.build('base:1', 'FROM busybox\nCOPY a b /\nENV BASE=1 GONE=1 OWN=base\nLABEL base=1\n', {
    a: 'a1',
    b: 'b1',
  });
  await host.build('child', 'FROM base:1\nCOPY b c /\nENV OWN=child\nLABEL own=1\nCMD ["cat", "/a", "/b", "/c"]\n', {
    b: 'own',
    c: 'c',
  });
  await host.build('base:2', 'FROM busybox\nCOPY a b /\nENV BASE=2 OWN=base\nLABEL base=2\n', { a: 'a2', b: 'b2' });
  const result = await host.strake(['image', 'rebase', '--onto', 'base:2', '-t', 'child:2', 'child']);
  assert.equal(result.code, 0, result.stderr);
  assert.match(result.stderr, /^WARNING: layers of the image itself hide 1 file that differs between the bases: \/b;/);
  assert.equal(await host.ok(['run', '--rm', 'child:2']), 'a2ownc');
  assert.deepEqual(JSON.parse(await host.inspect('child:2', '{{json .Config.Labels}}')), { base: '2', own: '1' });
  const env: string[] = JSON.parse(await host.inspect('child:2', '{{json .Config.Env}}'));
  assert.deepEqual(
    env.filter((entry) => !entry.startsWith('PATH=')),
    ['BASE=2', 'OWN=child'],
  );
  const layers: string[] = JSON.parse(await host.inspect('child:2', '{{json .RootFS.Layers}}'));
  const ownLayers: string[] = JSON.parse(await host.inspect('child', '{{json .RootFS.Layers}}'));
  assert.equal(layers.at(-1), ownLayers.at(-1));
  assert.deepEqual(layers.slice(0, -1), JSON.parse(await host.inspect('base:2', '{{json .RootFS.Layers}}')));
  assert.equal(
    await host.ok(['image', 'rebase', '--onto', 'base:2', '--from', 'base:1', 'child']),
    result.stdout.trim(),
  );
  await fails(
    ['image', 'rebase', '--onto', 'busybox', '--from', 'base:2', 'child'],
    /is not below [0-9a-f]{12}: its layer 2 of 2 is sha256:[0-9a-f]{64}, that of the image is sha256:/,
  );
  await fails(['image', 'rebase', '--onto', 'base:2', 'busybox'], /cannot tell which image "busybox" was made from/);
  await fails(['image', 'rebase', 'child'], /needs the new base: --onto IMAGE/);
});
