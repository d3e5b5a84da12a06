/** Images as people handle them: lists, names, removal, history, inspection (mission rows I1 to I5, L2 to L5). */
import assert from 'node:assert/strict';
import { chmodSync, lutimesSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { importBusybox, makeContext, startHost, type TestHost } from './harness.ts';

let host: TestHost;
let busyboxId: string;
before(async () => {
  host = await startHost();
  await importBusybox(host);
  busyboxId = await idOf('busybox');
});
after(() => host[Symbol.asyncDispose]());

// Every test begins with busybox and nothing else.
afterEach(async () => {
  for (const id of (await host.ok(['ps', '-aq'])).split('\n').filter(Boolean)) await host.ok(['rm', '-f', id]);
  for (;;) {
    const names = (await list('{{.Repository}}:{{.Tag}} {{.ID}}', '--no-trunc')).filter(
      (line) => !line.startsWith('busybox:latest '),
    );
    if (names.length === 0) break;
    await host.ok(['rmi', '-f', ...names.map((line) => line.replace(/^<none>:<none> | .*$/g, ''))]);
  }
  assert.deepEqual(await list('{{.Repository}}', '-a'), ['busybox'], 'layers or images of a test stayed');
});

/** Builds with these files and gives the image ID. */
async function build(name: string, dockerfile: string, files: Record<string, string> = {}): Promise<string> {
  return host.build(name, dockerfile, files, ['-q']);
}

/** The lines of `images --format`. */
async function list(format: string, ...args: string[]): Promise<string[]> {
  return (await host.ok(['images', '--format', format, ...args])).split('\n').filter(Boolean);
}

const idOf = (image: string, target = host) => target.ok(['inspect', '--format', '{{.Id}}', image]);
const short = (id: string) => id.slice('sha256:'.length, 'sha256:'.length + 12);

async function fails(args: string[], message: RegExp, code = 1): Promise<void> {
  const result = await host.strake(args);
  assert.match(result.stderr, message);
  assert.equal(result.code, code, result.stderr);
}

test('I2: columns of images, newest first', async () => {
  const id = await build('app:1', 'FROM busybox\nCOPY f /f\n', { f: 'x'.repeat(1000) });
  const lines = (await host.ok(['images'])).split('\n');
  assert.match(lines[0] ?? '', /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/);
  assert.match(
    lines[1] ?? '',
    new RegExp(`^app +1 +${short(id)} +(Less than a second|\\d+ seconds?|About a minute) ago +\\d\\.\\d\\dMB$`),
  );
  assert.match(lines[2] ?? '', new RegExp(`^busybox +latest +${short(busyboxId)} `));
  assert.equal(lines.length, 3);
});

test('I2: -q, --no-trunc, --digests', async () => {
  const id = await build('app', 'FROM busybox\nLABEL a=b\n');
  assert.equal(await host.ok(['images', '-q']), `${short(id)}\n${short(busyboxId)}`);
  assert.equal(await host.ok(['images', '-q', '--no-trunc']), `${id}\n${busyboxId}`);
  assert.match(
    await host.ok(['images', '--digests']),
    /^REPOSITORY +TAG +DIGEST +IMAGE ID +CREATED +SIZE\napp +latest +<none> +[0-9a-f]{12} /,
  );
});

test('I2: --format with fields, table and json', async () => {
  const id = await build('app', 'FROM scratch\nCOPY f /\n', { f: '12345' });
  assert.deepEqual(await list('{{.Repository}}|{{.Tag}}|{{.ID}}|{{.Size}}|{{.Digest}}', 'app'), [
    `app|latest|${short(id)}|5B|<none>`,
  ]);
  assert.equal(
    await host.ok(['images', '--format', 'table {{.ID}}\t{{.Repository}}', 'app']),
    `IMAGE ID       REPOSITORY\n${short(id)}   app`,
  );
  assert.equal(JSON.parse(await host.ok(['images', '--format', '{{json .}}', 'app'])).Repository, 'app');
  assert.match(
    await host.ok(['images', '--format', '{{.CreatedAt}}', 'app']),
    /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} UTC$/,
  );
  await fails(['images', '--format', '{{.Nope}}'], /Nope/);
});

