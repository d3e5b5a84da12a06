import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { after, test } from 'node:test';
import { isFailure } from '../lib/error.ts';
import { digestOf } from '../oci/digest.ts';
import { encodeManifest, MANIFEST_LIMIT } from '../oci/manifest.ts';
import { login } from './login.ts';
import { Registries } from './registries.ts';
import type { Repository } from './repository.ts';
import { search } from './search.ts';
import { TestRegistry, testRegistries } from './test-registry.ts';

const signal = AbortSignal.timeout(60_000);
const registries = testRegistries();
after(() => registries[Symbol.dispose]());

const config = { digest: digestOf('{}'), size: 2 };
const manifest = encodeManifest(config, []);
const blob = randomBytes(300_000);
const descriptor = { mediaType: 'application/x', digest: digestOf(blob), size: blob.length };

interface Login {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

async function read<T>(registry: TestRegistry, work: (repository: Repository) => Promise<T>, auth?: Login): Promise<T> {
  return await registries.readFrom({ registry: registry.host, path: 'a/b' }, { auth, signal }, work);
}

async function gather(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const readBlob = (registry: TestRegistry) =>
  read(registry, (repository) => gather(repository.blob(descriptor, { signal })));
const failsWith =
  (code: string, words = /./) =>
  (error: unknown) => {
    assert.ok(isFailure(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  };

test('a manifest by tag and by digest, its tags, and a blob', async () => {
  await using registry = await TestRegistry.start();
  registry.addManifest('a/b:1', manifest);
  registry.addManifest('a/b:2', manifest);
  registry.addBlob(blob);
  await read(registry, async (repository) => {
    assert.equal(await repository.headDigest('1', signal), manifest.digest);
    assert.equal(await repository.headDigest('none', signal), undefined);
    assert.deepEqual(await repository.manifest('1', signal), manifest);
    assert.deepEqual(await repository.manifest(manifest.digest, signal), manifest);
    assert.deepEqual(await repository.tags(signal), ['1', '2']);
    assert.deepEqual(await gather(repository.blob(descriptor, { signal })), blob);
    assert.deepEqual(await repository.readBlob(descriptor, 1 << 20, signal), blob);
    await assert.rejects(repository.readBlob(descriptor, 1000, signal), failsWith('BLOB_TOO_LARGE'));
    await assert.rejects(repository.manifest('3', signal), failsWith('MANIFEST_UNKNOWN', /^manifest unknown: /));
  });
});

type Answer = (request: IncomingMessage, response: ServerResponse, registry: TestRegistry) => void;
let times = 0;

/** What a registry does with a blob request, and what comes of it: the code of a failure, or `whole`. */
const blobCases: readonly (readonly [string, Answer, string])[] = [
  ['another content', (_, response) => response.end(Buffer.alloc(blob.length)), 'BLOB_DIGEST'],
  ['more than it said', (_, response) => response.end(Buffer.concat([blob, blob])), 'BLOB_TOO_LONG'],
  [
    'bytes without end',
    (_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(blob));
        response.once('drain', more);
      };
      more();
    },
    'BLOB_TOO_LONG',
  ],
  ['always less than it said', (_, response) => response.end(blob.subarray(0, 1000)), 'REGISTRY_UNREACHABLE'],
  ['never anything', (request) => request.socket.destroy(), 'REGISTRY_UNREACHABLE'],
  [
    'a part, and the rest when asked for it',
    (request, response, registry) => {
      if (request.headers.range) return void registry.serve(request, response);
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, 123_456), () => response.destroy());
    },
    'whole',
  ],
  [
    'a part, and then all again, knowing no ranges',
    (_, response) => {
      if (times++ > 0) return void response.end(blob);
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, 77_777), () => response.destroy());
    },
    'whole',
  ],
  [
    'another range than was asked for',
    (request, response) => {
      if (request.headers.range)
        return void response.writeHead(206, { 'content-range': `bytes 0-9/${blob.length}` }).end(blob.subarray(0, 10));
      response.writeHead(200, { 'content-length': blob.length });
      response.write(blob.subarray(0, 1000), () => response.destroy());
    },
    'RANGE_WRONG',
  ],
  [
    'trouble at first',
    (request, response, registry) => {
      if (times++ > 2) void registry.serve(request, response);
      else response.writeHead(503, { 'retry-after': '0' }).end();
    },
    'whole',
  ],
  ['trouble without end', (_, response) => response.writeHead(500).end(), 'REGISTRY_BUSY'],
  [
    'a redirect to a place that refuses connections at first',
    (_, response, registry) => {
      const place = times++ > 2 ? registry.host : '127.0.0.1:1';
      response.writeHead(307, { location: `http://${place}/v2/else/where/blobs/${descriptor.digest}` }).end();
    },
    'whole',
  ],
  [
    'a redirect without end',
    (request, response) => response.writeHead(307, { location: request.url }).end(),
    'REDIRECT_REFUSED',
  ],
  [
    'a redirect to a file',
    (_, response) => response.writeHead(307, { location: 'file:///etc/shadow' }).end(),
    'REDIRECT_REFUSED',
  ],
  [
    '401 without end',
    (_, response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
    'UNAUTHORIZED',
  ],
  ['an error that is no JSON', (_, response) => response.writeHead(403).end('<html>'), 'DENIED'],
  [
    'an error page without end',
    (_, response) => {
      response.writeHead(404);
      const more = () => {
        while (!response.destroyed && response.write(blob));
        response.once('drain', more);
      };
      more();
    },
    'NOT_FOUND',
  ],
];

