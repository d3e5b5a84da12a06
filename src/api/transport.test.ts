import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { type ErrorKind, Failure } from '../lib/error.ts';
import { silentLog } from '../lib/log.ts';
import { ApiServer } from './server.ts';
import { allOf, startTestHost, until } from './test-host.ts';

test('ping has what clients negotiate with, with and without a body', async () => {
  await using host = await startTestHost();
  for (const [method, text] of [
    ['GET', 'OK'],
    ['HEAD', ''],
  ] as const) {
    for (const path of ['/_ping', '/v1.41/_ping']) {
      const answer = await host.call(method, path);
      assert.equal(answer.status, 200);
      assert.equal(answer.text, text);
      const { 'api-version': api, 'builder-version': builder, ostype, swarm } = answer.headers;
      assert.deepEqual(
        { api, builder, ostype, swarm },
        { api: '1.51', builder: '1', ostype: 'linux', swarm: 'inactive' },
      );
      assert.equal(answer.headers['strake-version'], '0.0.0-test');
      assert.equal(answer.headers['docker-experimental'], 'false');
      assert.match(String(answer.headers['server']), /^Strake\/.+ \(linux\)$/);
    }
  }
});

const refused: readonly [string, string, string, number, string][] = [
  ['unknown route', 'GET', '/nosuch', 404, 'page not found'],
  ['known path, other method', 'DELETE', '/version', 404, 'page not found'],
  ['route newer than the client', 'POST', '/v1.24/images/prune', 404, 'page not found'],
  [
    'version too new',
    'GET',
    '/v1.99/version',
    400,
    'client version 1.99 is too new. Maximum supported API version is 1.51',
  ],
  [
    'other major version',
    'GET',
    '/v2.0/version',
    400,
    'client version 2.0 is too new. Maximum supported API version is 1.51',
  ],
  ['part that is not there', 'GET', '/networks', 501, 'managing networks is not supported by this host'],
  ['swarm', 'GET', '/nodes', 503, 'This node is not a swarm manager.'],
  ['a secret of a swarm', 'POST', '/secrets/create', 503, 'This node is not a swarm manager.'],
  ['leaving a swarm', 'POST', '/swarm/leave', 503, 'This node is not part of a swarm'],
  ['a plugin', 'POST', '/plugins/a/b/enable', 404, 'plugin "a/b" not found'],
  ['installing a plugin', 'POST', '/plugins/pull?remote=x', 501, 'plugins are not supported by this host'],
  ['a semicolon in the query', 'GET', '/images/json?a=1;b=2', 400, 'invalid semicolon separator in query'],
  ['a build that has no ID', 'POST', '/build/cancel', 400, 'build ID not provided'],
  ['a commit of nothing', 'POST', '/commit', 400, 'invalid name or ID supplied: ""'],
  ['half a terminal', 'POST', '/containers/x/resize?h=1', 400, 'the parameter "w" of a terminal size is needed'],
  [
    'BuildKit build',
    'POST',
    '/build?version=2&session=x',
    501,
    'building with BuildKit is not supported by this host: set DOCKER_BUILDKIT=0',
  ],
  ['broken percent-encoding', 'GET', '/images/%zz/json', 400, 'invalid percent-encoding in "%zz"'],
  ['unknown filter', 'GET', '/images/json?filters={"bogus":["1"]}', 400, "invalid filter 'bogus'"],
  [
    'number that is none',
    'GET',
    '/containers/json?limit=x',
    400,
    'invalid value "x" of parameter "limit": expected a whole number',
  ],
  ['logs of no stream', 'GET', '/containers/x/logs', 400, 'Bad parameters: you must choose at least one stream'],
];
for (const [what, method, path, status, message] of refused) {
  test(`refused: ${what}`, async () => {
    await using host = await startTestHost({
      build: {},
      images: {},
      containers: {},
      logs: { logs: () => Promise.reject() },
      commit: { commit: () => Promise.reject() },
    });
    const answer = await host.call(method, encodeURI(path).replace('%25', '%'));
    assert.equal(answer.status, status);
    assert.equal(answer.headers['content-type'], 'application/json');
    const { message: said } = answer.json as { message: string };
    assert.ok(said.startsWith(message), said);
    assert.ok(answer.text.endsWith('}\n'));
  });
}