test('I2: filters label, before, since, reference, dangling, and NAME[:TAG]', async () => {
  const parent = short(await build('parent', 'FROM busybox\nLABEL k=v\n'));
  const child = short(await build('team/child:2', 'FROM parent\nCOPY f /f\n', { f: 'f' }));
  const filtered = async (...args: string[]) => (await host.ok(['images', '-q', ...args])).split('\n').filter(Boolean);
  assert.deepEqual(await filtered('-f', 'label=k'), [child, parent]);
  assert.deepEqual(await filtered('-f', 'label=k=v'), [child, parent]);
  assert.deepEqual(await filtered('-f', 'label=k=w'), []);
  assert.deepEqual(await filtered('-f', 'before=team/child:2'), [parent, short(busyboxId)]);
  assert.deepEqual(await filtered('-f', 'since=busybox'), [child, parent]);
  assert.deepEqual(await filtered('-f', 'reference=par*'), [parent]);
  assert.deepEqual(await filtered('-f', 'reference=*/child'), [child]);
  assert.deepEqual(await filtered('-f', 'since=busybox', '-f', 'reference=parent'), [parent]);
  assert.deepEqual(await filtered('team/child'), [child]);
  assert.deepEqual(await filtered('team/child:2'), [child]);
  assert.deepEqual(await filtered('team/child:3'), []);
  assert.deepEqual(await filtered('nope'), []);
  assert.deepEqual(await filtered('-f', 'dangling=true'), []);
  await fails(['images', '-f', 'foo=bar'], /invalid filter 'foo'/i);
  await fails(['images', '-f', 'dangling=maybe'], /invalid filter 'dangling=\[maybe\]'/i);
  await fails(['images', '-f', 'since=nope'], /no such image: nope/i);
});

test('I2, L5: images hides the intermediate images, images -a shows them, inspect works on them', async () => {
  const id = await build('app', 'FROM busybox\nCOPY f /f\nENV A=b\nCMD ["x"]\n', { f: 'f' });
  assert.deepEqual(await list('{{.Repository}}'), ['app', 'busybox']);
  const all = await list('{{.Repository}}:{{.Tag}}', '-a');
  assert.deepEqual(all.sort(), ['<none>:<none>', '<none>:<none>', 'app:latest', 'busybox:latest']);
  const env = await host.inspect(id, '{{.Parent}}');
  assert.equal(await host.inspect(env, '{{json .Config.Cmd}} {{index .Config.Env 1}}'), 'null A=b');
  assert.equal(await host.inspect(await host.inspect(env, '{{.Parent}}'), '{{.Parent}}'), busyboxId);
});

const NAMES: readonly [given: string, repository: string, tag: string][] = [
  ['simple', 'simple', 'latest'],
  ['simple:1.0-rc_2', 'simple', '1.0-rc_2'],
  ['docker.io/library/official:x', 'official', 'x'],
  ['docker.io/user/name', 'user/name', 'latest'],
  ['a/b/c/d/e:deep', 'a/b/c/d/e', 'deep'],
  ['localhost:5000/ns/name', 'localhost:5000/ns/name', 'latest'],
  ['registry.example.org/name:1', 'registry.example.org/name', '1'],
];
test('I1: names with registry, namespaces and tag are kept in their short form, and all forms find the image', async () => {
  for (const [given, repository, tag] of NAMES) {
    await host.ok(['tag', 'busybox', given]);
    assert.deepEqual(await list('{{.Repository}} {{.Tag}}', `${repository}:${tag}`), [`${repository} ${tag}`]);
    for (const name of [given, `${repository}:${tag}`]) assert.equal(await idOf(name), busyboxId);
  }
  assert.equal(await idOf('docker.io/library/busybox:latest'), busyboxId);
});

