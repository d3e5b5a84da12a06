import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../../lib/error.ts';
import type { Message } from '../../../lib/protobuf.ts';
import { GrpcClient } from '../grpc/client.ts';
import { serveGrpc } from '../grpc/server.ts';
import { connectedPair } from '../grpc/test-connection.ts';
import { Sessions } from '../session/sessions.ts';
import { nothing, solveRequest, solveResponse, statusRequest } from '../shapes/control.ts';
import {
  bridgeSolveRequest,
  bridgeSolveResponse,
  evaluateRequest,
  pongResponse,
  returnRequest,
} from '../shapes/gateway.ts';
import { statusResponse } from '../shapes/status.ts';
import type { FrontendRequest } from '../solve/frontend.ts';
import type { Solver } from '../solve/solver.ts';
import { buildServices } from './build-services.ts';

const CONTROL = 'moby.buildkit.v1.Control';
const BRIDGE = 'moby.buildkit.v1.frontend.LLBBridge';
const IMAGE = `sha256:${'ab'.repeat(32)}`;
const never = new AbortController().signal;

/** A client with an open session, and a host that only makes up builds. */
async function openClient(run: Solver['run']) {
  const scope = new AsyncDisposableStack();
  const sessions = new Sessions();
  const lent = scope.use(await connectedPair());
  const accepted = sessions.accept(lent.left, sessions.read({ 'x-docker-expose-session-uuid': ['s1'] }), {
    signal: never,
  });
  const lending = serveGrpc(lent.right, new Map(), { signal: never });
  const asked: FrontendRequest[] = [];
  const exported: unknown[] = [];
  const solver: Solver = {
    run: (request) => {
      asked.push(request);
      return run(request);
    },
    export: async (result, { exporters }) => {
      exported.push({ image: result.images[0]?.image, types: exporters.map(({ type }) => type) });
      return new Map([['containerimage.digest', result.images[0]?.image ?? '']]);
    },
  };
  const system = {
    info: async () => ({ ID: 'host', Name: 'here', DefaultRuntime: 'crun' }),
    version: async () => ({ Version: '1.2.3', GitCommit: '' }),
  };
  // The parts of the system that a worker's record is made of.
  const services = buildServices({ sessions, solver, system: system as never });
  const pair = scope.use(await connectedPair());
  const served = serveGrpc(pair.left, services, { signal: never });
  const client = new GrpcClient(pair.right);
  scope.defer(async () => {
    client.close();
    lent.right.destroy();
    await Promise.all([served, accepted, lending]);
  });
  return {
    asked,
    exported,
    client,
    [Symbol.asyncDispose]: () => scope.disposeAsync(),
    call: async <Asked, Told>(
      method: string,
      [shape, value]: readonly [Message<Asked>, Partial<Asked>],
      told: Message<Told>,
      { build, signal = never }: { build?: string; signal?: AbortSignal } = {},
    ) => {
      const metadata = build === undefined ? {} : { 'buildkit-controlapi-buildid': build };
      return told.decode(await client.call(method, shape.encode(value), { metadata, signal }));
    },
  };
}

type TestClient = Awaited<ReturnType<typeof openClient>>;

const built: Solver['run'] = async ({ ref }) => ({
  ref,
  images: [{ image: IMAGE, build: '', platform: 'linux/amd64', attestations: [] }],
  metadata: new Map(),
});

/** What buildx does for one target: Control/Solve waits for what LLBBridge gives. */
async function gatewayBuild(client: TestClient, ref: string, attrs: Readonly<Record<string, string>> = {}) {
  const whole = client.call(
    `${CONTROL}/Solve`,
    [solveRequest, { ref, session: 's1', exporters: [{ type: 'moby', attrs: new Map() }] }],
    solveResponse,
  );
  const pong = await client.call(`${BRIDGE}/Ping`, [nothing, {}], pongResponse, { build: ref });
  const solved = await client.call(
    `${BRIDGE}/Solve`,
    [bridgeSolveRequest, { frontend: 'dockerfile.v0', frontendAttrs: new Map(Object.entries(attrs)) }],
    bridgeSolveResponse,
    { build: ref },
  );
  const given = solved.result?.ref;
  assert.ok(given);
  await client.call(`${BRIDGE}/Evaluate`, [evaluateRequest, { ref: given.id }], nothing, { build: ref });
  await client.call(
    `${BRIDGE}/Return`,
    [returnRequest, { result: { ref: given, refs: undefined, metadata: new Map() } }],
    nothing,
    { build: ref },
  );
  return { pong, ref: given, response: (await whole).exporterResponse };
}

