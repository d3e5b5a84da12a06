/** `build --output`: what was built as a folder, a tar, an OCI layout or a docker archive of the client. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, run, STRAKE, startHost, type TestHost } from './harness.ts';

let host: TestHost;
let context: string;

const DOCKERFILE = [
  'FROM busybox AS tool',
  'RUN mkdir -p /opt/app/keep /opt/gone && echo tool > /opt/app/tool && chmod 4755 /opt/app/tool && chown app /opt/app/keep',
  'RUN ln /opt/app/tool /opt/app/again && ln -s tool /opt/app/link && mknod /opt/null c 1 3 && echo > /opt/gone/file',
  'RUN rm -r /opt/gone /bin/vi && rm -r /tmp && mkdir /tmp && touch /tmp/after',
  'FROM scratch AS files',
  'COPY --from=tool /opt /opt',
  'COPY hello /',
].join('\n');

before(async () => {
  host = await startHost();
  await importBusybox(host);
  context = makeContext(host.folder, { Dockerfile: DOCKERFILE, hello: 'hello' });
});
after(async () => await host[Symbol.asyncDispose]());

const fresh = () => mkdtempSync(join(host.folder, 'out-'));

test('a folder', async () => {
  const out = join(fresh(), 'new/folder');
  const { code, stderr } = await host.strake(['build', '-o', out, context]);
  assert.deepEqual([code, stderr], [0, `${out}: left out 1 device nodes and pipes\n`]);
  assert.deepEqual(readdirSync(out, { recursive: true }).sort(), [
    'hello',
    'opt',
    'opt/app',
    'opt/app/again',
    'opt/app/keep',
    'opt/app/link',
    'opt/app/tool',
  ]);
  assert.equal(readFileSync(join(out, 'hello'), 'utf8'), 'hello');
  assert.equal(readlinkSync(join(out, 'opt/app/link')), 'tool');
  assert.equal(statSync(join(out, 'opt/app/tool')).mode & 0o7777, 0o755);
  assert.equal(statSync(join(out, 'opt/app/tool')).ino, statSync(join(out, 'opt/app/again')).ino);
});

test('the client writes, as the user that calls it and where it stands', async () => {
  const out = fresh();
  statSync(out);
  const caller = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const args = ['-H', `unix://${host.socket}`, 'build', '-q', '-o', 'type=local,dest=here', '-'];
  await run('chown', ['65534', out]);
  await run('chmod', ['755', host.folder]);
  await run('chmod', ['666', host.socket]);
  const input = 'FROM busybox\nRUN mkdir /new && echo x > /new/x\nFROM scratch\nCOPY --from=0 /new /new\n';
  const result = await run('setpriv', [...caller, STRAKE, ...args], { cwd: out, input, env: { HOME: out } });
  assert.equal(result.code, 0, result.stderr);
  assert.equal(statSync(join(out, 'here/new/x')).uid, 65534);
});

test('a folder that a link in the target leads out of', async () => {
  const [out, beside] = [fresh(), fresh()];
  symlinkSync(beside, join(out, 'opt'));
  await host.strake(['build', '-q', '-o', `type=local,dest=${out}`, context]);
  assert.deepEqual(readdirSync(beside), []);
  assert.equal(readFileSync(join(out, 'opt/app/tool'), 'utf8'), 'tool\n');
});

test('a tar of the files is what a container of the image exports, byte for byte', async () => {
  const file = join(fresh(), 'tree.tar');
  await host.ok(['build', '-t', 'tool', '--target', 'tool', context]);
  await host.ok(['build', '--target', 'tool', '-o', `type=tar,dest=${file}`, context]);
  const container = await host.ok(['create', 'tool', 'true']);
  const exported = join(fresh(), 'exported.tar');
  await host.ok(['export', '-o', exported, container]);
  await host.ok(['rm', container]);
  assert.ok(readFileSync(file).equals(readFileSync(exported)));
  const list = (await run('tar', ['-tf', file])).stdout.split('\n');
  assert.ok(list.includes('tmp/after') && !list.includes('bin/vi') && !list.includes('opt/gone/'));
  assert.ok(!list.some((name) => name.includes('.wh.')));
});

test('stdout has the tar alone, the progress goes to stderr', async () => {
  const command = `'${STRAKE}' -H 'unix://${host.socket}' build -o - '${context}' | tar -t`;
  const { code, stdout, stderr } = await run('sh', ['-c', command]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(stdout.trim().split('\n').slice(0, 2), ['hello', 'opt/']);
  assert.match(stderr, /Successfully built/);
});

test('a docker archive and an OCI layout have the names, the store does not', async () => {
  const out = fresh();
  const outputs = ['-o', `type=docker,dest=${out}/docker.tar`, '-o', `type=oci,dest=${out}/oci.tar`];
  await host.ok(['build', '-t', 'named:1', ...outputs, '-o', `type=oci,tar=false,dest=${out}/layout`, context]);
  assert.equal(await host.ok(['images', '-q', 'named']), '');
  assert.deepEqual(readdirSync(join(out, 'layout')).sort(), ['blobs', 'index.json', 'oci-layout']);
  const oci = (await run('tar', ['-tf', join(out, 'oci.tar')])).stdout;
  assert.ok(oci.includes('oci-layout') && !oci.includes('manifest.json') && !oci.includes('repositories'));
  for (const file of ['docker.tar', 'oci.tar'])
    assert.equal(await host.ok(['load', '-i', join(out, file)]), 'Loaded image: named:1', file);
  const skopeo = await run('skopeo', ['inspect', '--format', '{{.Name}} {{len .Layers}}', `oci:${out}/layout:1`]);
  assert.equal(skopeo.code, 0, skopeo.stderr);
  await host.ok(['rmi', 'named:1']);
});

test('the image and a folder at once', async () => {
  const out = fresh();
  await host.ok(['build', '-t', 'both', '-o', 'type=image,name=other:2', '-o', out, context]);
  assert.equal(await host.inspect('both', '{{.Id}}'), await host.inspect('other:2', '{{.Id}}'));
  assert.ok(readdirSync(out).includes('hello'));
});

const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['a type that is not known', ['-o', 'type=zip,dest=x'], /unknown output type "zip"/],
  ['two outputs on stdout', ['-o', '-', '-o', 'type=oci'], /only one output can go to stdout/],
  ['a file in the place of the folder', ['-o', '/etc/passwd'], /EEXIST|not a directory/],
];
for (const [name, flags, message] of refused)
  test(`refuses ${name}`, async () => {
    const { code, stderr } = await host.strake(['build', ...flags, context]);
    assert.notEqual(code, 0);
    assert.match(stderr, message);
  });

test('files alone leave no image, and the next build is warm', async () => {
  const images = await host.ok(['images', '-q']);
  const input = 'FROM busybox\nRUN date +%N > /time\n';
  const folders = [fresh(), fresh()];
  for (const folder of folders) await host.ok(['build', '-o', folder, '-'], { input });
  const [first, second] = folders.map((folder) => readFileSync(join(folder, 'time'), 'utf8'));
  assert.equal(first, second);
  assert.equal(await host.ok(['images', '-q']), images);
});

test('a failed build writes nothing', async () => {
  const out = join(fresh(), 'never');
  const broken = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN false\n' });
  const { code } = await host.strake(['build', '-o', out, broken]);
  assert.equal(code, 1);
  assert.throws(() => statSync(out), /ENOENT/);
});

test('an output folder with a file where the result has a folder', async () => {
  const out = fresh();
  mkdirSync(join(out, 'hello'));
  const { code, stderr } = await host.strake(['build', '-q', '-o', out, context]);
  assert.equal(code, 1);
  assert.match(stderr, /"hello" would replace a folder that is there/);
});
