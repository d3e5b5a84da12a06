/** One test for each way in which a door is known to break real clients. */
import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { Failure } from '../lib/error.ts';
import type { BuildOptions } from '../wire/build.ts';
import type { ImageSummary } from '../wire/image.ts';
import type { EventMessage } from '../wire/system.ts';
import type { AskRegistryAuth } from './backend/build.ts';
import type { AttachedStreams } from './backend/containers.ts';
import { allOf, frame, startTestHost, until } from './test-host.ts';

const UPGRADE = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n';

test('trap 1: the head of wait, events, logs and attach goes out before there is anything to say', async () => {
  const finish = Promise.withResolvers<{ exitCode: number; error: undefined }>();
  const output = new PassThrough();
  const streams: AttachedStreams = { tty: false, output: new PassThrough(), input: undefined };
  await using host = await startTestHost({
    system: {
      events: ({ signal }) =>
        (async function* (): AsyncGenerator<EventMessage> {
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        })(),
    },
    containers: { wait: () => Promise.resolve({ exit: finish.promise }), attach: () => Promise.resolve(streams) },
    logs: { logs: () => Promise.resolve({ tty: false, output }) },
  });
  const wait = await host.open('POST', '/v1.41/containers/x/wait?condition=next-exit');
  assert.equal(wait.statusCode, 200);
  const events = await host.open('GET', '/events');
  const logs = await host.open('GET', '/containers/x/logs?stdout=1&follow=1');
  const attach = host.raw(`POST /containers/x/attach?stream=1 HTTP/1.1\r\n${UPGRADE}\r\n`);
  await new Promise((resolve) => attach.once('data', resolve));
  finish.resolve({ exitCode: 7, error: undefined });
  assert.deepEqual(JSON.parse((await buffer(wait)).toString()), { StatusCode: 7 });
  output.end(frame(1, 'late'));
  assert.deepEqual(await buffer(logs), frame(1, 'late'));
  for (const open of [events, attach]) open.destroy();
});

test('trap 2: streaming answers are neither compressed nor closed', async () => {
  await using host = await startTestHost({
    build: {
      build: async ({ emit }) => {
        await emit({ type: 'warning', message: 'w' });
        return { image: 'sha256:x' };
      },
    },
  });
  const headers = { 'Accept-Encoding': 'gzip', Connection: 'keep-alive' };
  const answer = await host.call('POST', '/build', { headers, body: Buffer.alloc(0) });
  assert.equal(answer.headers['content-encoding'], undefined);
  assert.equal(answer.headers.connection, 'keep-alive');
  assert.equal(answer.headers['transfer-encoding'], 'chunked');
});

test('trap 3: a client that closes its side still gets all output', async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  await using host = await startTestHost({
    containers: { attach: () => Promise.resolve({ tty: false, output, input }) },
  });
  const client = host.raw(`POST /v1.42/containers/x/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\n${UPGRADE}\r\n`);
  client.end('all I have');
  assert.equal((await buffer(input)).toString(), 'all I have');
  setTimeout(() => output.end(frame(1, 'much later')), 50);
  const [head = '', body] = (await allOf(client)).split('\r\n\r\n');
  assert.match(head, /^HTTP\/1\.1 101 UPGRADED\r\n/);
  assert.match(head, /Content-Type: application\/vnd\.docker\.multiplexed-stream/);
  assert.match(head, /Connection: Upgrade\r\nUpgrade: tcp/);
  assert.equal(body, frame(1, 'much later').toString('latin1'));
});

