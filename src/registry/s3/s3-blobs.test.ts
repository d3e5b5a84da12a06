/**
 * What becomes of blobs when any one request was done and its answer lost, or the process that asked died with it: against a store
 * whose ETags tell nothing of the bytes, as those of some encrypted buckets.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import { type BlobStorage, blobKey } from '../blob-storage.ts';
import { parseContentDigest } from '../content-digest.ts';
import { limitsOf } from '../limits.ts';
import { openSqliteMetadata } from '../metadata/open-sqlite.ts';
import { parseRepositoryName } from '../names.ts';
import type { Registry } from '../registry.ts';
import { appendToUpload, commitUpload, startUpload } from '../upload.ts';
import { UploadDigests } from '../upload-digests.ts';
import { openBucket } from './bucket.ts';
import { bucketAddress } from './bucket-address.ts';
import { s3Blobs } from './s3-blobs.ts';

const MiB = 1 << 20;
const repository = parseRepositoryName('team/app');

const scope = new Scope();
let blobs: BlobStorage;
let registry: Registry;

interface Stored {
  readonly bytes: Buffer;
  readonly etag: string;
}
const objects = new Map<string, Stored>();
const unfinished = new Map<string, { readonly name: string; readonly parts: Map<number, Stored> }>();
/** Requests so far, and the one whose answer is lost. */
let asked = 0;
let lostAnswer = 0;

before(async () => {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const [status, headers, body] = answerOf(request, Buffer.concat(chunks));
    if (++asked === lostAnswer) request.socket.destroy();
    else send(response, request, status, headers, body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on a port
  const place = { bucket: 'b', prefix: '', endpoint: `http://127.0.0.1:${port}`, region: undefined, redirect: false };
  const credentials = async () => ({ accessKeyId: 'id', secretAccessKey: 'secret' });
  const bucket = scope.use(openBucket(bucketAddress(place, {}), { credentials, log: silentLog }));
  blobs = s3Blobs(bucket);
  const metadata = scope.use(await openSqliteMetadata(scope.use(makeScratchFolder(tmpdir(), 'strake-s3')).path));
  const policy = { lease: 3_600_000, grace: 0, ...limitsOf([], []) };
  registry = { metadata, blobs, digests: new UploadDigests(), policy, log: silentLog };
});

after(async () => {
  await scope[Symbol.asyncDispose]();
});

type Answer = readonly [status: number, headers?: Record<string, string>, body?: Buffer | string];

function send(response: ServerResponse, request: IncomingMessage, ...[status, headers = {}, body = '']: Answer): void {
  const length = { 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, { ...length, ...headers }).end(request.method === 'HEAD' ? undefined : body);
}

const problem = (status: number, code: string): Answer => [status, {}, `<Error><Code>${code}</Code></Error>`];
const stored = (bytes: Buffer): Stored => ({ bytes, etag: `"${randomUUID()}"` });

function answerOf({ method, url = '', headers }: IncomingMessage, body: Buffer): Answer {
  const { pathname, searchParams } = new URL(url, 'http://x');
  const name = pathname.slice('/b/'.length);
  const [id, part] = [searchParams.get('uploadId'), searchParams.get('partNumber')];
  const upload = unfinished.get(id ?? '');
  const object = objects.get(name);
  if (name === '') return listOf(searchParams);
  if (id !== null && !upload) return problem(404, 'NoSuchUpload');
  if (method === 'POST' && searchParams.has('uploads')) {
    const made = randomUUID();
    unfinished.set(made, { name, parts: new Map() });
    return [200, {}, `<R><UploadId>${made}</UploadId></R>`];
  }
  if (upload && method === 'PUT') {
    const put = stored(body);
    upload.parts.set(Number(part), put);
    return [200, { etag: put.etag }];
  }
  if (upload && method === 'POST') {
    const wanted = [...body.toString().matchAll(/<ETag>(.*?)<\/ETag>/g)].map(([, etag]) => etag);
    const parts = wanted.map((_, index) => upload.parts.get(index + 1));
    if (parts.some((own, index) => own?.etag !== wanted[index])) return problem(400, 'InvalidPart');
    unfinished.delete(id ?? '');
    objects.set(name, stored(Buffer.concat(parts.flatMap((own) => own?.bytes ?? []))));
    return [200, {}, '<R/>'];
  }
  if (method === 'DELETE') {
    if (id !== null) unfinished.delete(id);
    else objects.delete(name);
    return [204];
  }
  if (method === 'PUT') {
    if (headers['if-none-match'] === '*' && object) return problem(412, 'PreconditionFailed');
    const put = stored(body);
    objects.set(name, put);
    return [200, { etag: put.etag }];
  }
  if (!object) return problem(404, 'NoSuchKey');
  if (headers['if-match'] !== undefined && headers['if-match'] !== object.etag)
    return problem(412, 'PreconditionFailed');
  const { bytes, etag } = object;
  const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '');
  if (method === 'HEAD' || !range) return [200, { etag, 'content-length': String(bytes.length) }, bytes];
  const found = bytes.subarray(Number(range[1]), Number(range[2]) + 1);
  const place = `bytes ${range[1]}-${Number(range[1]) + found.length - 1}/${bytes.length}`;
  return [206, { etag, 'content-range': place }, found];
}

