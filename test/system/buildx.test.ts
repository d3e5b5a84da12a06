/** buildx 0.13 and compose v2 of docker 26 build on a Strake host, by POST /grpc and POST /session. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, leftovers, makeContext, type Result, run, startHost, type TestHost, until } from './harness.ts';
import { NEWER_DOCKER, pluginConfig, withoutNewerClients } from './newer-clients.ts';

let host: TestHost;
let env: Record<string, string>;

before(async () => {
  if (withoutNewerClients) return;
  host = await startHost();
  await importBusybox(host);
  env = { DOCKER_HOST: `unix://${host.socket}`, DOCKER_CONFIG: pluginConfig(host.folder), DOCKER_BUILDKIT: '1' };
});
after(() => host?.[Symbol.asyncDispose]());

const docker = (args: readonly string[], cwd?: string): Promise<Result> =>
  run(NEWER_DOCKER, args, { env, timeout: 60_000, ...(cwd === undefined ? {} : { cwd }) });

async function ok(args: readonly string[], cwd?: string): Promise<Result> {
  const result = await docker(args, cwd);
  assert.equal(result.code, 0, `docker ${args.join(' ')}\n${result.stdout}\n${result.stderr}`);
  return result;
}

const options = { skip: withoutNewerClients };

test('buildx ls and inspect show the host', options, async () => {
  assert.match((await ok(['buildx', 'ls'])).stdout, /default\s+running\s+v\d+\.\d+\.\d+\s+linux\/(amd64|arm64)/);
  const { stdout } = await ok(['buildx', 'inspect']);
  for (const label of ['snapshotter', 'moby.host-gateway-ip']) assert.ok(stdout.includes(`.worker.${label}:`), stdout);
});

test(
  'docker build: stages, names, the image ID in a file, and everything cached the second time',
  options,
  async () => {
    const context = makeContext(host.folder, {
      Dockerfile: [
        'FROM busybox AS made',
        'ARG WHO=nobody',
        'COPY greeting /greeting',
        'RUN echo "$(cat /greeting) $WHO" >/text',
        'FROM busybox',
        'COPY --from=made /text /text',
        'CMD ["cat", "/text"]',
      ].join('\n'),
      greeting: 'hello',
    });
    const file = join(host.folder, 'iid');
    const metadata = join(host.folder, 'metadata');
    const args = ['build', '--progress=plain', '-t', 'built', '-t', 'built:more', '--build-arg', 'WHO=you'];
    const first = await ok([...args, '--iidfile', file, '--metadata-file', metadata, context]);
    assert.match(first.stderr, /\[made 3\/3\] RUN echo/);
    assert.match(first.stderr, /naming to docker\.io\/library\/built:more/);
    const image = await host.inspect('built:more', '{{.Id}}');
    assert.equal(readFileSync(file, 'utf8'), image);
    assert.equal(JSON.parse(readFileSync(metadata, 'utf8'))['containerimage.config.digest'], image);
    assert.equal((await ok(['run', '--rm', 'built'])).stdout, 'hello you\n');
    const second = await ok([...args, context]);
    assert.equal(second.stderr.match(/^#\d+ CACHED$/gm)?.length, 3);
    assert.equal(await host.inspect('built', '{{.Id}}'), image);
  },
);

test('docker build: a step that fails is shown with its place', options, async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo before; exit 3\n' });
  const { code, stderr } = await docker(['build', '--progress=plain', context]);
  assert.equal(code, 1);
  assert.match(stderr, />>> RUN echo before; exit 3/);
  assert.match(
    stderr,
    /ERROR: failed to solve: process "\/bin\/sh -c echo before; exit 3" did not complete successfully: exit code: 3\n/,
  );
});

test('buildx build --print: what a target takes, the targets, and what can be asked', options, async () => {
  const context = makeContext(host.folder, {
    Dockerfile: [
      'ARG BASE=busybox',
      '# made is where it is made',
      'FROM $BASE AS made',
      '# WHO is greeted',
      'ARG WHO=nobody',
      'RUN --mount=type=secret,id=word,required=true true',
      'FROM made',
      'RUN --mount=type=ssh true',
    ].join('\n'),
  });
  const ask = async (...args: readonly string[]) => {
    const asked = ['buildx', 'build', ...args, context];
    return (await run(NEWER_DOCKER, asked, { env: { ...env, BUILDX_EXPERIMENTAL: '1' }, timeout: 60_000 })).stdout;
  };
  assert.equal(
    await ask('--print=outline', '--build-arg', 'WHO=you'),
    [
      'BUILD ARG   VALUE     DESCRIPTION',
      'BASE        busybox   ',
      'WHO         you       is greeted',
      '',
      'SECRET   REQUIRED',
      'word     true',
      '',
      'SSH       REQUIRED',
      'default   ',
      '',
      '',
    ].join('\n'),
  );
  const { name, ssh, secrets } = JSON.parse(await ask('--print=outline,format=json', '--target=made'));
  assert.deepEqual([name, ssh, secrets.length], ['made', undefined, 1]);
  assert.equal(await ask('--print=targets'), 'TARGET    DESCRIPTION\nmade      is where it is made\n(default) \n');
  assert.match(await ask('--print=subrequests.describe'), /^outline +1\.0\.0 +List all parameters/m);
});

test('buildx bake: several targets at once, one the base of another', options, async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox AS base\nENV FROM_BASE=yes\nRUN echo base >/base\nFROM busybox\nRUN echo main >/main\n',
    'docker-bake.hcl': [
      'group "default" {\n  targets = ["main", "derived"]\n}',
      'target "main" {\n  tags = ["main"]\n}',
      'target "base" {\n  target = "base"\n}',
      'target "derived" {',
      '  dockerfile-inline = "FROM parent\\nRUN echo $FROM_BASE $(cat /base) >/derived"',
      '  contexts = {\n    parent = "target:base"\n  }',
      '  tags = ["derived", "derived:two"]\n}',
    ].join('\n'),
  });
  await ok(['buildx', 'bake', '--progress=plain'], context);
  assert.equal(await host.sh('main', 'cat /main'), 'main');
  assert.equal(await host.sh('derived:two', 'cat /derived'), 'yes base');
});

test('buildx du and prune: the build cache of the host', options, async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nRUN --mount=type=cache,target=/cache echo x >/cache/x && echo y >/y\n',
  });
  await ok(['build', '-q', context]);
  assert.match(
    (await ok(['buildx', 'du', '--verbose'])).stdout,
    /Mutable:\ttrue[\s\S]*Description:\tcache mount \/cache/,
  );
  const pruned = await ok(['buildx', 'prune', '-f', '--filter', 'type=exec.cachemount']);
  assert.match(pruned.stdout, /^\w{32}\*/m);
  assert.doesNotMatch((await ok(['buildx', 'du'])).stdout, /\*\s+true/);
  await ok(['buildx', 'prune', '-af']);
  assert.match((await ok(['buildx', 'du'])).stdout, /Total:\t+0B/);
});