test('trap 4: bytes that come together with the upgrade are the first input', async () => {
  const execs: string[] = [];
  const input = new PassThrough();
  const output = new PassThrough();
  await using host = await startTestHost({
    exec: {
      create: () => Promise.reject(),
      start: () => Promise.reject(),
      resize: () => Promise.reject(),
      inspect: () => Promise.resolve({ DetachKeys: '' } as never), // the route reads nothing else
      attach: (id, { tty, size }) => {
        execs.push(`${id} ${tty} ${size?.height}x${size?.width}`);
        return Promise.resolve({ tty, output, input });
      },
    },
  });
  const body = '{"Detach":false,"Tty":true,"ConsoleSize":[24,80]}';
  const head = `POST /v1.50/exec/e1/start HTTP/1.1\r\n${UPGRADE}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const client = host.raw(`${head}${body}early `);
  client.end('bytes');
  assert.equal((await buffer(input)).toString(), 'early bytes');
  output.end('done');
  assert.match(await allOf(client), /raw-stream.*done$/s);
  assert.deepEqual(execs, ['e1 true 24x80']);
});

test('trap 5: a POST without a body needs no content type', async () => {
  await using host = await startTestHost({ containers: { start: (ref) => Promise.resolve(ref === 'new') } });
  const headers = { 'Content-Type': 'text/plain', 'Content-Length': '0' };
  assert.equal((await host.call('POST', '/containers/new/start', { headers })).status, 204);
  assert.equal((await host.call('POST', '/containers/new/start')).status, 204);
  const again = await host.call('POST', '/containers/old/start');
  assert.deepEqual([again.status, again.text], [304, '']);
});

test('trap 6: image names hold slashes, ports and digests, the last suffix wins', async () => {
  const asked: string[] = [];
  const refuse = (what: string) => (ref: string) => {
    asked.push(`${what} ${ref}`);
    return Promise.reject(new Failure('not-found', 'X', `No such image: ${ref}`));
  };
  await using host = await startTestHost({
    images: { inspect: refuse('inspect'), history: refuse('history'), tag: refuse('tag'), remove: refuse('remove') },
  });
  const digest = `sha256:${'a'.repeat(64)}`;
  const rows: readonly [string, string, string][] = [
    ['GET', '/v1.41/images/localhost:5000/a/b:1/json', 'inspect localhost:5000/a/b:1'],
    ['GET', '/images/localhost%3A5000%2Fa%2Fb%3A1/json', 'inspect localhost:5000/a/b:1'],
    ['GET', `/images/a/b@${digest}/history`, `history a/b@${digest}`],
    ['GET', '/images/my/json/json', 'inspect my/json'],
    ['GET', '/images/my/history/json', 'inspect my/history'],
    ['POST', '/images/a/b/tag?repo=docker.io/library/x&tag=1', 'tag a/b'],
    ['DELETE', '/images/a/b/tag', 'remove a/b/tag'],
  ];
  for (const [method, path, expected] of rows) {
    const answer = await host.call(method, path);
    assert.equal(answer.status, 404);
    assert.equal(asked.pop(), expected);
  }
});

test('trap 7: lists come repeated, JSON values may be null', async () => {
  let options: BuildOptions | undefined;
  let asked: AskRegistryAuth | undefined;
  await using host = await startTestHost({
    build: {
      build: (request) => {
        options = request.options;
        asked = request.registryAuth;
        return Promise.resolve({ image: 'sha256:x' });
      },
    },
  });
  const json = (value: unknown) => encodeURIComponent(JSON.stringify(value));
  await host.call(
    'POST',
    `/build?t=a&t=b:1&extrahosts=x:1&extrahosts=y:2&buildargs=${json({ A: '1', B: null })}&labels=null&cachefrom=${json(['c'])}&ulimits=${json([{ Name: 'nofile', Soft: 1, Hard: 2 }])}&rm=0&forcerm=1&memory=1048576&shmsize=&target=`,
    { headers: { 'X-Registry-Config': Buffer.from('{"r:5000":{"username":"u"}}').toString('base64') } },
  );
  assert.deepEqual(options, {
    dockerfile: 'Dockerfile',
    tags: ['a', 'b:1'],
    remote: undefined,
    quiet: false,
    noCache: false,
    cacheFrom: ['c'],
    pull: false,
    remove: true,
    forceRemove: true,
    buildArgs: { A: '1', B: null },
    labels: {},
    target: undefined,
    platform: undefined,
    networkMode: undefined,
    extraHosts: ['x:1', 'y:2'],
    squash: false,
    lint: false,
    allow: [],
    noCacheFilter: [],
    resources: {
      memory: 1 << 20,
      memorySwap: 0,
      cpuShares: 0,
      cpuPeriod: 0,
      cpuQuota: 0,
      cpusetCpus: '',
      cpusetMems: '',
      shmSize: 0,
      ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
      cgroupParent: '',
    },
    explain: false,
    inlineCache: false,
    keepImage: true,
    verify: false,
  });
  const { signal } = new AbortController();
  assert.deepEqual(await asked?.('r:5000', { signal }), { username: 'u' });
  await host.call('POST', '/build', { headers: { 'X-Registry-Config': 'bnVsbA==' } });
  assert.equal(await asked?.('r:5000', { signal }), undefined);
});

test('trap 8: null and empty are kept apart, by version', async () => {
  const row: ImageSummary = {
    Id: 'sha256:x',
    ParentId: '',
    RepoTags: ['a:1'],
    RepoDigests: [],
    Created: 1,
    Size: 5,
    SharedSize: -1,
    Labels: null,
    Containers: 2,
  };
  await using host = await startTestHost({
    images: { list: () => Promise.resolve([row, { ...row, RepoTags: [] }]) },
    containers: {
      create: () => Promise.resolve({ Id: 'x', Warnings: [] }),
      prune: () => Promise.resolve({ ContainersDeleted: null, SpaceReclaimed: 0 }),
    },
    files: { changes: () => Promise.resolve([]) } as never, // no other method is called
  });
  const pick = async (version: string) =>
    ((await host.call('GET', `/v${version}/images/json`)).json as Record<string, unknown>[]).map((image) => [
      image['RepoTags'],
      image['RepoDigests'],
      image['VirtualSize'],
      image['Containers'],
    ]);
  assert.deepEqual(await pick('1.41'), [
    [['a:1'], null, 5, -1],
    [['<none>:<none>'], ['<none>@<none>'], 5, -1],
  ]);
  assert.deepEqual(await pick('1.43'), [
    [['a:1'], [], 5, -1],
    [[], [], 5, -1],
  ]);
  assert.deepEqual(await pick('1.51'), [
    [['a:1'], [], undefined, 2],
    [[], [], undefined, 2],
  ]);
  assert.equal((await host.call('GET', '/containers/x/changes')).text, 'null\n');
  assert.equal((await host.call('POST', '/containers/prune')).text, '{"ContainersDeleted":null,"SpaceReclaimed":0}\n');
  assert.deepEqual((await host.call('POST', '/containers/create', { body: '{"Image":"x"}' })).json, {
    Id: 'x',
    Warnings: [],
  });
});

test('trap 9: since and until in every form', async () => {
  let asked: (number | undefined)[] = [];
  await using host = await startTestHost({
    system: {
      events: ({ since, until: end }) =>
        (async function* (): AsyncGenerator<EventMessage> {
          asked = [since, end];
          yield* [];
        })(),
    },
  });
  await host.call('GET', '/events?since=1700000000.25&until=2023-11-14T22:13:21Z');
  assert.deepEqual(asked, [1_700_000_000_250, 1_700_000_001_000]);
  await host.call('GET', '/events?since=1h30m&until=');
  assert.ok(Math.abs((asked[0] ?? 0) - (Date.now() - 5_400_000)) < 5000);
  assert.equal(asked[1], undefined);
  assert.equal((await host.call('GET', '/events?since=5&until=4')).status, 400);
  assert.equal((await host.call('GET', '/events?since=yesterday')).status, 400);
});

test('trap 13: progress is one object per line, a late error is its last line', async () => {
  await using host = await startTestHost({
    images: {
      importTar: async ({ emit, source }) => {
        await emit({ status: 'one' });
        await emit({ status: 'two' });
        if (source.kind === 'tar') await buffer(source.body);
        throw new Failure('invalid', 'TAR', 'the tar is broken', { exitCode: 3, hint: 'make a new one' });
      },
    },
  });
  const answer = await host.open('POST', '/images/create?fromSrc=-', { body: Buffer.alloc(100_000) });
  assert.equal(answer.statusCode, 200);
  const chunks: string[] = [];
  for await (const chunk of answer) chunks.push(String(chunk));
  const lines = chunks.join('').split('\r\n');
  assert.deepEqual(lines, [
    '{"status":"one"}',
    '{"status":"two"}',
    '{"errorDetail":{"code":3,"message":"the tar is broken","hint":"make a new one"},"error":"the tar is broken"}',
    '',
  ]);
});

test('an error before the first line is a status, even while the client still sends', async () => {
  await using host = await startTestHost({
    build: {
      build: async ({ context }) => {
        if (context.kind === 'tar') for await (const _ of context.body) break; // destroys the body stream
        throw new Failure('invalid', 'DOCKERFILE', 'dockerfile parse error line 2: unknown instruction: BOGUS');
      },
    },
  });
  const answer = await host.call('POST', '/build', { body: Buffer.alloc(8 << 20) });
  assert.equal(answer.status, 400);
  assert.deepEqual(answer.json, {
    message: 'dockerfile parse error line 2: unknown instruction: BOGUS',
    code: 'DOCKERFILE',
  });
});

test('a context offer arrives parsed, a folder that is not the same answers 412', async () => {
  let seen: unknown;
  await using host = await startTestHost({
    build: {
      build: async ({ context }) => {
        seen =
          context.kind === 'offer'
            ? [context.offer, context.dockerfile && (await buffer(context.dockerfile)).toString()]
            : context.kind;
        throw new Failure('not-found', 'CONTEXT_NOT_VISIBLE', 'not the same folder');
      },
    },
  });
  const offer = { path: '/ctx', device: '2049', inode: '12345678901234567890' };
  const header = (value: unknown) => ({ 'strake-context': Buffer.from(JSON.stringify(value)).toString('base64') });
  assert.equal((await host.call('POST', '/build', { headers: header(offer) })).status, 412);
  assert.deepEqual(seen, [offer, undefined]);
  await host.call('POST', '/build', { headers: header(offer), body: Buffer.from('FROM scratch') });
  assert.deepEqual(seen, [offer, 'FROM scratch']);
  for (const wrong of [{ ...offer, path: 'relative' }, { ...offer, inode: 'x' }, [], 5])
    assert.equal((await host.call('POST', '/build', { headers: header(wrong) })).status, 400);
});

test('a client that has gone stops the work, and nothing listens any more', async () => {
  const seen: AbortSignal[] = [];
  const untilAbort = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      seen.push(signal);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  const output = new PassThrough();
  const input = new PassThrough();
  const saved = new PassThrough();
  saved.write('some');
  await using host = await startTestHost({
    build: {
      build: async ({ emit, signal }) => {
        await emit({ type: 'warning', message: 'begun' });
        return untilAbort(signal);
      },
    },
    containers: {
      wait: (_, { signal }) => Promise.resolve({ exit: untilAbort(signal) }),
      attach: () => Promise.resolve({ tty: false, output, input }),
    },
    archives: {
      save: () => Promise.resolve(saved),
      saveTo: () => Promise.resolve(),
      output: () => Promise.reject(new Error('not asked for')),
      tree: () => Promise.resolve(saved),
      load: () => Promise.resolve(),
    },
  });
  const open = [
    await host.open('POST', '/build'),
    await host.open('POST', '/containers/x/wait'),
    await host.open('GET', '/images/a/get'),
  ];
  const attach = host.raw(`POST /containers/x/attach HTTP/1.1\r\n${UPGRADE}\r\n`);
  await new Promise((resolve) => attach.once('data', resolve));
  for (const answer of open) answer.destroy();
  attach.destroy();
  await until(() => seen.length === 2 && seen.every((signal) => signal.aborted));
  assert.ok(seen.every((signal) => signal.reason instanceof Failure && signal.reason.code === 'CLIENT_GONE'));
  await until(() => saved.destroyed);
  // A full close looks like a half-close until the next output.
  output.write(frame(1, 'anyone?'));
  output.write(frame(1, 'anyone?'));
  await until(() => output.destroyed && input.destroyed);
  await until(() => host.server.idleMilliseconds() > 0);
  assert.deepEqual(host.logged, []);
});

test('a client that goes in the middle of its data stops the work', async () => {
  let failure: unknown;
  let aborted: AbortSignal | undefined;
  await using host = await startTestHost({
    build: {
      build: async ({ context, signal }) => {
        aborted = signal;
        if (context.kind === 'tar')
          await buffer(context.body).catch((error: unknown) => {
            failure = error;
          });
        throw signal.reason;
      },
    },
  });
  const client = host.raw('POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly this');
  await until(() => aborted !== undefined);
  client.destroy();
  await until(() => failure !== undefined && aborted?.aborted === true);
  assert.ok(failure instanceof Failure && failure.kind === 'cancelled');
});

test('a client that does not read holds back who waits, and warns nobody', async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on('warning', warn);
  let said = 0;
  await using host = await startTestHost({
    build: {
      build: async ({ emit }) => {
        const text = 'x'.repeat(10_000);
        for (; said < 1000; said++) {
          for (let index = 0; index < 20; index++) void emit({ type: 'warning', message: text });
          await emit({ type: 'warning', message: text });
        }
        return { image: 'sha256:x' };
      },
    },
  });
  const answer = await host.open('POST', '/build?strakeevents=1');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const held = said;
  assert.ok(held < 100, String(held));
  const { bytes } = await count(answer);
  assert.equal(said, 1000);
  assert.ok(bytes > 210_000_000);
  process.off('warning', warn);
  assert.deepEqual(warnings, []);
});

test('detach keys end the attachment and not the process', async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  let ended = false;
  input.on('end', () => {
    ended = true;
  });
  const typed: Buffer[] = [];
  input.on('data', (chunk) => typed.push(chunk));
  await using host = await startTestHost({
    containers: { attach: () => Promise.resolve({ tty: true, output, input }) },
  });
  const client = host.raw(`POST /containers/x/attach?stream=1&stdin=1&detachKeys=ctrl-a,b HTTP/1.1\r\n${UPGRADE}\r\n`);
  client.write('ls\x01');
  await until(() => Buffer.concat(typed).toString() === 'ls');
  client.write('c\x01\x01b');
  assert.match(await allOf(client), /^HTTP\/1\.1 101 /);
  assert.equal(Buffer.concat(typed).toString(), 'ls\x01c\x01');
  assert.ok(!ended && input.destroyed && output.destroyed);
});

for (const [what, framing, body] of [
  ['a document', 'Content-Length: 15', '{"stream":true}'],
  ['the end of a body without chunks', 'Transfer-Encoding: chunked', '0\r\n\r\n'],
] as const)
  test(`${what} that came with the request is not what is typed`, async () => {
    const input = new PassThrough();
    const output = new PassThrough();
    await using host = await startTestHost({
      containers: { attach: () => Promise.resolve({ tty: false, output, input }) },
    });
    const client = host.raw(
      `POST /containers/x/attach?stream=1&stdin=1 HTTP/1.1\r\n${framing}\r\n${UPGRADE}\r\n${body.slice(0, 5)}`,
    );
    client.write(body.slice(5));
    client.end('typed');
    const typed = await buffer(input);
    assert.equal(typed.toString(), 'typed');
    output.end();
    await allOf(client);
  });

test('without an upgrade the same streams come in a plain answer', async () => {
  const output = Readable.from([frame(1, 'a'), frame(2, 'b')]);
  await using host = await startTestHost({
    containers: { attach: () => Promise.resolve({ tty: false, output, input: undefined }) },
  });
  const client = host.raw('POST /v1.41/containers/x/attach?logs=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
  const [head = '', body] = (await allOf(client)).split('\r\n\r\n');
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
  assert.match(head, /content-type: application\/vnd\.docker\.raw-stream/i);
  assert.doesNotMatch(head, /transfer-encoding/i);
  assert.equal(body, Buffer.concat([frame(1, 'a'), frame(2, 'b')]).toString('latin1'));
});

test('an attachment that fails is a plain HTTP answer', async () => {
  await using host = await startTestHost({
    containers: { attach: (ref) => Promise.reject(new Failure('not-found', 'X', `No such container: ${ref}`)) },
  });
  const client = host.raw(`POST /containers/nosuch/attach HTTP/1.1\r\n${UPGRADE}\r\n`);
  assert.match(await allOf(client), /^HTTP\/1\.1 404 Not Found\r\n.*\{"message":"No such container: nosuch"/s);
});

const GIGABYTE = 1 << 30;
const FLAT = 120 << 20;

function gigabyte(): Readable {
  const chunk = Buffer.alloc(64 << 10);
  return Readable.from(
    (function* () {
      for (let sent = 0; sent < GIGABYTE; sent += chunk.length) yield chunk;
    })(),
  );
}

/** Counts bytes, and how far memory grew meanwhile. */
async function count(stream: Readable): Promise<{ bytes: number; grown: number }> {
  const before = process.memoryUsage.rss();
  let bytes = 0;
  let peak = before;
  for await (const part of stream) {
    bytes += part.length;
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  return { bytes, grown: peak - before };
}

test('1 GB of output through an attachment in flat memory', async () => {
  await using host = await startTestHost({
    containers: { attach: () => Promise.resolve({ tty: false, output: gigabyte(), input: new PassThrough() }) },
  });
  const before = process.memoryUsage.rss();
  const client = host.raw(`POST /containers/x/attach HTTP/1.1\r\n${UPGRADE}\r\n`);
  await new Promise((resolve) => client.once('readable', resolve));
  await new Promise((resolve) => setTimeout(resolve, 100)); // a client that does not read holds the producer back
  assert.ok(process.memoryUsage.rss() - before < FLAT);
  const { bytes, grown } = await count(client);
  assert.ok(bytes > GIGABYTE && bytes < GIGABYTE + 1000, String(bytes));
  assert.ok(grown < FLAT, `${grown >> 20} MiB more than before`);
});

test('1 GB of input through an attachment in flat memory', async () => {
  const input = new PassThrough();
  await using host = await startTestHost({
    containers: { attach: () => Promise.resolve({ tty: false, output: new PassThrough(), input }) },
  });
  const client = host.raw(`POST /containers/x/attach HTTP/1.1\r\n${UPGRADE}\r\n`);
  const sent = pipeline(gigabyte(), client);
  const { bytes, grown } = await count(input);
  await sent;
  client.destroy();
  assert.equal(bytes, GIGABYTE);
  assert.ok(grown < FLAT, `${grown >> 20} MiB more than before`);
});