test('I1: names that are none', async () => {
  const message = /invalid reference format|not a valid repository\/tag/;
  for (const name of [
    'UPPER',
    'a//b',
    'a:',
    'a:b:c',
    'a:-x',
    'x'.repeat(256),
    `a:${'t'.repeat(129)}`,
    busyboxId.slice(7),
  ])
    await fails(
      ['tag', 'busybox', name],
      /invalid reference format|not a valid repository\/tag|cannot specify 64-byte hexadecimal/,
    );
  await fails(['build', '-t', 'UPPER', '.'], message, 125);
  await fails(['tag', 'nope', 'x'], /no such image: nope:latest/i);
});

test('I4: rmi of one of several names only takes the name away', async () => {
  await host.ok(['tag', 'busybox', 'second:1']);
  assert.equal(await host.ok(['rmi', 'second:1']), 'Untagged: second:1');
  assert.equal(await idOf('busybox'), busyboxId);
});

test('I4: rmi of the last name deletes the image, untagged parents and the layers that nothing else needs', async () => {
  const before = readdirSync(join(host.dataRoot, 'layers')).length;
  const id = await build('app', 'FROM busybox\nCOPY f /f\nENV A=b\n', { f: 'f' });
  const parent = await host.inspect(id, '{{.Parent}}');
  const lines = (await host.ok(['rmi', 'app'])).split('\n');
  assert.deepEqual(lines.slice(0, 2), ['Untagged: app:latest', `Deleted: ${id}`]);
  assert.ok(lines.includes(`Deleted: ${parent}`));
  assert.ok(lines.every((line) => !line.includes(busyboxId)));
  assert.equal(readdirSync(join(host.dataRoot, 'layers')).length, before);
});

test('I4: rmi --no-prune keeps the untagged parents', async () => {
  const id = await build('app', 'FROM busybox\nENV A=b\nENV C=d\n');
  const parent = await host.inspect(id, '{{.Parent}}');
  await host.ok(['rmi', '--no-prune', 'app']);
  assert.deepEqual(await list('{{.ID}}', '-f', 'dangling=true', '--no-trunc'), [parent]);
});

test("I3, L5: what stages and failed builds leave is the build cache's: images -a shows it, image prune leaves it", async () => {
  const dockerfile = 'FROM busybox AS one\nRUN echo one > /one\nFROM busybox\nCOPY --from=one /one /\n';
  const id = await build('app', dockerfile);
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo half > /half\nRUN exit 1\n' });
  assert.equal((await host.strake(['build', context])).code, 1);
  assert.deepEqual(await list('{{.ID}}', '-f', 'dangling=true'), []);
  assert.match(await host.ok(['image', 'prune', '-f']), /^Total reclaimed space: 0B$/m);
  assert.equal((await list('{{.ID}}', '-a', '--no-trunc')).filter((one) => ![id, busyboxId].includes(one)).length, 2);
  assert.match(await host.build('app', dockerfile), /Using cache/);
  await host.ok(['rmi', 'app']);
  await host.ok(['builder', 'prune', '-af']);
  assert.deepEqual(await list('{{.ID}}', '-a', '--no-trunc'), [busyboxId]);
});

test('I4: an image with children cannot be deleted by ID, not even by force', async () => {
  const id = await build('parent', 'FROM busybox\nLABEL a=b\n');
  await build('child', 'FROM parent\nLABEL c=d\n');
  const message = new RegExp(
    `conflict: unable to delete ${short(id)} \\(cannot be forced\\) - image has dependent child images`,
  );
  await fails(['rmi', id], message);
  await fails(['rmi', '-f', id], message);
  assert.equal(await host.ok(['rmi', 'parent']), 'Untagged: parent:latest');
  const lines = (await host.ok(['rmi', 'child'])).split('\n');
  assert.ok(lines.includes(`Deleted: ${id}`), 'the untagged parent goes with its last child');
});