test('compose: build, and up --build', options, async () => {
  const project = join(host.folder, 'project');
  for (const folder of ['web', 'worker']) mkdirSync(join(project, folder), { recursive: true });
  writeFileSync(
    join(project, 'compose.yaml'),
    [
      'services:',
      '  web:\n    build: ./web\n    image: composed-web\n    network_mode: none',
      '  worker:\n    build:\n      context: ./worker\n      args:\n        WHO: you\n    network_mode: none',
    ].join('\n'),
  );
  writeFileSync(join(project, 'web/Dockerfile'), 'FROM busybox\nRUN echo web >/text\nCMD ["cat", "/text"]\n');
  writeFileSync(
    join(project, 'worker/Dockerfile'),
    'FROM busybox\nARG WHO\nRUN echo $WHO >/text\nCMD ["cat", "/text"]\n',
  );
  await ok(['compose', 'build'], project);
  assert.equal(await host.sh('composed-web', 'cat /text'), 'web');
  writeFileSync(join(project, 'web/Dockerfile'), 'FROM busybox\nRUN echo changed >/text\nCMD ["cat", "/text"]\n');
  const { stdout } = await ok(['compose', 'up', '--build'], project);
  assert.match(stdout, /web-1 +\| changed/);
  assert.match(stdout, /worker-1 +\| you/);
  await ok(['compose', 'down'], project);
});

for (const [how, signal] of [
  ['that is interrupted', 'SIGINT'],
  ['that is killed', 'SIGKILL'],
] as const) {
  test(`a client ${how} takes its build with it`, options, async () => {
    const mark = `sleep 7${signal.length}7`;
    const context = makeContext(host.folder, { Dockerfile: `FROM busybox\nRUN echo begun; ${mark}\n` });
    // The plugin itself: a signal to `docker` is told to it in another way each version.
    const plugin = join(env['DOCKER_CONFIG'] ?? '', 'cli-plugins/docker-buildx');
    const child = spawn(plugin, ['build', '--progress=plain', context], {
      env: { ...process.env, ...env },
      stdio: 'pipe',
    });
    const ended = once(child, 'close');
    let said = '';
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    await until(() => /^#\d+ [\d.]+ begun$/m.test(said), 30);
    child.kill(signal);
    await ended;
    if (signal === 'SIGINT')
      assert.match(said, /^#\d+ CANCELED\n[\s\S]*ERROR: failed to .*: Canceled: context canceled/m);
    await until(() => leftovers(mark).length === 0, 30);
    await until(async () => (await ok(['ps', '-aq'])).stdout === '', 30);
  });
}