test('a build by its client: ping, solve, return, export', async () => {
  await using client = await openClient(built);
  const { pong, response } = await gatewayBuild(client, 'r1', { filename: 'Dockerfile' });
  assert.ok(pong.frontendCapabilities.some(({ id, enabled }) => id === 'return' && enabled));
  assert.deepEqual(
    pong.workers.map(({ id }) => id),
    ['host'],
  );
  assert.deepEqual(response, new Map([['containerimage.digest', IMAGE]]));
  assert.deepEqual(client.exported, [{ image: IMAGE, types: ['moby'] }]);
  assert.equal(client.asked[0]?.session.id, 's1');
  assert.equal(client.asked[0]?.attrs.get('filename'), 'Dockerfile');
});

test('a build by its frontend, with its status from the beginning to the end', async () => {
  const { promise: seen, resolve: see } = Promise.withResolvers<void>();
  await using client = await openClient(async (request) => {
    const log = (text: string) =>
      request.show({ logs: [{ vertex: 'v', timestamp: undefined, stream: 1, msg: Buffer.from(text) }] });
    await log('early');
    await seen;
    await log('late');
    return built(request);
  });
  const whole = client.call(
    `${CONTROL}/Solve`,
    [solveRequest, { ref: 'r1', session: 's1', frontend: 'dockerfile.v0', exporter: 'image' }],
    solveResponse,
  );
  const logs: string[] = [];
  const status = client.client.open(`${CONTROL}/Status`, { signal: never });
  await status.send(statusRequest.encode({ ref: 'r1' }));
  status.end();
  for await (const message of status.received) {
    for (const { msg } of statusResponse.decode(message).logs) logs.push(Buffer.from(msg).toString());
    see();
  }
  assert.deepEqual(logs, ['early', 'late']);
  await whole;
  assert.deepEqual(client.exported, [{ image: IMAGE, types: ['image'] }]);
});

test('a target of bake is the context of another, by its image', async () => {
  await using client = await openClient(built);
  const first = await gatewayBuild(client, 'r1');
  const whole = client.call(`${CONTROL}/Solve`, [solveRequest, { ref: 'r2', session: 's1' }], solveResponse);
  const second = await client.call(
    `${BRIDGE}/Solve`,
    [
      bridgeSolveRequest,
      {
        frontend: 'dockerfile.v0',
        frontendAttrs: new Map([
          ['context:base', 'input:0-base'],
          ['input-metadata:0-base', '{}'],
        ]),
        frontendInputs: new Map([['0-base', first.ref.definition ?? { operations: [], metadata: new Map() }]]),
      },
    ],
    bridgeSolveResponse,
    { build: 'r2' },
  );
  assert.ok(second.result?.ref);
  assert.deepEqual(client.asked.at(-1)?.attrs, new Map([['context:base', `docker-image://${IMAGE}`]]));
  // A result of an earlier build is looked at again by its graph.
  const again = await client.call(
    `${BRIDGE}/Solve`,
    [bridgeSolveRequest, { definition: first.ref.definition, evaluate: true }],
    bridgeSolveResponse,
    { build: 'r2' },
  );
  assert.deepEqual(again.result?.ref?.definition, first.ref.definition);
  await client.call(`${BRIDGE}/Return`, [returnRequest, {}], nothing, { build: 'r2' });
  assert.deepEqual((await whole).exporterResponse, new Map());
});

test('what stops a solve is what the whole build ends with', async () => {
  await using client = await openClient(async () => {
    throw new Failure('not-found', 'X', 'no such file');
  });
  const whole = client.call(`${CONTROL}/Solve`, [solveRequest, { ref: 'r1', session: 's1' }], solveResponse);
  const expected = { message: 'no such file' };
  const failed = assert.rejects(whole, expected);
  await assert.rejects(
    client.call(`${BRIDGE}/Solve`, [bridgeSolveRequest, { frontend: 'dockerfile.v0' }], bridgeSolveResponse, {
      build: 'r1',
    }),
    expected,
  );
  const error = { code: 5, message: 'failed to run: no such file', details: [] };
  await client.call(`${BRIDGE}/Return`, [returnRequest, { error }], nothing, { build: 'r1' });
  await failed;
});

