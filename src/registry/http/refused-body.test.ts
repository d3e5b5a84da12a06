/** Requests that are refused while their bodies are on their way, from clients that send all of it before they read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setImmediate as breathe } from 'node:timers/promises';
import { openTestRegistry, type TestRegistry } from '../test-registry.ts';

const MiB = 1 << 20;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

let registry: TestRegistry;

before(async () => {
  registry = await openTestRegistry();
});

after(async () => {
  await registry[Symbol.asyncDispose]();
});

async function open(head: readonly string[]): Promise<Socket> {
  const [host = '', port = ''] = registry.address.split(':');
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  socket.write(`${[...head, 'Host: x'].join('\r\n')}\r\n\r\n`);
  return socket;
}

async function answerOn(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** More than the buffers of the two ends of a connection hold together, so that nothing but being read makes room. */
const BODY = 16 * MiB;
const CHUNK = Buffer.alloc(64 << 10, 'x');

async function sendBody(socket: Socket, isChunked: boolean): Promise<void> {
  const piece = isChunked ? Buffer.concat([Buffer.from('10000\r\n'), CHUNK, Buffer.from('\r\n')]) : CHUNK;
  for (let sent = 0; sent < BODY; sent += CHUNK.length) {
    if (!socket.write(piece)) await once(socket, 'drain');
    else await breathe();
  }
  if (isChunked) socket.write('0\r\n\r\n');
}

const nowhere = '/v2/team/app/blobs/uploads/none';
const rows = [
  ['an upload that is none', `PATCH ${nowhere}`, {}, '404', 'BLOB_UPLOAD_UNKNOWN'],
  ['a wrong place', 'PATCH $', { 'Content-Range': `5-${BODY + 4}` }, '416', 'RANGE_INVALID'],
  ['no digest', 'PUT $', {}, '400', 'DIGEST_INVALID'],
  [
    'a manifest that is too large',
    'PUT /v2/team/app/manifests/x',
    { 'Content-Type': MANIFEST },
    '413',
    'MANIFEST_INVALID',
  ],
  ['a wrong method', 'PUT /v2/', {}, '405', 'UNSUPPORTED'],
] as const;

for (const [name, ask, headers, status, code] of rows)
  for (const isChunked of [false, true])
    test(`${name}, ${isChunked ? 'in chunks' : 'of a length'}: the answer is there when all is sent`, async () => {
      const place = (await registry.send('POST', '/v2/team/app/blobs/uploads/')).headers['location'] ?? '';
      const length = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${BODY}`;
      const own = Object.entries(headers).map(([key, value]) => `${key}: ${value}`);
      const socket = await open([`${ask.replace('$', place)} HTTP/1.1`, length, ...own]);
      await sendBody(socket, isChunked);
      const answer = await answerOn(socket);
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*\r\nConnection: close\r\n[\\s\\S]*"${code}"`, 'i'));
      assert.doesNotMatch(answer.slice(12), /HTTP\/1\.1/, 'one answer');
    });

test('who waits to be told to send is refused without a byte, and told to send what is taken', async () => {
  const expect = ['Content-Length: 3', 'Expect: 100-continue'];
  const refused = await open([`PATCH ${nowhere} HTTP/1.1`, ...expect]);
  const [bytes] = await once(refused, 'data');
  assert.match(String(bytes), /^HTTP\/1.1 404 [\s\S]*BLOB_UPLOAD_UNKNOWN/);
  refused.destroy();
  const place = (await registry.send('POST', '/v2/team/app/blobs/uploads/')).headers['location'] ?? '';
  const taken = await open([`PATCH ${place} HTTP/1.1`, ...expect, 'Connection: close']);
  assert.equal(String((await once(taken, 'data'))[0]), 'HTTP/1.1 100 Continue\r\n\r\n');
  taken.write('abc');
  assert.match(await answerOn(taken), /^HTTP\/1.1 202 /);
});