for (const [what, answer, expected] of blobCases)
  test(`a blob from a registry that sends ${what}: ${expected}`, async () => {
    await using registry = await TestRegistry.start();
    registry.addBlob(blob);
    times = 0;
    registry.misbehave = (request, response, self) => {
      if (!request.url?.includes('/a/b/blobs/')) return false;
      answer(request, response, self);
      return true;
    };
    if (expected === 'whole') assert.deepEqual(await readBlob(registry), blob);
    else await assert.rejects(readBlob(registry), failsWith(expected));
  });

test('waits before another try are told', async () => {
  await using registry = await TestRegistry.start();
  registry.addBlob(blob);
  let breaks = 0;
  registry.misbehave = (request, response) => {
    if (!request.url?.includes('/blobs/') || breaks++ > 1) return false;
    response.writeHead(200, { 'content-length': blob.length });
    response.write(blob.subarray(0, 1000), () => response.destroy());
    return true;
  };
  const waits: number[] = [];
  const options = { signal, onPause: (milliseconds: number) => waits.push(milliseconds) };
  assert.deepEqual(await read(registry, (repository) => gather(repository.blob(descriptor, options))), blob);
  assert.equal(waits.length, 2);
});

test('a manifest with another digest, or over the limit, is refused', async () => {
  await using registry = await TestRegistry.start();
  registry.manifests.set(manifest.digest, {
    type: manifest.mediaType,
    bytes: encodeManifest({ ...config, size: 3 }, []).bytes,
  });
  registry.manifests.set('a/b:huge', { type: manifest.mediaType, bytes: Buffer.alloc(MANIFEST_LIMIT + 1, ' ') });
  await read(registry, async (repository) => {
    await assert.rejects(repository.manifest(manifest.digest, signal), failsWith('MANIFEST_DIGEST'));
    await assert.rejects(repository.manifest('huge', signal), failsWith('ANSWER_TOO_LARGE'));
  });
});

test('credentials do not follow a redirect to another host', async () => {
  await using elsewhere = await TestRegistry.start();
  await using registry = await TestRegistry.start();
  elsewhere.addBlob(blob);
  const seen: (string | undefined)[] = [];
  elsewhere.misbehave = (request) => {
    seen.push(request.headers.authorization);
    return false;
  };
  registry.misbehave = (request, response) => {
    if (request.headers.authorization === undefined)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    else if (request.url?.includes('/blobs/')) {
      seen.push(request.headers.authorization);
      response.writeHead(307, { location: `http://${elsewhere.host}${request.url}` }).end();
    } else return false;
    return true;
  };
  const auth = { username: 'me', password: 'secret' };
  assert.deepEqual(await read(registry, (repository) => gather(repository.blob(descriptor, { signal })), auth), blob);
  assert.deepEqual(seen, [`Basic ${Buffer.from('me:secret').toString('base64')}`, undefined]);
});

test('a layer with urls comes from the first of them that has it', async () => {
  await using elsewhere = await TestRegistry.start();
  await using registry = await TestRegistry.start();
  elsewhere.addBlob(blob);
  const urls = [`http://${registry.host}/nothing`, `http://${elsewhere.host}/v2/x/blobs/${descriptor.digest}`];
  const bytes = await read(registry, (repository) => gather(repository.blob({ ...descriptor, urls }, { signal })));
  assert.deepEqual(bytes, blob);
});