test('I4: an ID with names in several repositories must be forced, and then all names go', async () => {
  const id = await build('one', 'FROM busybox\nLABEL a=b\n');
  await host.ok(['tag', 'one', 'two']);
  await fails(
    ['rmi', short(id)],
    new RegExp(
      `conflict: unable to delete ${short(id)} \\(must be forced\\) - image is referenced in multiple repositories`,
    ),
  );
  assert.deepEqual((await host.ok(['rmi', '-f', short(id)])).split('\n').slice(0, 3).sort(), [
    `Deleted: ${id}`,
    'Untagged: one:latest',
    'Untagged: two:latest',
  ]);
});

test('I4: the last name of an image that a container uses must be forced; the container keeps its files', async () => {
  const id = await build('app', 'FROM busybox\nCOPY f /f\n', { f: 'content\n' });
  const container = await host.ok(['create', 'app', 'cat', '/f']);
  await fails(
    ['rmi', 'app'],
    new RegExp(
      `conflict: unable to remove repository reference "app" \\(must force\\) - container ${container.slice(0, 12)} is using its referenced image ${short(id)}`,
    ),
  );
  await fails(
    ['rmi', id],
    /conflict: unable to delete [0-9a-f]{12} \(must be forced\) - image is being used by stopped container/,
  );
  assert.equal(await host.ok(['rmi', '-f', 'app']), `Untagged: app:latest\nDeleted: ${id}`);
  assert.equal(await host.ok(['start', '-a', container]), 'content');
  await host.ok(['rm', container]);
});

test('I4: several names at once: those that exist go, the exit code tells of the other', async () => {
  await host.ok(['tag', 'busybox', 'one']);
  const result = await host.strake(['rmi', 'nope', 'one']);
  assert.deepEqual([result.code, result.stdout], [1, 'Untagged: one:latest\n']);
  assert.match(result.stderr, /no such image: nope/i);
  assert.equal((await host.strake(['rmi', '-f', 'nope'])).code, 0);
});

test('I3: a rebuild leaves the image before dangling; rmi $(images -f dangling=true -q) and image prune remove it', async () => {
  const first = await build('app', 'FROM busybox\nCOPY f /f\n', { f: '1' });
  const second = await build('app', 'FROM busybox\nCOPY f /f\n', { f: '22' });
  assert.equal(await host.ok(['images', '-f', 'dangling=true', '-q', '--no-trunc']), first);
  assert.deepEqual(
    (await list('{{.Repository}} {{.Tag}} {{.ID}}', '--no-trunc')).filter((line) => line.includes(first)),
    [`<none> <none> ${first}`],
  );
  await host.ok(['rmi', short(first)]);
  await build('app', 'FROM busybox\nCOPY f /f\n', { f: '333' });
  const pruned = await host.ok(['image', 'prune', '-f']);
  assert.match(
    pruned,
    new RegExp(`^Deleted Images:\ndeleted: ${second}\n(deleted: sha256:[0-9a-f]{64}\n)*\nTotal reclaimed space: 2B$`),
  );
  assert.match(await host.ok(['image', 'prune', '-f']), /^Total reclaimed space: 0B$/);
  await host.ok(['tag', 'busybox', 'unused']);
  const { stdout } = await host.strake(['image', 'prune', '-a'], { input: 'n\n' });
  assert.match(stdout, /WARNING! This will remove all images without at least one container associated to them/);
  assert.equal(await idOf('app'), (await list('{{.ID}}', '--no-trunc', 'app'))[0]);
});

test('I3: a dangling image that a container uses stays', async () => {
  const first = await build('app', 'FROM busybox\nLABEL n=1\n');
  await host.ok(['create', '--name', 'user', 'app', 'true']);
  await build('app', 'FROM busybox\nLABEL n=2\n');
  assert.match(await host.ok(['image', 'prune', '-f']), /^Total reclaimed space: 0B$/);
  assert.equal(await host.ok(['ps', '-a', '--format', '{{.Image}}']), short(first));
});