test('versions and targets as Docker reads them', async () => {
  await using host = await startTestHost();
  const tooNew = / is too new\. Maximum supported API version is 1\.51/;
  const tooOld =
    / is too old\. Minimum supported API version is 1\.24, please upgrade your client to a newer version\n$/;
  const rows: readonly [string, number, RegExp][] = [
    ['/v1.24/_ping', 200, /^OK$/],
    ['/v1.044/_ping', 200, /^OK$/],
    ['/v1.44.1/_ping', 200, /^OK$/],
    ['http://api.moby.localhost/v1.44/_ping', 200, /^OK$/],
    ['HTTP://[::1]:2375/_ping?x=1', 200, /^OK$/],
    ['/v1.52/_ping', 400, tooNew],
    ['/v99999.1/_ping', 400, tooNew],
    ['/v9999999999999999999999/_ping', 400, tooNew],
    ['/v2/_ping', 400, tooNew],
    ['/v1.23/_ping', 400, tooOld],
    ['/v1/_ping', 400, tooOld],
    ['/v0.99/_ping', 400, tooOld],
    ['/v.../_ping', 400, tooOld],
    ['/v1.x/_ping', 404, /page not found/],
    ['/V1.44/_ping', 404, /page not found/],
    ['http://host', 404, /page not found/],
  ];
  for (const [target, status, said] of rows) {
    const client = host.raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    const [head = '', body = ''] = (await allOf(client)).split('\r\n\r\n');
    assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), target);
    assert.match(body, said, target);
    const type = status === 200 || said === tooOld ? 'text/plain; charset=utf-8' : 'application/json';
    assert.match(head, new RegExp(`content-type: ${type}\\r\\n`, 'i'), target);
  }
});

const statuses: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  'not-found': 404,
  exists: 409,
  conflict: 409,
  unauthenticated: 401,
  denied: 403,
  unsupported: 501,
  exhausted: 507,
  unavailable: 503,
  cancelled: 503,
  'data-loss': 500,
  internal: 500,
};
test('every kind of failure has its status, its message and its hint', async () => {
  let thrown: Error = new Error();
  await using host = await startTestHost({ system: { info: () => Promise.reject(thrown) } });
  for (const [kind, status] of Object.entries(statuses)) {
    thrown = new Failure(kind as ErrorKind, 'SOME_CODE', 'it broke', { hint: 'mend it' }); // a key of the table
    const answer = await host.call('GET', '/info');
    assert.equal(answer.status, status, kind);
    assert.deepEqual(answer.json, { message: 'it broke', code: 'SOME_CODE', hint: 'mend it' });
  }
  assert.equal(host.logged.length, 1, 'internal failures are logged, others are the client’s');
  thrown = new TypeError('a bug');
  assert.deepEqual((await host.call('GET', '/info')).json, { message: 'a bug' });
  assert.match(host.logged[1] ?? '', /TypeError: a bug.*transport\.test\.ts/s);
});

test('a path in another form leads to the path that it means', async () => {
  await using host = await startTestHost();
  const rows: readonly [string, string | undefined][] = [
    ['//_ping', '/_ping'],
    ['/v1.44//containers/json?all=1', '/v1.44/containers/json?all=1'],
    ['/v1.44/x/../_ping', '/v1.44/_ping'],
    ['/./_ping', '/_ping'],
    ['/_ping', undefined],
    ['http://x//_ping', '/_ping'],
  ];
  for (const [path, location] of rows) {
    const { status, headers } = await host.call('GET', path);
    assert.deepEqual([status, headers['location']], [location === undefined ? 200 : 301, location], path);
  }
});

