import assert from 'node:assert/strict';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { isFailure } from '../../lib/error.ts';
import { frame, startTestHost } from '../test-host.ts';
import { parseEndpoint } from './endpoint.ts';
import { EngineClient, filtersQuery, isNotFound } from './engine-client.ts';
import { readFrames } from './frames.ts';
import { chooseHost } from './host-choice.ts';
import { readJsonLines } from './json-lines.ts';

const { signal } = new AbortController();

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test('requests carry version, query and JSON; answers come back', async () => {
  await using host = await startTestHost({ routes: { 'POST /containers/create': { Id: 'x' } } });
  const client = await EngineClient.connect(host.endpoint, signal);
  const query = { name: 'a b', all: true, force: undefined, n: 3, t: ['x', 'y'] };
  assert.deepEqual(await client.json('POST', '/containers/create', { query, json: { Image: 'i' }, signal }), {
    Id: 'x',
  });
  const [seen] = host.received;
  assert.equal(seen?.url, '/v1.51/containers/create?name=a+b&all=1&n=3&t=x&t=y');
  assert.equal(seen?.headers['content-type'], 'application/json');
  assert.equal(seen?.body.toString(), '{"Image":"i"}');
});

test('an older host is spoken to in its version', async () => {
  await using host = await startTestHost({ routes: { 'GET /info': {} }, headers: { 'Api-Version': '1.41' } });
  const client = await EngineClient.connect(host.endpoint, signal);
  await client.json('GET', '/info', { signal });
  assert.equal(host.received[0]?.url, '/v1.41/info');
  assert.equal(client.strakeVersion, undefined);
  assert.equal(client.apiVersion, '1.41');
});

test('an error answer is a Failure of its kind, with the words of the host', async () => {
  const answer = (status: number, body: string) => (response: { statusCode: number; end(text: string): void }) => {
    response.statusCode = status;
    response.end(body);
  };
  await using host = await startTestHost({
    routes: {
      'GET /a': answer(404, '{"message":"No such image: x"}'),
      'GET /b': answer(409, '{"message":"in use","hint":"wait"}'),
      'GET /c': answer(500, 'plain text\n'),
      'GET /d': answer(503, ''),
    },
  });
  const client = await EngineClient.connect(host.endpoint, signal);
  const rows = [
    ['/a', 'not-found', 'Error response from daemon: No such image: x'],
    ['/b', 'conflict', 'Error response from daemon: in use'],
    ['/c', 'internal', 'Error response from daemon: plain text'],
    ['/d', 'unavailable', 'Error response from daemon: request returned status 503'],
  ];
  for (const [path = '', kind, message] of rows)
    await assert.rejects(client.request('GET', path, { signal }), { kind, message });
  await assert.rejects(client.request('GET', '/b', { signal }), { hint: 'wait' });
  await assert.rejects(client.request('GET', '/a', { signal }), (error) => isNotFound(error));
});

test('a body streams, and one that fails fails the request', async () => {
  await using host = await startTestHost({ routes: { 'POST /images/load': { ok: true } } });
  const client = await EngineClient.connect(host.endpoint, signal);
  const body = Readable.from(pieces(Buffer.alloc(300_000, 7), 1000));
  await client.json('POST', '/images/load', { body, signal });
  assert.equal(host.received[0]?.body.length, 300_000);
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.from('x');
    throw new Error('disk is gone');
  }
  await assert.rejects(client.json('POST', '/images/load', { body: Readable.from(broken()), signal }), /disk is gone/);
});

test('a taken over connection keeps early bytes, and each direction ends alone', async () => {
  await using host = await startTestHost({
    routes: {},
    onUpgrade(_url, socket, head) {
      socket.write(
        'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly ',
      );
      let got = head.toString();
      socket.on('data', (chunk) => {
        got += chunk;
      });
      socket.on('end', () => socket.end(`then ${got}`));
    },
  });
  const client = await EngineClient.connect(host.endpoint, signal);
  const { socket, head, contentType } = await client.hijack('/containers/x/attach', { signal });
  assert.equal(contentType, 'application/x');
  socket.end('input');
  let output = head.toString();
  for await (const chunk of socket) output += chunk;
  assert.equal(output, 'early then input');
});

test('a refused take-over is a Failure', async () => {
  await using host = await startTestHost({
    routes: {},
    onUpgrade: (_url, socket) =>
      socket.end('HTTP/1.1 409 Conflict\r\nContent-Length: 23\r\n\r\n{"message":"is paused"}'),
  });
  const client = await EngineClient.connect(host.endpoint, signal);
  await assert.rejects(client.hijack('/x', { signal }), {
    kind: 'conflict',
    message: 'Error response from daemon: is paused',
  });
});