test('I5, L2: history has real IDs, commands and sizes; the sizes add up to the size of the image', async () => {
  const id = await build('app', 'FROM busybox\nCOPY f /f\nENV A=b\nCMD ["x"]\n', { f: 'x'.repeat(1234) });
  const rows = (
    await host.ok([
      'history',
      '--no-trunc',
      '--human=false',
      '--format',
      '{{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}',
      'app',
    ])
  )
    .split('\n')
    .map((line) => line.split('|'));
  const parent = await host.inspect(id, '{{.Parent}}');
  assert.deepEqual(
    rows.map(([rowId]) => rowId),
    [id, parent, await host.inspect(parent, '{{.Parent}}'), busyboxId],
  );
  assert.deepEqual(
    rows.map(([, command]) => command?.replace(/file:[0-9a-f]{64}/, 'file:X')),
    ['/bin/sh -c #(nop)  CMD ["x"]', '/bin/sh -c #(nop)  ENV A=b', '/bin/sh -c #(nop) COPY file:X in /f ', ''],
  );
  const size = Number(await host.inspect(id, '{{.Size}}'));
  assert.deepEqual(
    rows.map((row) => Number(row[2])),
    [0, 0, 1234, size - 1234],
  );
  assert.equal(rows.at(-1)?.[3], 'Imported from -');
  assert.match(await host.ok(['history', 'app']), /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT\n[0-9a-f]{12} /);
  assert.match(await host.ok(['history', 'app']), / 1\.23kB /);
  assert.equal(await host.ok(['history', '-q', 'app']), rows.map(([rowId]) => short(rowId ?? '')).join('\n'));
  await fails(['history', 'nope'], /no such image: nope:latest/i);
});

test('L2: deleting a file of a lower layer adds a whiteout and frees nothing', async () => {
  await build('app', 'FROM busybox\nCOPY f /f\nRUN rm /f\n', { f: 'x'.repeat(5000) });
  assert.equal(
    await host
      .ok(['history', '--human=false', '--format', '{{.Size}}', 'app'])
      .then((text) => text.split('\n').slice(0, 2).join()),
    '0,5000',
  );
  assert.equal(
    Number(await host.inspect('app', '{{.Size}}')),
    Number(await host.inspect('busybox', '{{.Size}}')) + 5000,
  );
  assert.equal((await host.strake(['run', '--rm', 'app', 'ls', '/f'])).code, 1);
});

test('L3: a layer that many images use is stored once', async () => {
  const before = readdirSync(join(host.dataRoot, 'layers')).length;
  for (const name of ['one', 'two', 'three'])
    await build(name, `FROM busybox\nCOPY f /f\nCMD ["${name}"]\n`, { f: 'shared' });
  const layers = await Promise.all(
    ['one', 'two', 'three'].map((name) => host.inspect(name, '{{json .RootFS.Layers}}')),
  );
  assert.equal(new Set(layers).size, 1);
  assert.equal(readdirSync(join(host.dataRoot, 'layers')).length, before + 1);
});

test('L4: identical content gives identical layer digests, whatever its times and on another data root', async () => {
  await using other = await startHost();
  await importBusybox(other);
  const digests = [];
  for (const [index, target] of [host, other].entries()) {
    const context = makeContext(target.folder, {
      Dockerfile: 'FROM scratch\nCOPY . /tree/\nWORKDIR /tree/made\n',
      'a/b': 'b',
      'a/link': '-> b',
      c: 'c',
    });
    chmodSync(join(context, 'c'), 0o755);
    lutimesSync(join(context, 'c'), 1_000_000 + index, 1_000_000 + index);
    await target.ok(['build', '-q', '-t', 'same', context]);
    digests.push(JSON.parse(await target.inspect('same', '{{json .RootFS.Layers}}'))[0]);
  }
  // the time of a copied file is part of a layer; builds of one context file state agree
  const again = makeContext(host.folder, { Dockerfile: 'FROM scratch\nCOPY f /f\n', f: 'f' });
  const one = await host
    .ok(['build', '-q', '-t', 'again', again])
    .then(() => host.inspect('again', '{{json .RootFS.Layers}}'));
  await other.ok(['build', '-q', '-t', 'again', again]);
  assert.equal(await other.inspect('again', '{{json .RootFS.Layers}}'), one);
});