/** A token server in the registry itself. `accept` says which token request is granted. */
function withTokens(
  registry: TestRegistry,
  accept: (request: IncomingMessage, url: URL, form: URLSearchParams) => boolean,
): string[] {
  const asked: string[] = [];
  registry.misbehave = (request, response) => {
    const url = new URL(request.url ?? '', `http://${registry.host}`);
    if (url.pathname === '/token') {
      void gather(request).then((body) => {
        const form = new URLSearchParams(body.toString());
        asked.push(`${request.method} ${url.searchParams.getAll('scope').join(' ')}${form.get('grant_type') ?? ''}`);
        if (!accept(request, url, form)) return response.writeHead(401).end('{"details":"no"}');
        return response.end(JSON.stringify({ token: `T${asked.length}`, refresh_token: 'R', expires_in: 300 }));
      });
    } else if (request.headers.authorization?.startsWith('Bearer T') !== true)
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token",service="s"` }).end();
    else return false;
    return true;
  };
  return asked;
}

test('a token is asked for once a scope, anonymously or with the password', async () => {
  for (const auth of [undefined, { username: 'me', password: 'secret' }]) {
    await using registry = await TestRegistry.start();
    registry.addBlob(blob);
    registry.addManifest('a/b:1', manifest);
    const asked = withTokens(
      registry,
      (request) => (request.headers.authorization !== undefined) === (auth !== undefined),
    );
    await read(
      registry,
      async (repository) => {
        await repository.manifest('1', signal);
        await gather(repository.blob(descriptor, { signal }));
      },
      auth,
    );
    assert.deepEqual(asked, ['GET repository:a/b:pull']);
  }
});

test('an identity token is exchanged by POST', async () => {
  await using registry = await TestRegistry.start();
  registry.addManifest('a/b:1', manifest);
  const asked = withTokens(registry, (_, __, form) => form.get('refresh_token') === 'R');
  await read(registry, (repository) => repository.manifest('1', signal), { identitytoken: 'R' });
  assert.deepEqual(asked, ['POST refresh_token']);
});

test('a token that is refused is asked for anew once, and no more', async () => {
  await using registry = await TestRegistry.start();
  const asked = withTokens(registry, () => true);
  const inner = registry.misbehave;
  registry.misbehave = (request, response, self) => {
    if (request.url?.includes('/token')) return inner?.(request, response, self) ?? false;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token"` }).end();
    return true;
  };
  await assert.rejects(
    read(registry, (repository) => repository.manifest('1', signal)),
    failsWith('UNAUTHORIZED'),
  );
  // One for HEAD or GET before it knows better, one after the refusal.
  assert.equal(asked.length, 2);
});

test('a token server of the OAuth kind gets the password by POST', async () => {
  await using registry = await TestRegistry.start();
  registry.addManifest('a/b:1', manifest);
  const asked = withTokens(registry, (_, __, form) => form.get('password') === 'secret');
  const inner = registry.misbehave;
  registry.misbehave = (request, response, self) => {
    if (request.method !== 'GET' || !request.url?.startsWith('/token'))
      return inner?.(request, response, self) ?? false;
    response.writeHead(405).end();
    return true;
  };
  await read(registry, (repository) => repository.manifest('1', signal), { username: 'me', password: 'secret' });
  assert.deepEqual(asked, ['POST password']);
});

test('Basic without credentials says so, in words that clients know', async () => {
  await using registry = await TestRegistry.start();
  registry.misbehave = (_, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    return true;
  };
  await assert.rejects(
    read(registry, (repository) => repository.headDigest('1', signal)),
    failsWith('UNAUTHORIZED', /^Head "http:\/\/127[^"]+\/v2\/a\/b\/manifests\/1": no basic auth credentials$/),
  );
});

test('a right that the token lacks is denied, not unauthorized', async () => {
  await using registry = await TestRegistry.start();
  withTokens(registry, () => true);
  const inner = registry.misbehave;
  registry.misbehave = (request, response, self) => {
    if (request.url?.startsWith('/token') || request.headers.authorization === undefined)
      return inner?.(request, response, self) ?? false;
    const challenge = `Bearer realm="http://${registry.host}/token",error="insufficient_scope"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end();
    return true;
  };
  await assert.rejects(
    read(registry, (repository) => repository.manifest('1', signal)),
    failsWith('DENIED', /^denied: requested access to the resource is denied$/),
  );
});

test('login keeps the refresh token, and refuses what the registry refuses', async () => {
  await using registry = await TestRegistry.start();
  withTokens(
    registry,
    (request) => request.headers.authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`,
  );
  const serveraddress = registry.host;
  assert.deepEqual(await login(registries, { username: 'me', password: 'secret', serveraddress }, { signal }), {
    IdentityToken: 'R',
    Status: 'Login Succeeded',
  });
  await assert.rejects(
    login(registries, { username: 'me', password: 'wrong', serveraddress }, { signal }),
    failsWith('LOGIN_REFUSED', /^login attempt to http:\/\/127.*\/v2\/ failed with status: 401 Unauthorized$/),
  );
});