test('bodies that are no proper JSON document', async () => {
  await using host = await startTestHost({
    containers: { create: () => Promise.resolve({ Id: 'x', Warnings: [] }) },
  });
  const json = { 'Content-Type': 'application/json' };
  const rows: readonly [string, string, Record<string, string>, number, RegExp][] = [
    ['cut off', '{"Image":"x"', json, 400, /^invalid JSON: /],
    ['a list', '[]', json, 400, /^invalid JSON: expected an object, got \[\]$/],
    [
      'wrong type',
      '{"HostConfig":{"Memory":"1g"}}',
      json,
      400,
      /HostConfig\.Memory: expected a whole number, got "1g"$/,
    ],
    ['wrong item', '{"Env":["a",1]}', json, 400, /Env\[1\]: expected a string, got 1$/],
    ['no JSON type', '{}', { 'Content-Type': 'text/plain' }, 400, /^Content-Type specified \(text\/plain\) must be/],
    ['empty', '', json, 400, /^config cannot be empty/],
    ['nothing of a container', '{"HostConfig":{}}', json, 400, /^config cannot be empty/],
    ['deeper than a stack', '['.repeat(1 << 20) + ']'.repeat(1 << 20), json, 400, /expected an object, got a list$/],
    [
      'deep where text belongs',
      `{"Image":${'{"a":'.repeat(1 << 18)}1${'}'.repeat(1 << 18)}}`,
      json,
      400,
      /got an object$/,
    ],
    ['huge', `"${'x'.repeat(9 << 20)}"`, json, 413, /^the request body is over the limit of 8 MiB$/],
    ['null fields and unknown ones', '{"Image":"x","Env":null,"Future":1,"image":"y"}', json, 201, /^$/],
    ['with charset', '{"Image":"x"}', { 'Content-Type': 'application/json; charset=utf-8' }, 201, /^$/],
  ];
  for (const [what, body, headers, status, message] of rows) {
    const answer = await host.call('POST', '/containers/create', { body, headers });
    assert.equal(answer.status, status, what);
    assert.match((answer.json as { message?: string }).message ?? '', message, what);
  }
});

test('what is not HTTP gets an answer and the end of the connection', async () => {
  await using host = await startTestHost();
  assert.match(await allOf(host.raw('nonsense\r\n\r\n')), /^HTTP\/1\.1 400 .*malformed HTTP request/s);
  const head = `GET /_ping HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat((1 << 20) + 100)}\r\n\r\n`;
  assert.match(await allOf(host.raw(head)), /^HTTP\/1\.1 431 /);
});

test('who sends all of a refused body and ends the connection gets to read the answer', async () => {
  await using host = await startTestHost({ containers: {} });
  const chunk = Buffer.alloc(64 << 10, 'x');
  for (const [path, type, status] of [
    ['/nosuch', 'application/x-tar', 404],
    ['/build', 'application/x-tar', 501],
    ['/containers/create', 'application/json', 413],
  ] as const) {
    const head = ['Host: x', 'Connection: close', `Content-Type: ${type}`, `Content-Length: ${256 * chunk.length}`];
    const socket = host.raw(`POST ${path} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`);
    for (let sent = 0; sent < 256; sent++) if (!socket.write(chunk)) await once(socket, 'drain');
    const answer = (await buffer(socket)).toString();
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*\r\n\r\n{"message":`), path);
  }
});

test('a wish to upgrade is ignored where there is nothing to upgrade to', async () => {
  await using host = await startTestHost();
  const client = host.raw('GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
  client.end();
  assert.match(await allOf(client), /^HTTP\/1\.1 200 OK\r\n/);
});

test('unix socket: a living host is respected, a dead one replaced, other files left alone', async () => {
  await using host = await startTestHost();
  const other = new ApiServer({ backends: { system: {} as never }, version: 'x', log: silentLog }); // never called
  await assert.rejects(other.listen({ kind: 'unix', path: host.socket }), { kind: 'conflict', code: 'HOST_RUNNING' });

  const file = `${host.socket}.file`;
  writeFileSync(file, 'keep');
  await assert.rejects(other.listen({ kind: 'unix', path: file }), { kind: 'invalid', code: 'NOT_A_SOCKET' });

  const stale = `${host.socket}.stale`;
  const dead = createServer().listen(stale);
  await until(() => existsSync(stale));
  const { renameSync } = await import('node:fs');
  renameSync(stale, `${stale}.kept`); // closing removes the file under its first name only
  await new Promise((resolve) => dead.close(resolve));
  renameSync(`${stale}.kept`, stale);
  assert.equal(await other.listen({ kind: 'unix', path: stale }), `unix://${stale}`);
  assert.ok([0o600, 0o660].includes(statSync(stale).mode & 0o777));
  await other[Symbol.asyncDispose]();
  assert.ok(!existsSync(stale));
});

test('a host that closes stops what is in work, and says so', async () => {
  const host = await startTestHost({
    system: {
      info: () => new Promise(() => {}),
      events: ({ signal }) =>
        (async function* () {
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        })(),
    },
  });
  const events = await host.open('GET', '/events');
  assert.equal(host.server.idleMilliseconds(), 0);
  const hung = host.call('GET', '/info').catch((error: Error) => error);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closing = host[Symbol.asyncDispose]();
  let text = '';
  for await (const chunk of events) text += chunk;
  assert.match(text, /"error":"the host is shutting down"/);
  await closing;
  assert.ok((await hung) instanceof Error, 'a request that does not listen to its signal is cut off');
});
