/** How requests are sent again, and what is told when that is of no use: against a server that only misbehaves. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { Scope } from '../../lib/scope.ts';
import { type Bucket, openBucket } from './bucket.ts';
import { bucketAddress } from './bucket-address.ts';
import { openObject } from './object-reader.ts';
import { getObject } from './objects.ts';

type Act = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const scope = new Scope();
let acts: Act[] = [];
let connections = 0;
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
let bucket: Bucket;
const credentials = async () => ({ accessKeyId: 'id', secretAccessKey: 'hidden' });

before(async () => {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers, body });
    (acts.shift() ?? unforeseen)(request, response, body);
  });
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens on a port
  const place = { bucket: 'b', prefix: 'p', endpoint: `http://127.0.0.1:${port}`, region: undefined, redirect: false };
  bucket = scope.use(openBucket(bucketAddress(place, {}), { credentials, log: silentLog }));
});

after(async () => {
  await scope[Symbol.asyncDispose]();
});

function unforeseen(_: IncomingMessage, response: ServerResponse): void {
  response.writeHead(418).end('<Error><Code>Unforeseen</Code></Error>');
}

const says =
  (status: number, code: string, headers = {}): Act =>
  (_, response) =>
    response.writeHead(status, headers).end(code === '' ? '' : `<Error><Code>${code}</Code></Error>`);
const cutOff: Act = (request) => request.socket.destroy();
const good: Act = (_, response) => response.writeHead(200, { etag: '"e"' }).end('<a>1</a>');

async function play(...next: Act[]): Promise<void> {
  acts = next;
  seen = [];
}

test('a request is sent again with all its bytes while the store is busy or the connection breaks', async () => {
  await play(says(503, 'SlowDown'), cutOff, says(500, 'InternalError'), says(400, 'RequestTimeout'), good);
  const body = [Buffer.from('all '), Buffer.from('bytes')];
  const { text } = await bucket.ask({
    method: 'PUT',
    name: 'x',
    query: { partNumber: '1', uploadId: '2~a+b/c=' },
    body,
  });
  assert.equal(text, '<a>1</a>');
  assert.equal(seen.length, 5);
  for (const { url, body, headers } of seen) {
    assert.deepEqual([url, body], ['/b/p/x?partNumber=1&uploadId=2~a%2Bb%2Fc%3D', 'all bytes']);
    assert.match(headers.authorization ?? '', /^AWS4-HMAC-SHA256 Credential=id\/\d{8}\/us-east-1\/s3\/aws4_request, /);
  }
});

test('an error that follows a good status is one', async () => {
  await play(says(200, 'InternalError'), good);
  await bucket.ask({ method: 'POST', name: 'x', query: { uploadId: 'u' } });
  assert.equal(seen.length, 2);
});

const failures: readonly [string, Act, string, RegExp][] = [
  ['no bucket', says(404, 'NoSuchBucket'), 'S3_NO_BUCKET', /^there is no bucket "b" at http:\/\/127/],
  [
    'wrong key',
    says(403, 'InvalidAccessKeyId'),
    'S3_DENIED',
    /credentials do not hold for bucket "b" .*InvalidAccessKeyId/,
  ],
  ['wrong secret', says(403, 'SignatureDoesNotMatch'), 'S3_DENIED', /SignatureDoesNotMatch/],
  ['clock', says(403, 'RequestTimeTooSkewed'), 'S3_CLOCK', /clocks/],
  ['region', says(301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-1' }), 'S3_REGION', /in the region eu-1/],
  ['full', says(507, 'Full'), 'S3_FULL', /no space left in bucket "b"/],
  ['quota', says(403, 'QuotaExceeded'), 'S3_FULL', /no space left/],
  ['something else', says(400, 'Odd'), 'S3_FAILED', /status 400 Odd/],
];
for (const [name, act, code, message] of failures)
  test(`not sent again: ${name}`, async () => {
    await play(act);
    await assert.rejects(bucket.ask({ method: 'GET' }), (error: Error) => {
      assert.equal('code' in error && error.code, code);
      assert.match(error.message, message);
      assert.doesNotMatch(JSON.stringify(error), /hidden/);
      return true;
    });
    assert.equal(seen.length, 1);
  });

test('who never answers is told by name', async () => {
  await play(cutOff, cutOff);
  await assert.rejects(
    bucket.ask({ method: 'GET', tries: 2 }),
    /^Failure: cannot reach bucket "b" at http:\/\/127.*socket hang up/,
  );
});

test('a body that breaks off is gone on with where it was', async () => {
  const bytes = Buffer.from('0123456789');
  const part =
    (upTo: number): Act =>
    (request, response) => {
      const [first = 0, last = 0] =
        /bytes=(\d+)-(\d+)/
          .exec(request.headers.range ?? '')
          ?.slice(1)
          .map(Number) ?? [];
      const headers = { 'content-range': `bytes ${first}-${last}/10`, 'content-length': last - first + 1, etag: '"e"' };
      response.writeHead(206, headers).write(bytes.subarray(first, upTo), () => {
        if (upTo <= last) request.socket.destroy();
        else response.end();
      });
    };
  await play(part(4), part(7), part(10));
  await using reader = await openObject(bucket, 'x', { start: 1, end: 10 });
  const buffer = Buffer.alloc(20);
  assert.ok(reader);
  assert.equal(await reader.read(buffer, 1, 20), 9);
  assert.equal(buffer.toString('latin1', 0, 9), '123456789');
  assert.deepEqual(
    seen.map(({ headers }) => headers.range),
    ['bytes=1-9', 'bytes=4-9', 'bytes=7-9'],
  );
  assert.equal(seen[2]?.headers['if-match'], '"e"');
});

test('a body that was read leaves its connection to the next request, one that was not is given up', async () => {
  const headers = { 'content-range': 'bytes 0-9/10', 'content-length': 10 };
  const ten: Act = (_, response) => response.writeHead(206, headers).end('0123456789');
  const half: Act = (_, response) => response.writeHead(206, headers).write('01234');
  await play(ten, ten, ten, half, ten);
  const before = connections;
  for (const length of [10, 10, 10, 5, 10]) {
    await using reader = await openObject(bucket, 'x', { start: 0, end: 10 });
    assert.equal(await reader?.read(Buffer.alloc(length), 0, length), length);
  }
  assert.ok(connections - before <= 2, `${connections - before} connections`);
});

test('an object that is another one than was stored is not taken for it', async () => {
  await play(says(412, 'PreconditionFailed'));
  await assert.rejects(getObject(bucket, 'x', { size: 3, etag: '"e"' }), { code: 'S3_CHANGED' });
  await play((_, response) => response.end('longer'));
  await assert.rejects(getObject(bucket, 'x', { size: 3, etag: '"e"' }), { code: 'S3_CHANGED' });
});