test('L4: the image ID is the digest of the config; RootFS.Layers lists the diff IDs, base first', async () => {
  const id = await build('app', 'FROM busybox\nCOPY f /f\n', { f: 'f' });
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  const [base] = JSON.parse(await host.inspect('busybox', '{{json .RootFS.Layers}}'));
  const layers = JSON.parse(await host.inspect('app', '{{json .RootFS.Layers}}'));
  assert.equal(layers.length, 2);
  assert.equal(layers[0], base);
});

test('I5: inspect as JSON has what Docker clients read', async () => {
  const id = await build('app:1', 'FROM busybox\nMAINTAINER me\nENV A=b\nCMD ["x"]\n');
  const [image] = JSON.parse(await host.ok(['inspect', 'app:1']));
  assert.deepEqual(
    [image.Id, image.RepoTags, image.RepoDigests, image.Author, image.Os],
    [id, ['app:1'], [], 'me', 'linux'],
  );
  assert.match(image.Created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
  assert.deepEqual(image.Config.Cmd, ['x']);
  assert.equal(image.RootFS.Type, 'layers');
  assert.equal(image.GraphDriver.Name, 'overlay2');
  assert.ok(image.Size > 1_000_000);
  assert.equal(image.Architecture, { x64: 'amd64', arm64: 'arm64' }[process.arch as string]); // the two that tests run on
});

test('I5: inspect --format: templates, several objects, an error for what is not there', async () => {
  await build('app', 'FROM busybox\nENV A=b\nLABEL k=v "with space"=1\nEXPOSE 80 443\n');
  assert.equal(
    await host.inspect('app', '{{.Os}}{{"\\n"}}{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}'),
    'linux\nk=v;with space=1;',
  );
  assert.equal(await host.inspect('app', '{{json .Config.ExposedPorts}}'), '{"443/tcp":{},"80/tcp":{}}');
  assert.equal(
    await host.inspect('app', '{{index .Config.Labels "k"}} {{len .Config.Env}} {{join .Config.Env ","}}'),
    'v 2 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin,A=b',
  );
  assert.equal(await host.inspect('app', '{{if .Config.Cmd}}yes{{else}}no{{end}}'), 'no');
  assert.equal(await host.ok(['inspect', '--format', '{{.Os}}', 'app', 'busybox']), 'linux\nlinux');
  await fails(['inspect', '--format', '{{.Nope}}', 'app'], /Nope/);
  await fails(['inspect', '--format', '{{.Os', 'app'], /template parsing error|unclosed/i, 64);
  const mixed = await host.strake(['image', 'inspect', '--format', '{{.Os}}', 'nope', 'app']);
  assert.deepEqual([mixed.code, mixed.stdout.trim()], [1, 'linux']);
  assert.match(mixed.stderr, /no such image: nope/i);
  const none = await host.strake(['inspect', 'nope']);
  assert.deepEqual([none.code, none.stdout], [1, '[]\n']);
  assert.match(none.stderr, /no such object: nope/i);
});

test('I1: the beginning of an ID finds its image when it is the only one', async () => {
  const ids: string[] = [busyboxId];
  // 17 images: at least two share their first digit
  for (let n = 0; n < 16; n++) ids.push(await build(`n${n}`, `FROM busybox\nLABEL n=${n}\n`));
  const first = ids.map((id) => id.slice(7, 8));
  const shared = first.find((digit, index) => first.indexOf(digit) !== index) ?? '';
  await fails(['inspect', shared], /no such object|ambiguous|multiple/i);
  await fails(['rmi', shared], /no such image|ambiguous|multiple/i);
  for (const id of ids) {
    assert.equal(await idOf(id), id);
    assert.equal(await idOf(id.slice(7, 19)), id);
    assert.equal(await idOf(id.slice(0, 19)), id);
  }
});

test('names and data on the disk belong to root alone', () => {
  assert.equal(statSync(join(host.dataRoot, 'strake.db')).mode & 0o077, 0);
  assert.equal(statSync(join(host.dataRoot, 'layers')).mode & 0o077, 0);
});
