/** The unmodified docker 20.10 with DOCKER_BUILDKIT=1: builds of POST /build?version=2, whose folders are a session's. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  importBusybox,
  makeContext,
  type Result,
  type RunOptions,
  run,
  startHost,
  type TestHost,
  until,
} from './harness.ts';

const DOCKER = '/usr/bin/docker';
let host: TestHost;

before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

const environment = () => ({ DOCKER_CONFIG: host.folder, DOCKER_HOST: `unix://${host.socket}`, DOCKER_BUILDKIT: '1' });

function build(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return run(DOCKER, ['build', '--progress=plain', ...args], { timeout: 60_000, ...options, env: environment() });
}

async function built(args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await build(args, options);
  assert.equal(code, 0, `docker build ${args.join(' ')}\n${stdout}\n${stderr}\n${host.log().slice(-1000)}`);
  return stdout + stderr;
}

test('stages, arguments, labels and names; the view is that of BuildKit; the second time all comes from the cache', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: [
      'FROM busybox AS one',
      'ARG WORD',
      'COPY a.txt sub/ /in/',
      'RUN echo "said $WORD" > /out; cat /in/*',
      'FROM busybox AS two',
      'WORKDIR /work',
      'COPY --from=one /out .',
      'RUN cat out',
      'FROM busybox AS unused',
      'RUN false',
      'FROM two',
      'CMD ["cat", "out"]',
    ].join('\n'),
    'a.txt': 'first\n',
    'sub/b.txt': 'second\n',
    ignored: 'x',
    '.dockerignore': 'ignored\n',
  });
  const args = ['-t', 'one:1', '-t', 'two', '--build-arg', 'WORD=hello', '--label', 'k=v', context];
  const text = await built(args);
  for (const line of [
    /^#\d+ \[internal\] load build definition from Dockerfile$/m,
    /^#\d+ transferring dockerfile: \d+B( [\d.]+s)? done$/m,
    /^#\d+ \[internal\] load \.dockerignore$/m,
    /^#\d+ \[internal\] load build context$/m,
    /^#\d+ transferring context: \d+B( [\d.]+s)? done$/m,
    /^#\d+ \[internal\] load metadata for docker\.io\/library\/busybox:latest$/m,
    /^#\d+ \[one 2\/3\] COPY a\.txt sub\/ \/in\/$/m,
    /^#\d+ \[one 3\/3\] RUN echo "said \$WORD" > \/out; cat \/in\/\*$/m,
    /^#\d+ [\d.]+ second$/m,
    /^#\d+ \[two 4\/4\] RUN cat out$/m,
    /^#\d+ [\d.]+ said hello$/m,
    /^#\d+ exporting to image$/m,
    /^#\d+ writing image sha256:[0-9a-f]{64}( [\d.]+s)? done$/m,
    /^#\d+ naming to docker\.io\/library\/one:1( [\d.]+s)? done$/m,
    /^#\d+ naming to docker\.io\/library\/two(:latest)?( [\d.]+s)? done$/m,
  ])
    assert.match(text, line);
  assert.doesNotMatch(text, /unused|ERROR|WARN/);
  assert.equal(await host.ok(['run', '--rm', 'one:1']), 'said hello');
  assert.equal(await host.inspect('two', '{{index .Config.Labels "k"}}'), 'v');
  const again = await built(args);
  assert.equal(again.match(/^#\d+ CACHED$/gm)?.length, 5, again);
  const other = await built(['--no-cache', ...args]);
  assert.doesNotMatch(other, /CACHED/);
});

test('a failed RUN ends with its words and exit code, and leaves nothing', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo before; exit 3\nRUN never\n' });
  const { code, stdout, stderr } = await build([context]);
  assert.equal(code, 1);
  const text = stdout + stderr;
  assert.match(text, /^#\d+ [\d.]+ before$/m);
  assert.match(text, /ERROR: process "\/bin\/sh -c echo before; exit 3" did not complete successfully: exit code: 3/);
  assert.equal(await host.ok(['ps', '-aq']), '');
});

const faults: readonly [name: string, dockerfile: string, words: RegExp][] = [
  ['an unknown instruction', 'FROM busybox\nFOO x\n', /dockerfile parse error on line 2: unknown instruction: FOO/],
  ['a file that is not there', 'FROM busybox\nCOPY none /\n', /failed to compute cache key: "\/none": not found/],
  [
    'an image that nobody has',
    'FROM localhost:1/none\n',
    /localhost:1\/none:latest: failed to resolve source metadata for/,
  ],
];
for (const [name, dockerfile, words] of faults) {
  test(`refused: ${name}`, async () => {
    const { code, stderr } = await build([makeContext(host.folder, { Dockerfile: dockerfile })]);
    assert.equal(code, 1);
    assert.match(stderr, words);
  });
}

test('--quiet says the ID alone', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo loud\n' });
  const { code, stdout, stderr } = await run(DOCKER, ['build', '-q', '-t', 'quiet', context], { env: environment() });
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(stdout.trim(), await host.inspect('quiet', '{{.Id}}'));
});

test('the Dockerfile, or a tar with it, comes from standard input', async () => {
  await built(['-t', 'piped', '-'], { input: 'FROM busybox\nRUN echo piped > /x\n' });
  assert.equal(await host.sh('piped', 'cat /x'), 'piped');
  const context = makeContext(host.folder, { 'sub/Dockerfile': 'FROM busybox\nCOPY x /\n', x: 'in the tar\n' });
  const tar = join(host.folder, 'context.tar');
  assert.equal((await run('tar', ['-C', context, '-cf', tar, '.'])).code, 0);
  await built(['-t', 'packed', '-f', 'sub/Dockerfile', '-'], { input: readFileSync(tar) });
  assert.equal(await host.sh('packed', 'cat /x'), 'in the tar');
});

test('a URL is a tar or a Dockerfile, whatever its server calls it', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nCOPY x /\nRUN false\n', x: 'from afar\n' });
  const tar = join(host.folder, 'remote.tar');
  assert.equal((await run('tar', ['-C', context, '-cf', tar, '.'])).code, 0);
  const files: Readonly<Record<string, string | Buffer>> = {
    '/tar': readFileSync(tar),
    '/file': 'FROM busybox\nRUN echo remote > /x\n',
  };
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'application/octet-stream');
    response.end(files[request.url ?? '']);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  const url = `http://127.0.0.1:${address.port}`;
  assert.match(await built(['-t', 'afar', `${url}/file`]), /^#\d+ \[internal\] load remote build context$/m);
  assert.equal(await host.sh('afar', 'cat /x'), 'remote');
  const { code, stderr } = await build([`${url}/tar`]);
  server.close();
  assert.equal(code, 1);
  assert.match(stderr, /process "\/bin\/sh -c false" did not complete successfully: exit code: 1/);
});

test('a secret is there for its RUN and not in the image', async () => {
  const file = join(host.folder, 'word');
  writeFileSync(file, 'the word\n');
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nRUN --mount=type=secret,id=w wc -c < /run/secrets/w > /size\n',
  });
  await built(['-t', 'secretive', '--secret', `id=w,src=${file}`, context]);
  assert.equal(await host.sh('secretive', 'cat /size; ls /run/secrets 2>/dev/null || true'), '9');
});

test('the result as files and as a tar', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM scratch\nCOPY a.txt /dir/\n', 'a.txt': 'content\n' });
  const folder = join(host.folder, 'output');
  mkdirSync(folder);
  const before = await host.ok(['images', '-q']);
  assert.match(await built(['-o', folder, context]), /exporting to client directory/);
  assert.equal(readFileSync(join(folder, 'dir/a.txt'), 'utf8'), 'content\n');
  const tar = join(host.folder, 'output.tar');
  await built(['-o', `type=tar,dest=${tar}`, context]);
  assert.match((await run('tar', ['-tf', tar])).stdout, /^dir\/a\.txt$/m);
  assert.equal(await host.ok(['images', '-q']), before);
  const { code, stderr } = await build(['-o', 'type=cloud', context]);
  assert.equal(code, 1);
  assert.match(stderr, /exporter "cloud" could not be found/);
});

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
  test(`a client that ends by ${signal} ends its build`, async () => {
    const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo begun; sleep 600\n' });
    const client = spawn(DOCKER, ['build', '--progress=plain', '--no-cache', context], {
      env: { ...process.env, ...environment() },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let told = '';
    client.stderr.on('data', (chunk) => {
      told += chunk;
    });
    await until(() => told.includes(' begun'), 30);
    client.kill(signal);
    await once(client, 'close');
    await until(async () => (await host.ok(['ps', '-aq'])) === '', 30);
  });
}