test('a client that gives the build up stops its solves, hears their last words, and may begin again', async () => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  await using client = await openClient(async (request) => {
    if (!request.attrs.has('wait')) return built(request);
    begin();
    await new Promise<void>((stop) => request.signal.addEventListener('abort', () => stop()));
    await request.show({ logs: [{ vertex: 'v', timestamp: undefined, stream: 1, msg: Buffer.from('cancelled') }] });
    throw request.signal.reason;
  });
  const control = new AbortController();
  const whole = assert.rejects(
    client.call(`${CONTROL}/Solve`, [solveRequest, { ref: 'r1', session: 's1' }], solveResponse, {
      signal: control.signal,
    }),
    /enough/,
  );
  const inner = assert.rejects(
    client.call(
      `${BRIDGE}/Solve`,
      [bridgeSolveRequest, { frontend: 'dockerfile.v0', frontendAttrs: new Map([['wait', '']]) }],
      bridgeSolveResponse,
      { build: 'r1' },
    ),
    { kind: 'cancelled' },
  );
  const status = client.client.open(`${CONTROL}/Status`, { signal: never });
  await status.send(statusRequest.encode({ ref: 'r1' }));
  status.end();
  await begun;
  control.abort(new Failure('cancelled', 'X', 'enough'));
  await whole;
  await inner;
  const logs: string[] = [];
  for await (const message of status.received) {
    for (const { msg } of statusResponse.decode(message).logs) logs.push(Buffer.from(msg).toString());
  }
  assert.deepEqual(logs, ['cancelled']);
  await gatewayBuild(client, 'r1');
});

const refused: readonly {
  readonly name: string;
  readonly request: Parameters<typeof solveRequest.encode>[0];
  readonly error: object;
}[] = [
  {
    name: 'a build graph',
    request: { ref: 'r', definition: { operations: [Buffer.from('x')], metadata: new Map() } },
    error: { message: /build graphs \(LLB\)/ },
  },
  { name: 'no name', request: {}, error: { message: 'invalid build reference ""' } },
  { name: 'a very long name', request: { ref: 'x'.repeat(500) }, error: { message: /^invalid build reference/ } },
  {
    name: 'another frontend',
    request: { ref: 'r', session: 's1', frontend: 'gateway.v0', frontendAttrs: new Map([['source', 'evil/frontend']]) },
    error: { message: /the frontend evil\/frontend is not supported/ },
  },
  {
    name: 'an exporter that is none',
    request: { ref: 'r', session: 's1', frontend: 'dockerfile.v0', exporter: 'floppy' },
    error: { message: /floppy/ },
  },
  {
    name: 'a policy',
    request: { ref: 'r', sourcePolicy: Buffer.from('x') },
    error: { message: /source policies/ },
  },
];
for (const { name, request, error } of refused) {
  test(`a build with ${name} is refused`, async () => {
    await using client = await openClient(built);
    await assert.rejects(client.call(`${CONTROL}/Solve`, [solveRequest, request], solveResponse), error);
    assert.deepEqual(client.asked, []);
  });
}

test('the image of the Dockerfile frontend is this host itself', async () => {
  await using client = await openClient(built);
  await client.call(
    `${CONTROL}/Solve`,
    [
      solveRequest,
      {
        ref: 'r',
        session: 's1',
        frontend: 'gateway.v0',
        frontendAttrs: new Map([['source', 'docker/dockerfile:1.7']]),
      },
    ],
    solveResponse,
  );
  assert.equal(client.asked.length, 1);
});

test('two builds of one name at a time are refused, as is a result that nobody has', async () => {
  await using client = await openClient(built);
  const control = new AbortController();
  const whole = client.call(`${CONTROL}/Solve`, [solveRequest, { ref: 'r1', session: 's1' }], solveResponse, {
    signal: control.signal,
  });
  await client.call(`${BRIDGE}/Ping`, [nothing, {}], pongResponse, { build: 'r1' });
  await assert.rejects(client.call(`${CONTROL}/Solve`, [solveRequest, { ref: 'r1' }], solveResponse), {
    message: 'build r1 is already under way',
  });
  await assert.rejects(
    client.call(`${BRIDGE}/Evaluate`, [evaluateRequest, { ref: 'nothing' }], nothing, { build: 'r1' }),
    { kind: 'not-found' },
  );
  control.abort(new Error('enough'));
  await assert.rejects(whole);
});

test('a build that has just ended has a status, which ends at once, and answers nothing else', async () => {
  await using client = await openClient(built);
  const request = { ref: 'r', definition: { operations: [Buffer.from('x')], metadata: new Map() } };
  await assert.rejects(client.call(`${CONTROL}/Solve`, [solveRequest, request], solveResponse), /build graphs/);
  const status = client.client.open(`${CONTROL}/Status`, { signal: never });
  await status.send(statusRequest.encode({ ref: 'r' }));
  status.end();
  const told: Buffer[] = [];
  for await (const message of status.received) told.push(message);
  assert.deepEqual(told, []);
  await assert.rejects(client.call(`${BRIDGE}/Ping`, [nothing, {}], pongResponse, { build: 'r' }), {
    kind: 'not-found',
    message: 'no such job r',
  });
});