test('nobody listening is unavailable, an aborted request is cancelled', async () => {
  const nowhere = parseEndpoint('unix:///nonexistent/host.sock', {});
  await assert.rejects(EngineClient.connect(nowhere, signal), { kind: 'unavailable', code: 'HOST_UNREACHABLE' });
  await using host = await startTestHost({ routes: { 'GET /events': () => {} } });
  const client = await EngineClient.connect(host.endpoint, signal);
  const controller = new AbortController();
  const request = client.request('GET', '/events', { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await assert.rejects(request, (error) => isFailure(error, 'cancelled'));
});

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const answers: readonly [what: string, answer: string, expected: string | RegExp][] = [
  ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
  ['chunks', `${CHUNKED}5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n`, 'hello!'],
  ['trailers', `${CHUNKED}1\r\na\r\n0\r\nT: x\r\n\r\n`, 'a'],
  ['the end of the connection', 'HTTP/1.1 200 OK\r\n\r\nuntil the end', 'until the end'],
  ['an interim answer first', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx', 'x'],
  ['no body', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
  [
    'a length that is not reached',
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell',
    /closed in the middle of an answer/,
  ],
  ['chunks without their end', `${CHUNKED}5\r\nhello\r\n`, /closed in the middle of an answer/],
  ['a chunk without a length', `${CHUNKED}zz\r\nhello`, /chunk without a length/],
  ['a chunk of another length', `${CHUNKED}2\r\nhello\r\n0\r\n\r\n`, /chunk of another length/],
  ['another protocol', 'SSH-2.0-x\r\n', /the host answered "SSH-2.0-x"/],
  ['nothing', '', /closed in the middle of an answer/],
];
for (const [what, answer, expected] of answers) {
  for (const size of [1, 7, 1000]) {
    test(`an answer with ${what}, in pieces of ${size} bytes`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', async (chunk) => {
          if (chunk.toString().startsWith('HEAD')) {
            socket.write('HTTP/1.1 200 OK\r\nApi-Version: 1.51\r\n\r\n');
            return;
          }
          for await (const piece of pieces(Buffer.from(answer), size)) {
            socket.write(piece);
            if (size < 1000) await setImmediate();
          }
          socket.end();
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      try {
        const client = await EngineClient.connect(parseEndpoint(`tcp://127.0.0.1:${port}`, {}), signal);
        const text = client.text('GET', '/x', { signal });
        if (typeof expected === 'string') assert.equal(await text, expected);
        else await assert.rejects(text, { message: expected });
      } finally {
        server.close();
      }
    });
  }
}

test('requests that follow each other share a connection; an answer that is given up closes its own', async () => {
  const sockets = new Set<unknown>();
  const seen = (response: ServerResponse) => {
    sockets.add(response.socket);
    response.end('{}');
  };
  await using host = await startTestHost({
    routes: { 'GET /a': seen, 'GET /endless': (response: ServerResponse) => void response.write('x') },
  });
  const client = await EngineClient.connect(host.endpoint, signal);
  for (let count = 0; count < 3; count++) await client.json('GET', '/a', { signal });
  assert.equal(sockets.size, 1);
  const endless = await client.request('GET', '/endless', { signal });
  for await (const _ of endless.body) break;
  await client.json('GET', '/a', { signal });
  assert.equal(sockets.size, 2);
});

test('an answer that comes before the body was read counts', async () => {
  const server = createHttpServer((request, response) => {
    if (request.method === 'HEAD') return void response.end();
    response.statusCode = 400;
    response.end('{"message":"too much"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(65536);
  }
  try {
    const client = await EngineClient.connect(parseEndpoint(`tcp://127.0.0.1:${port}`, {}), signal);
    const sent = client.request('POST', '/build', { body: Readable.from(endless()), signal });
    await assert.rejects(sent, { message: 'Error response from daemon: too much' });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

for (const size of [1, 3, 8, 9, 1000]) {
  test(`frames in pieces of ${size} bytes`, async () => {
    const bytes = Buffer.concat([frame(1, 'hello '), frame(2, 'oops'), frame(1, ''), frame(1, 'world')]);
    const text = { stdout: '', stderr: '' };
    for await (const { stream, payload } of readFrames(pieces(bytes, size))) text[stream] += payload;
    assert.deepEqual(text, { stdout: 'hello world', stderr: 'oops' });
  });
}

test('frames that are none are refused, an error frame ends as a Failure', async () => {
  const read = async (bytes: Buffer) => {
    for await (const _ of readFrames(pieces(bytes, 5)));
  };
  await assert.rejects(read(Buffer.from('HTTP/1.1 200')), { code: 'FRAME_INVALID' });
  await assert.rejects(read(frame(3, 'host failed')), /error from daemon in stream: host failed/);
});

test('JSON lines, whole and cut', async () => {
  const bytes = Buffer.from('{"a":1}\r\n\r\n{"b":"é"}\n{"c":3}');
  const values: unknown[] = [];
  for await (const value of readJsonLines(pieces(bytes, 2))) values.push(value);
  assert.deepEqual(values, [{ a: 1 }, { b: 'é' }, { c: 3 }]);
  await assert.rejects(
    async () => {
      for await (const _ of readJsonLines(pieces(Buffer.from('{"a":\n'), 9)));
    },
    { kind: 'data-loss' },
  );
});

test('filters', () => {
  assert.equal(filtersQuery([]), undefined);
  assert.equal(
    filtersQuery(['label=a=b', 'Label=c', 'dangling=true']),
    '{"label":{"a=b":true,"c":true},"dangling":{"true":true}}',
  );
});

const endpoints: readonly [text: string, expected: string][] = [
  ['unix:///run/x.sock', 'unix:///run/x.sock'],
  ['/run/x.sock', 'unix:///run/x.sock'],
  ['tcp://h:1', 'tcp://h:1'],
  ['tcp://h', 'tcp://h:2375'],
  ['h:1', 'tcp://h:1'],
  ['tcp://:1', 'tcp://127.0.0.1:1'],
  ['http://h:1/', 'tcp://h:1'],
  ['tcp://[::1]:1', 'tcp://[::1]:1'],
  ['unix://relative', 'invalid'],
  ['ftp://h', 'invalid'],
  ['tcp://h:99999', 'invalid'],
  ['tcp://', 'invalid'],
  [`unix:///${'x'.repeat(120)}`, 'invalid'],
  ['ssh://far', 'ssh://far'],
  ['ssh://me@far:2222/run/docker.sock', 'ssh://me@far:2222/run/docker.sock'],
  ['ssh://[::1]:22', 'ssh://[::1]:22'],
  ['ssh://me:secret@far', 'invalid'],
  ['ssh://far:0', 'invalid'],
  ['ssh://far:99999', 'invalid'],
  ['ssh://', 'invalid'],
  ['ssh:///run/docker.sock', 'invalid'],
  ['ssh://far?x=1', 'invalid'],
];
for (const [text, expected] of endpoints) {
  test(`host ${text.slice(0, 30)}`, () => {
    if (expected === 'invalid') assert.throws(() => parseEndpoint(text, {}), { code: 'HOST_INVALID' });
    else assert.equal(parseEndpoint(text, {}).text, expected);
  });
}

const NO_FLAGS = { host: [], dataRoot: '', tls: false, tlsverify: false, tlscacert: '', tlscert: '', tlskey: '' };
const choices: readonly [what: string, flags: object, env: NodeJS.ProcessEnv, uid: number, expected: string][] = [
  ['nothing', {}, {}, 0, 'unix:///run/strake.sock /var/lib/strake start'],
  [
    'a flag over all',
    { host: ['unix:///f'] },
    { STRAKE_HOST: 'unix:///s', DOCKER_HOST: 'unix:///d' },
    0,
    'unix:///f /var/lib/strake',
  ],
  ['a socket with its data root', { host: ['unix:///f'], dataRoot: '/d' }, {}, 0, 'unix:///f /d start'],
  [
    'the default socket by name',
    { host: ['unix:///run/strake.sock'] },
    {},
    0,
    'unix:///run/strake.sock /var/lib/strake start',
  ],
  [
    'STRAKE_HOST over DOCKER_HOST',
    {},
    { STRAKE_HOST: 'unix:///s', DOCKER_HOST: 'unix:///d' },
    0,
    'unix:///s /var/lib/strake',
  ],
  ['both by the environment', {}, { DOCKER_HOST: 'unix:///d', STRAKE_ROOT: '/e' }, 0, 'unix:///d /e start'],
  ['DOCKER_HOST', {}, { DOCKER_HOST: 'tcp://h:1' }, 0, 'tcp://h:1 /var/lib/strake'],
  [
    "dockerd's own socket",
    {},
    { DOCKER_HOST: 'unix:///var/run/docker.sock' },
    0,
    'unix:///var/run/docker.sock /var/lib/strake',
  ],
  ['a data root', { dataRoot: '/d' }, { STRAKE_ROOT: '/e' }, 0, 'unix:///run/strake.sock /d start'],
  ['STRAKE_ROOT', {}, { STRAKE_ROOT: '/e' }, 0, 'unix:///run/strake.sock /e start'],
  [
    'a user',
    {},
    { HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/5' },
    5,
    'unix:///run/user/5/strake.sock /home/u/.local/share/strake start',
  ],
];
for (const [what, flags, env, uid, expected] of choices) {
  test(`choice of host: ${what}`, () => {
    const { endpoint, dataRoot, mayStart } = chooseHost({ ...NO_FLAGS, ...flags }, env, uid);
    assert.equal([endpoint.text, dataRoot, ...(mayStart ? ['start'] : [])].join(' '), expected);
  });
}

test('two hosts are one too many', () => {
  assert.throws(() => chooseHost({ ...NO_FLAGS, host: ['/a', '/b'] }, {}, 0), { message: 'specify only one -H' });
});