function listOf(query: URLSearchParams): Answer {
  const prefix = query.get('prefix') ?? '';
  const names = [...objects.keys()].filter((name) => name.startsWith(prefix));
  if (!query.has('uploads'))
    return [200, {}, `<R>${names.map((name) => `<Contents><Key>${name}</Key></Contents>`).join('')}</R>`];
  const uploads = [...unfinished].filter(([, { name }]) => name.startsWith(prefix));
  const rows = uploads.map(([id, { name }]) => `<Upload><Key>${name}</Key><UploadId>${id}</UploadId></Upload>`);
  return [200, {}, `<R>${rows.join('')}</R>`];
}

async function* of(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += MiB) yield bytes.subarray(at, at + MiB);
}

const digestOf = (bytes: Buffer) => parseContentDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);

/** Pushes a blob in these pieces; the key of what it became. */
async function push(pieces: readonly Buffer[]): Promise<string> {
  const { id } = await startUpload(registry, repository, 'sha256');
  for (const piece of pieces) await appendToUpload(registry, repository, id, { chunks: of(piece), range: undefined });
  const digest = digestOf(Buffer.concat(pieces));
  await commitUpload(registry, repository, id, digest, { chunks: of(Buffer.alloc(0)), range: undefined });
  return (await registry.metadata.findContent(digest))?.key ?? assert.fail();
}

const shapes: readonly [string, readonly number[]][] = [
  ['small', [10]],
  ['small, in two requests', [10, 10]],
  ['small, in three', [10, 10, 10]],
  ['of a part and some bytes', [8 * MiB + 1]],
  ['of a part, in two requests', [4 * MiB, 4 * MiB]],
  ['of a part and some bytes, in three requests', [3 * MiB, 6 * MiB, 1]],
];

for (const [name, sizes] of shapes)
  test(`a blob ${name}: each answer may be lost, and nothing is left beside the blob`, async () => {
    const attempt = async () => {
      objects.clear();
      asked = 0;
      const pieces = sizes.map((size) => randomBytes(size));
      const key = await push(pieces);
      assert.ok(objects.get(key)?.bytes.equals(Buffer.concat(pieces)), `answer ${lostAnswer}`);
      assert.deepEqual([[...objects.keys()], [...unfinished]], [[key], []], `answer ${lostAnswer}`);
    };
    lostAnswer = 0;
    await attempt();
    const requests = asked;
    assert.ok(requests > 0);
    for (lostAnswer = 1; lostAnswer <= requests; lostAnswer++) await attempt();
    lostAnswer = 0;
  });

for (const [name, sizes] of shapes.filter(([, { length }]) => length > 1))
  test(`a blob ${name}: what another one made of it counts when it is the same`, async () => {
    for (const isSame of [true, false]) {
      objects.clear();
      const pieces = sizes.map((size) => randomBytes(size));
      const { id, key } = await startUpload(registry, repository, 'sha256');
      for (const piece of pieces)
        await appendToUpload(registry, repository, id, { chunks: of(piece), range: undefined });
      const upload = (await registry.metadata.findUpload(repository, id)) ?? assert.fail();
      assert.equal(await blobs.finish(key, upload), true);
      assert.equal(await blobs.finish(key, upload), false);
      const whole = Buffer.concat(pieces);
      const digest = digestOf(whole);
      if (!isSame) objects.set(key, stored(Buffer.alloc(whole.length)));
      const commit = commitUpload(registry, repository, id, digest, { chunks: of(Buffer.alloc(0)), range: undefined });
      if (isSame) await commit;
      else await assert.rejects(commit, { kind: 'data-loss' });
      assert.equal((await registry.metadata.findContent(digest))?.key, isSame ? key : undefined);
      assert.equal(await registry.metadata.findUpload(repository, id), undefined);
      assert.deepEqual([[...objects.keys()], [...unfinished]], [isSame ? [blobKey(key)] : [], []]);
    }
  });
