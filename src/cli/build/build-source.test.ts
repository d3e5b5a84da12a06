import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { IgnoreMatcher, parseIgnore } from '../../dockerfile/ignore.ts';
import { runProgram } from '../../lib/run-program.ts';
import { findBuildSource } from './build-source.ts';
import { contextTar } from './context-tar.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'strake-context-')));
after(() => rmSync(root, { recursive: true }));
const { signal } = new AbortController();
const NO_INPUT = Readable.from([]);

async function bytesOf(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** What GNU tar reads, `name` or `name -> target`, and the content of the files. */
async function listTar(bytes: Buffer): Promise<string[]> {
  const result = await runProgram('tar', ['-tv', '--numeric-owner', '-f', '-'], { stdin: bytes, signal });
  assert.equal(result.exitCode, 0, result.stderr);
  return result.stdout
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\S+ +(\S+) +\S+ \S+ \S+ /, '$1 '));
}

async function contentOf(bytes: Buffer, path: string): Promise<string> {
  return (await runProgram('tar', ['-xO', '-f', '-', path], { stdin: bytes, signal })).stdout;
}

const context = join(root, 'context');
mkdirSync(join(context, 'sub/deep'), { recursive: true });
mkdirSync(join(context, 'skipped'));
writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\n');
writeFileSync(join(context, '.dockerignore'), 'skipped\n*.log\nsub/deep\n!sub/deep/kept\nDockerfile\n.dockerignore\n');
writeFileSync(join(context, 'a.log'), 'log');
writeFileSync(join(context, 'sub/file'), 'content', { mode: 0o755 });
writeFileSync(join(context, 'sub/deep/kept'), 'kept');
writeFileSync(join(context, 'sub/deep/gone'), 'gone');
writeFileSync(join(context, 'skipped/x'), 'x');
symlinkSync('../outside', join(context, 'link'));

test('the context of a folder: what is not ignored, and always the Dockerfile and the ignore file', async () => {
  const source = await findBuildSource(context, '', NO_INPUT);
  assert.equal(source.kind, 'folder');
  if (source.kind !== 'folder') return;
  assert.equal(source.dockerfile, 'Dockerfile');
  assert.equal(source.offer.path, context);
  const tar = await bytesOf(contextTar(source.part));
  assert.deepEqual(await listTar(tar), [
    '0/0 .dockerignore',
    '0/0 Dockerfile',
    '0/0 link -> ../outside',
    '0/0 sub/',
    '0/0 sub/deep/kept',
    '0/0 sub/file',
  ]);
  assert.equal(await contentOf(tar, 'sub/file'), 'content');
});

test('a Dockerfile of another name, with an ignore file of its own', async () => {
  writeFileSync(join(context, 'sub/Other'), 'FROM a\n');
  writeFileSync(join(context, 'sub/Other.dockerignore'), '*\n!link\n');
  const source = await findBuildSource(context, join(context, 'sub/Other'), NO_INPUT);
  assert.equal(source.dockerfile, 'sub/Other');
  assert.ok(source.kind === 'folder' && source.sent === undefined);
  assert.deepEqual(await listTar(await bytesOf(contextTar(source.part))), [
    '0/0 .dockerignore',
    '0/0 link -> ../outside',
    '0/0 sub/Other',
    '0/0 sub/Other.dockerignore',
  ]);
  rmSync(join(context, 'sub/Other'));
  rmSync(join(context, 'sub/Other.dockerignore'));
});

for (const [what, file, stdin] of [
  ['outside of the context', join(root, 'Outside'), ''],
  ['on stdin', '-', 'FROM outside\n'],
] as const) {
  test(`a Dockerfile ${what} travels under a name that no COPY sees`, async () => {
    writeFileSync(join(root, 'Outside'), 'FROM outside\n');
    const source = await findBuildSource(context, file, Readable.from([Buffer.from(stdin)]));
    assert.ok(source.kind === 'folder');
    assert.equal(source.sent?.toString(), 'FROM outside\n');
    assert.match(source.dockerfile, /^\.dockerfile\.[0-9a-f]{20}$/);
    const tar = await bytesOf(contextTar(source.part));
    assert.equal(await contentOf(tar, source.dockerfile), 'FROM outside\n');
    assert.ok((await contentOf(tar, '.dockerignore')).endsWith(`\n${source.dockerfile}\n`));
    assert.ok(!(await listTar(tar)).includes('0/0 Dockerfile'));
  });
}

