/** SOURCE_DATE_EPOCH: the same build gives the same image, whenever and wherever it is built. */
import assert from 'node:assert/strict';
import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeContext, startTwoHosts, type TestHost } from './harness.ts';

const EPOCH = 1_600_000_000;
const DATE = '2020-09-13T12:26:40Z';
let host: TestHost;
let other: TestHost;

before(async () => {
  [host, other] = await startTwoHosts();
});
after(async () => {
  await host[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

const COPIES = {
  Dockerfile: 'FROM scratch\nCOPY tree /made/tree\nCOPY --chown=5:5 top /\nLABEL a=1\nWORKDIR /new/folder\n',
  'tree/one': 'one',
  'tree/sub/two': 'two',
  'tree/link': '-> one',
  top: 'top',
};
const RUNS = [
  'FROM busybox AS first',
  'RUN mkdir -p /data/sub && echo one > /data/one && ln /data/one /data/again && ln -s one /data/link && touch /etc/new',
  'RUN touch -d @1500000000 /data/old && chmod 700 /data/sub && rm /bin/vi',
  'FROM busybox',
  'COPY --from=first /data /data',
  'WORKDIR /srv',
  'CMD ["true"]',
].join('\n');

/** The ID of the image that a new context with these files gives. */
async function build(on: TestHost, files: Readonly<Record<string, string>>, flags: readonly string[] = []) {
  const context = makeContext(on.folder, files);
  return await on.ok(['build', '-q', ...flags, context], { env: { SOURCE_DATE_EPOCH: String(EPOCH) } });
}

test('copies: two data roots, contexts of different times, one digest', async () => {
  const first = await build(host, COPIES);
  const late = makeContext(other.folder, COPIES);
  utimesSync(join(late, 'tree/one'), EPOCH + 5, EPOCH + 5.5);
  const flags = ['build', '-q', '--build-arg', `SOURCE_DATE_EPOCH=${EPOCH}`, late];
  assert.equal(await other.ok(flags), first);
});

test('commands: two data roots and no cache, one digest', async () => {
  const first = await build(host, { Dockerfile: RUNS });
  assert.equal(await build(other, { Dockerfile: RUNS }), first);
  assert.equal(await build(host, { Dockerfile: RUNS }, ['--no-cache']), first);
});

test('no time of the image is later: config, history, files', async () => {
  const id = await build(host, { Dockerfile: RUNS });
  assert.equal(await host.inspect(id, '{{.Created}}'), DATE);
  const history = await host.ok(['history', '--no-trunc', '--human=false', '--format', '{{.CreatedAt}}', id]);
  const isOurs = (line: string) => new Date(line).getTime() === EPOCH * 1000;
  assert.deepEqual(history.split('\n').map(isOurs), [true, true, true, false]);
  const list = await host.sh(id, 'cd /data && stat -c "%n %Y" . sub one again link old /srv');
  assert.deepEqual(list.split('\n'), [
    ...['.', 'sub', 'one', 'again', 'link'].map((name) => `${name} ${EPOCH}`),
    'old 1500000000',
    `/srv ${EPOCH}`,
  ]);
});

test('another source date is another result, and so is none', async () => {
  const flags = ['--build-arg', `SOURCE_DATE_EPOCH=${EPOCH + 1}`];
  const dated = await build(host, COPIES);
  assert.notEqual(await build(host, COPIES, flags), dated);
  assert.notEqual(await host.ok(['build', '-q', makeContext(host.folder, COPIES)]), dated);
  assert.equal(await build(host, COPIES), dated);
});

test('a date that is none', async () => {
  const { code, stderr } = await host.strake(['build', makeContext(host.folder, COPIES)], {
    env: { SOURCE_DATE_EPOCH: 'yesterday' },
  });
  assert.equal(code, 1);
  assert.match(stderr, /invalid SOURCE_DATE_EPOCH: yesterday/);
});

test('--verify names what a step gives otherwise the second time', async () => {
  const Dockerfile = [
    'FROM busybox',
    'RUN echo same > /same',
    'RUN cat /proc/sys/kernel/random/uuid > /random && echo x > /x-$(cat /random)',
    'COPY file /copied/',
    'WORKDIR /srv',
  ].join('\n');
  const context = makeContext(host.folder, { Dockerfile, file: 'x' });
  const env = { SOURCE_DATE_EPOCH: String(EPOCH) };
  await host.ok(['build', context], { env });
  const { code, stderr } = await host.strake(['build', '-t', 'unlike', '--verify', context], { env });
  assert.equal(code, 1);
  assert.match(stderr, /the build is not reproducible: 1 step gives something else the second time/);
  const lines = stderr.split('\n').filter((line) => /^(step| {2})/.test(line));
  assert.match(lines[0] ?? '', /^step 3: RUN cat/);
  assert.equal(lines[1], '  /random: content');
  assert.match(lines[2] ?? '', /^ {2}\/x-.{36}: only the (first|second) time$/);
  assert.equal(lines.length, 4);
  assert.equal((await host.strake(['inspect', 'unlike'])).code, 1, 'it has no name');
});

test('--verify of a build that is reproducible, cached or not', async () => {
  const context = makeContext(host.folder, { Dockerfile: RUNS });
  const env = { SOURCE_DATE_EPOCH: String(EPOCH + 7) };
  const cold = await host.ok(['build', '-q', '-t', 'alike', '--verify', context], { env });
  assert.equal(await host.ok(['build', '-q', '--verify', context], { env }), cold);
  assert.equal(await host.inspect('alike', '{{.Id}}'), cold);
});

test('--verify without a source date: times differ, and what to do is said', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo x > /x && sleep 1.1\n' });
  const { code, stderr } = await host.strake(['build', '--verify', context]);
  assert.equal(code, 1);
  assert.match(stderr, /\/x: time\n/);
  assert.match(stderr, /set SOURCE_DATE_EPOCH/);
});