/** Uploads the blob to a registry that deals with the n-th request that has a body in its own way. */
async function upload(registry: TestRegistry, open = (from: number) => chunksOf(blob.subarray(from))): Promise<number> {
  let most = 0;
  const repository = await registries.openForPush(
    { registry: registry.host, path: 'a/b' },
    { auth: undefined, signal },
  );
  const onProgress = (sent: number) => {
    most = Math.max(most, sent);
  };
  try {
    await repository.uploadBlob({ descriptor, open, onProgress, signal });
  } finally {
    assert.equal(registry.openUploads, 0);
  }
  return most;
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

for (const [what, misbehave, code] of [
  ['a registry that behaves', undefined, undefined],
  [
    'a registry that breaks off the first time',
    (request: IncomingMessage) => {
      if (request.method !== 'PUT' || times++ > 0) return false;
      request.once('data', () => request.socket.destroy());
      return true;
    },
    undefined,
  ],
  [
    'a registry that takes no large bodies',
    (request: IncomingMessage, response: ServerResponse) => {
      if (request.method !== 'PUT' || request.headers['content-length'] === '0') return false;
      request.resume().on('end', () => response.writeHead(413).end());
      return true;
    },
    undefined,
  ],
  [
    'a registry that loses a chunk',
    (request: IncomingMessage, response: ServerResponse) => {
      if (request.method === 'PUT' && request.headers['content-length'] !== '0') {
        request.resume().on('end', () => response.writeHead(413).end());
        return true;
      }
      if (request.method !== 'PATCH' || times++ > 0) return false;
      request.once('data', () => request.socket.destroy());
      return true;
    },
    undefined,
  ],
  [
    'a registry that says where to send nothing',
    (request: IncomingMessage, response: ServerResponse) => {
      if (request.method !== 'POST') return false;
      response.writeHead(202).end();
      return true;
    },
    'UPLOAD_LOCATION',
  ],
  [
    'a registry that denies it',
    (_: IncomingMessage, response: ServerResponse) => {
      response.writeHead(403).end();
      return true;
    },
    'DENIED',
  ],
] as const)
  test(`a blob is sent to ${what}`, async () => {
    await using registry = await TestRegistry.start();
    times = 0;
    registry.misbehave = (request, response) => request.url !== '/v2/' && (misbehave?.(request, response) ?? false);
    if (code !== undefined) return await assert.rejects(upload(registry), failsWith(code));
    assert.equal(await upload(registry), blob.length);
    assert.deepEqual(registry.blobs.get(descriptor.digest), blob);
  });

test('a blob whose bytes are others than its digest says is not sent in another way', async () => {
  await using registry = await TestRegistry.start();
  await assert.rejects(
    upload(registry, () => chunksOf(Buffer.alloc(blob.length))),
    failsWith('DIGEST_INVALID'),
  );
  assert.equal(registry.log.filter((line) => line.startsWith('PATCH')).length, 0);
});

test('a source that fails stops the upload with its own failure', async () => {
  await using registry = await TestRegistry.start();
  async function* broken(): AsyncGenerator<Buffer> {
    yield blob.subarray(0, 1000);
    throw new Error('the disk is gone');
  }
  await assert.rejects(upload(registry, broken), /the disk is gone/);
});

test('abort ends a transfer at once', async () => {
  await using registry = await TestRegistry.start();
  const abort = new AbortController();
  registry.misbehave = (request, response) => {
    if (!request.url?.includes('/blobs/')) return false;
    response.writeHead(200, { 'content-length': blob.length });
    response.write(blob.subarray(0, 1000), () => abort.abort());
    return true;
  };
  const reading = registries.readFrom(
    { registry: registry.host, path: 'a/b' },
    { auth: undefined, signal: abort.signal },
    (repository) => gather(repository.blob(descriptor, { signal: abort.signal })),
  );
  await assert.rejects(reading, (error) => isFailure(error, 'cancelled'));
});

test('transfers leave no listener on their signal, and requests share connections', async () => {
  await using registry = await TestRegistry.start();
  registry.addManifest('a/b:1', manifest);
  registry.addBlob(blob);
  const sockets = new Set<unknown>();
  registry.misbehave = (request) => {
    sockets.add(request.socket);
    return false;
  };
  const { signal: own } = new AbortController();
  const name = { registry: registry.host, path: 'a/b' };
  await registries.readFrom(name, { auth: undefined, signal: own }, async (repository) => {
    for (let i = 0; i < 3; i++) {
      await repository.manifest('1', own);
      assert.ok(await repository.hasBlob(descriptor.digest, own));
      assert.ok(!(await repository.hasBlob(digestOf('none'), own)));
      await gather(repository.blob(descriptor, { signal: own }));
    }
  });
  assert.deepEqual(getEventListeners(own, 'abort'), []);
  assert.ok(sockets.size <= 2, `${sockets.size} connections`); // a short body that is let go may still be on its way
});

test('a mirror is tried first, without credentials, and passed over when it fails', async () => {
  await using mirror = await TestRegistry.start();
  mirror.addManifest('a/b:1', manifest);
  const seen: (string | undefined)[] = [];
  mirror.misbehave = (request) => {
    seen.push(request.headers.authorization);
    return false;
  };
  const mirrored = testRegistries({ mirrors: ['http://127.0.0.1:1', `http://${mirror.host}`] });
  const auth = { username: 'me', password: 'secret' };
  const found = await mirrored.readFrom({ registry: 'docker.io', path: 'a/b' }, { auth, signal }, (repository) =>
    repository.manifest('1', signal),
  );
  assert.deepEqual(found, manifest);
  assert.deepEqual(seen, [undefined, undefined]);
  mirrored[Symbol.dispose]();
});

for (const [what, handle, expected] of [
  [
    'a registry with a search',
    (response: ServerResponse) =>
      response.end('{"results":[{"name":"x/deb","description":"d","star_count":3,"is_official":true},{"bad":1}]}'),
    [{ name: 'x/deb', description: 'd', star_count: 3, is_official: true, is_automated: false }],
  ],
  ['a search that answers nonsense', (response: ServerResponse) => response.end('<html>'), 'ANSWER_INVALID'],
] as const)
  test(`search in ${what}`, async () => {
    await using registry = await TestRegistry.start();
    registry.misbehave = (request, response) => {
      if (!request.url?.startsWith('/v1/search?q=deb&n=5')) return false;
      handle(response);
      return true;
    };
    const request = { registry: registry.host, term: 'deb', limit: 5, auth: undefined, signal };
    if (typeof expected === 'string') await assert.rejects(search(registries, request), failsWith(expected));
    else assert.deepEqual(await search(registries, request), expected);
  });

test('a registry that is not near is reached through the proxy of the environment', async () => {
  const asked: string[] = [];
  const proxy = createServer().on('connect', (request: IncomingMessage, socket: Duplex) => {
    asked.push(`${request.method} ${request.url}`);
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const before = process.env['https_proxy'];
  process.env['https_proxy'] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`; // it listens on TCP
  using proxied = testRegistries();
  try {
    await assert.rejects(proxied.connect('far.test', { auth: undefined, signal }), (error) =>
      isFailure(error, 'unavailable'),
    );
    assert.equal(asked[0], 'CONNECT far.test:443');
  } finally {
    if (before === undefined) delete process.env['https_proxy'];
    else process.env['https_proxy'] = before;
    proxy.close();
  }
});

test('somebody listens and never answers: that is told once, in words that clients know', async () => {
  let asked = 0;
  const silent = createServer(() => asked++);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo; // it listens on TCP
  using impatient = new Registries({ mirrors: [], insecure: [], certificates: '/nonexistent' }, { patience: 100 });
  try {
    await assert.rejects(
      impatient.connect(`127.0.0.1:${port}`, { auth: undefined, signal }),
      failsWith(
        'REGISTRY_SILENT',
        /^Get "http:\/\/127.+\/v2\/": net\/http: request canceled while waiting .*headers\)$/,
      ),
    );
    assert.equal(asked, 1);
  } finally {
    silent.closeAllConnections();
    silent.close();
  }
});

test('nobody listens: the words name the address', async () => {
  await assert.rejects(
    registries.connect('127.0.0.1:1', { auth: undefined, signal }),
    failsWith(
      'REGISTRY_REFUSED',
      /^Get "http:\/\/127.0.0.1:1\/v2\/": dial tcp 127.0.0.1:1: connect: connection refused$/,
    ),
  );
});