test('stdin is a tar, packed or not, or a Dockerfile', async () => {
  const tar = await bytesOf(contextTar({ folder: undefined, extra: [{ path: 'x', bytes: Buffer.from('1') }] }));
  for (const bytes of [tar, gzipSync(tar)]) {
    const source = await findBuildSource('-', 'x', Readable.from([bytes.subarray(0, 100), bytes.subarray(100)]));
    assert.ok(source.kind === 'tar' && source.dockerfile === 'x');
    assert.deepEqual(await bytesOf(source.tar()), bytes);
  }
  const text = await findBuildSource('-', '', Readable.from([Buffer.from('FROM '), Buffer.from('scratch\n')]));
  assert.ok(text.kind === 'tar');
  assert.equal(await contentOf(await bytesOf(text.tar()), 'Dockerfile'), 'FROM scratch\n');
});

for (const url of ['https://example.org/x.tar', 'git://example.org/x', 'git@example.org:x.git', 'github.com/a/b']) {
  test(`${url} is for the host`, async () => {
    assert.deepEqual(await findBuildSource(url, '', NO_INPUT), { kind: 'remote', url, dockerfile: 'Dockerfile' });
  });
}

const refused: readonly [where: string, file: string, message: RegExp][] = [
  ['/proc/nonexistent', '', /^unable to prepare context: path "\/proc\/nonexistent" not found$/],
  [join(context, 'a.log'), '', /^unable to prepare context: context must be a directory: /],
  [
    context,
    'none',
    /^unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat .*none: no such/,
  ],
  ['-', '-', /cannot use stdin for both build context and dockerfile$/],
  ['-', 'x', /^ambiguous Dockerfile source/],
];
for (const [where, file, message] of refused) {
  test(`build ${where === '-' ? '-' : 'PATH'} -f "${file}" is refused: ${message.source.slice(0, 40)}`, async () => {
    await assert.rejects(findBuildSource(where, file, Readable.from([Buffer.from('FROM x\n')])), { message });
  });
}

test('large files stream in pieces, sockets are left out, long and odd names survive', async () => {
  const folder = join(root, 'odd');
  mkdirSync(folder);
  writeFileSync(join(folder, 'big'), Buffer.alloc(3_500_001, 'ab'));
  writeFileSync(join(folder, 'é ü'), '');
  mkdirSync(join(folder, 'd'.repeat(200)));
  writeFileSync(join(folder, 'd'.repeat(200), 'f'.repeat(200)), '');
  const server = createServer().listen(join(folder, 's'));
  const ignores = new IgnoreMatcher(parseIgnore(''));
  let largest = 0;
  const chunks: Buffer[] = [];
  for await (const chunk of contextTar({ folder: { folder, ignores, keep: [] }, extra: [] })) {
    largest = Math.max(largest, chunk.length);
    chunks.push(chunk);
  }
  server.close();
  assert.ok(largest <= 1 << 20);
  const tar = Buffer.concat(chunks);
  const names = await runProgram('tar', ['-t', '--quoting-style=literal', '-f', '-'], { stdin: tar, signal });
  assert.deepEqual(names.stdout.trim().split('\n'), [
    'big',
    `${'d'.repeat(200)}/`,
    `${'d'.repeat(200)}/${'f'.repeat(200)}`,
    'é ü',
  ]);
  const unpacked = await runProgram('tar', ['-xO', '-f', '-', 'big'], { stdin: tar, signal, limit: 4 << 20 });
  assert.equal(unpacked.stdout.length, 3_500_001);
});
