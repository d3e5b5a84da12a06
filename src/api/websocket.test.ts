import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { frame, startTestHost, type TestHost, until } from './test-host.ts';

const HANDSHAKE =
  'Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** A frame as a client sends it. */
function masked(opcode: number, payload: Buffer, last = true): Buffer {
  const mask = randomBytes(4);
  const head = payload.length < 126 ? Buffer.alloc(2) : Buffer.alloc(payload.length < 0x10000 ? 4 : 10);
  head[0] = (last ? 0x80 : 0) | opcode;
  head[1] = 0x80 | (payload.length < 126 ? payload.length : payload.length < 0x10000 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(payload.length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ (mask[at & 3] ?? 0))]);
}

/** Opcode and payload of each frame that the host sent behind the head of its answer. */
function framesOf(answer: Buffer): [number, string][] {
  const frames: [number, string][] = [];
  for (let at = answer.indexOf('\r\n\r\n') + 4; at < answer.length; ) {
    const short = answer[at + 1] ?? 0;
    const size = short < 126 ? 0 : short === 126 ? 2 : 8;
    const length =
      size === 0 ? short : size === 2 ? answer.readUInt16BE(at + 2) : Number(answer.readBigUInt64BE(at + 2));
    const start = at + 2 + size;
    frames.push([(answer[at] ?? 0) & 0xf, answer.toString('latin1', start, start + length)]);
    at = start + length;
  }
  return frames;
}

const attaching = (output: Readable, input: PassThrough | undefined, tty: boolean): Promise<TestHost> =>
  startTestHost({ containers: { attach: () => Promise.resolve({ tty, output, input }) } });

test('a web socket gets both outputs without their frames, and a close at the end', async () => {
  const large = 'x'.repeat(70_000);
  const output = Readable.from([
    frame(1, 'out'),
    frame(2, 'err').subarray(0, 5),
    frame(2, 'err').subarray(5),
    frame(1, large),
  ]);
  await using host = await attaching(output, undefined, false);
  const client = host.raw(`GET /v1.51/containers/x/attach/ws?stream=1&stdout=1&stderr=1 HTTP/1.1\r\n${HANDSHAKE}`);
  const answer = await buffer(client);
  assert.match(answer.toString('latin1'), /^HTTP\/1\.1 101 /);
  assert.match(answer.toString('latin1'), /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i);
  const frames = framesOf(answer);
  assert.deepEqual(frames.at(-1), [8, '\x03\xe8']);
  assert.ok(frames.slice(0, -1).every(([opcode]) => opcode === 2));
  assert.equal(
    frames
      .slice(0, -1)
      .map(([, text]) => text)
      .join(''),
    `outerr${large}`,
  );
});

test('text messages before 1.28', async () => {
  await using host = await attaching(Readable.from([Buffer.from('tty')]), undefined, true);
  const client = host.raw(`GET /v1.27/containers/x/attach/ws?stream=1 HTTP/1.1\r\n${HANDSHAKE}`);
  assert.deepEqual(framesOf(await buffer(client)), [
    [1, 'tty'],
    [8, '\x03\xe8'],
  ]);
});

test('what a client sends arrives unmasked, in pieces too; pings are answered, a close is the end of the input', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const typed: Buffer[] = [];
  input.on('data', (chunk) => typed.push(chunk));
  await using host = await attaching(output, input, false);
  const client = host.raw(`GET /containers/x/attach/ws?stream=1&stdin=1 HTTP/1.1\r\n${HANDSHAKE}`);
  const large = randomBytes(200_000);
  client.write(masked(1, Buffer.from('a'), false));
  client.write(masked(9, Buffer.from('ping')));
  client.write(masked(0, Buffer.from('b')));
  const bytes = masked(2, large);
  for (let at = 0; at < bytes.length; at += 7777) client.write(bytes.subarray(at, at + 7777));
  client.write(masked(8, Buffer.alloc(0)));
  await until(() => input.writableEnded);
  assert.ok(Buffer.concat(typed).equals(Buffer.concat([Buffer.from('ab'), large])));
  output.end();
  assert.deepEqual(framesOf(await buffer(client)), [
    [10, 'ping'],
    [8, '\x03\xe8'],
  ]);
});

const wrong: [string, Buffer][] = [
  ['not masked', Buffer.from([0x82, 1, 65])],
  ['a long ping', masked(9, Buffer.alloc(126))],
  ['a length beyond numbers', Buffer.concat([Buffer.from([0x82, 0xff]), Buffer.alloc(8, 0xff), Buffer.alloc(4)])],
];
for (const [name, bytes] of wrong)
  test(`a broken frame ends nothing but the input: ${name}`, async () => {
    const [input, output] = [new PassThrough(), new PassThrough()];
    input.resume();
    await using host = await attaching(output, input, true);
    const client = host.raw(`GET /containers/x/attach/ws?stream=1&stdin=1 HTTP/1.1\r\n${HANDSHAKE}`);
    client.write(bytes);
    client.write(masked(2, Buffer.from('more')));
    output.end('still here');
    assert.deepEqual(framesOf(await buffer(client)).at(0), [2, 'still here']);
    assert.equal(input.readableLength, 0);
  });

test('without a handshake it is a plain refusal', async () => {
  await using host = await attaching(Readable.from([]), undefined, true);
  const { status, text } = await host.call('GET', '/containers/x/attach/ws?stream=1');
  assert.equal(status, 400);
  assert.match(text, /websocket handshake/);
});
