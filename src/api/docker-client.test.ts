/** Unmodified docker commands against the door. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { Failure } from '../lib/error.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import type { BuildRequest } from './backend/build.ts';
import type { WaitResult } from './backend/containers.ts';
import { frame, startTestHost, type TestHost } from './test-host.ts';

const CLIENTS = ['/usr/local/bin/docker', '/usr/bin/docker'].filter((path) => existsSync(path));
const IMAGE = `sha256:${'b'.repeat(64)}`;
const CONTAINER = 'd'.repeat(64);

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs docker with this input, or with no input at all. */
async function docker(client: string, host: TestHost, args: readonly string[], input?: string): Promise<Result> {
  const env = { PATH: '/nowhere', HOME: '/nowhere', DOCKER_HOST: `unix://${host.socket}`, DOCKER_BUILDKIT: '0' };
  const child = spawn(client, args, {
    env,
    timeout: 20_000,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  child.stdin?.end(input);
  const [stdout, stderr, code] = await Promise.all([
    buffer(child.stdout ?? new PassThrough()),
    buffer(child.stderr ?? new PassThrough()),
    new Promise<number | null>((resolve) => child.on('close', resolve)),
  ]);
  return { code, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** A host with one image, which builds what it is given and runs a container that counts its input. */
function startHost(requests: BuildRequest[] = []): Promise<TestHost> {
  const input = new PassThrough();
  const output = new PassThrough();
  const exit = Promise.withResolvers<WaitResult>();
  let waited = false;
  return startTestHost({
    system: {
      version: () =>
        Promise.resolve({
          Platform: { Name: 'Strake' },
          Version: '9.9.9',
          GitCommit: 'abc',
          GoVersion: process.version,
          Os: 'linux',
          Arch: 'amd64',
          KernelVersion: '6',
          BuildTime: '',
        }),
    },
    images: {
      list: () =>
        Promise.resolve([
          {
            Id: IMAGE,
            ParentId: '',
            RepoTags: ['mine:1'],
            RepoDigests: [],
            Created: 1_700_000_000,
            Size: 5_000_000,
            SharedSize: -1,
            Labels: null,
            Containers: 0,
          },
        ]),
      inspect: (ref) => Promise.reject(new Failure('not-found', 'X', `No such image: ${ref}`)),
    },
    build: {
      build: async (request) => {
        requests.push(request);
        const { context, emit, options } = request;
        const size = context.kind === 'tar' ? (await buffer(context.body)).length : 0;
        if (options.dockerfile === 'Bad')
          throw new Failure('invalid', 'DOCKERFILE', 'dockerfile parse error line 2: unknown instruction: BOGUS');
        const step = { index: 0, stage: 0, stageName: undefined, line: 1, text: 'FROM scratch' };
        await emit({ type: 'plan', steps: [step], stages: 1 });
        await emit({ type: 'step-start', step: 0, at: 0 });
        if (options.target === 'fails')
          throw new Failure('invalid', 'RUN_FAILED', "The command '/bin/sh -c exit 3' returned a non-zero code: 3", {
            exitCode: 3,
          });
        await emit({ type: 'step-done', step: 0, image: IMAGE, at: 0 });
        await emit({ type: 'warning', message: `${size % 512} bytes over` });
        await emit({ type: 'built', image: IMAGE });
        for (const name of options.tags) await emit({ type: 'tagged', name });
        return { image: IMAGE };
      },
    },
    containers: {
      list: () =>
        Promise.resolve([
          {
            Id: CONTAINER,
            Names: ['/busy'],
            Image: 'mine:1',
            ImageID: IMAGE,
            Command: 'sleep 9',
            Created: 1_700_000_000,
            Ports: [],
            Labels: {},
            State: 'exited',
            Status: 'Exited (7) 8 seconds ago',
            HostConfig: { NetworkMode: 'default' },
            NetworkSettings: { Networks: {} },
            Mounts: [],
          },
        ]),
      create: ({ body }) => {
        if (body.Image !== 'mine:1')
          return Promise.reject(new Failure('not-found', 'X', `No such image: ${body.Image}:latest`));
        return Promise.resolve({ Id: CONTAINER, Warnings: [] });
      },
      inspect: (ref) => Promise.reject(new Failure('not-found', 'X', `No such container: ${ref}`)),
      attach: (_, query) => Promise.resolve({ tty: false, output, input: query.stdin ? input : undefined }),
      wait: () => {
        waited = true;
        return Promise.resolve({ exit: exit.promise });
      },
      start: async () => {
        assert.ok(waited, 'clients wait before they start');
        output.write(frame(1, 'to stdout\n'));
        output.write(frame(2, 'to stderr\n'));
        void buffer(input).then((bytes) => {
          output.end(frame(1, `${bytes.length} bytes of input\n`));
          exit.resolve({ exitCode: 7, error: undefined });
        });
        return true;
      },
      remove: (ref) =>
        Promise.reject(
          new Failure(
            'conflict',
            'RUNNING',
            `cannot remove container "/${ref}": container is running: stop the container before removing or force remove`,
          ),
        ),
    },
  });
}

test('there is a docker command to test with', () => assert.notDeepEqual(CLIENTS, []));

for (const client of CLIENTS) {
  test(`${client}: version, images, ps`, async () => {
    await using host = await startHost();
    assert.match(
      (await docker(client, host, ['version'])).stdout,
      /Server: Strake\n Engine:\n +Version: +9\.9\.9\n +API version: +1\.51 \(minimum version 1\.24\)/,
    );
    assert.match((await docker(client, host, ['images'])).stdout, /mine +1 +bbbbbbbbbbbb .* 5MB\n/);
    assert.match(
      (await docker(client, host, ['ps', '-a'])).stdout,
      /^dddddddddddd +mine:1 +"sleep 9" .* Exited \(7\) 8 seconds ago +busy$/m,
    );
  });

  test(`${client}: build`, async () => {
    await using folder = makeScratchFolder(tmpdir(), 'strake-docker');
    writeFileSync(join(folder.path, 'Dockerfile'), 'FROM scratch\n');
    writeFileSync(join(folder.path, 'Bad'), 'BOGUS\n');
    const requests: BuildRequest[] = [];
    await using host = await startHost(requests);
    const built = await docker(client, host, [
      'build',
      '-t',
      'a',
      '-t',
      'b:2',
      '--build-arg',
      'X=1',
      '--memory',
      '64m',
      '--ulimit',
      'nofile=1:2',
      folder.path,
    ]);
    assert.equal(built.code, 0, built.stderr);
    assert.match(
      built.stdout,
      /Step 1\/1 : FROM scratch\n ---> bbbbbbbbbbbb\n\[Warning\] 0 bytes over\nSuccessfully built bbbbbbbbbbbb\nSuccessfully tagged a\nSuccessfully tagged b:2\n$/,
    );
    const asked = requests[0]?.options;
    assert.deepEqual([asked?.tags, asked?.buildArgs, asked?.resources.memory], [['a', 'b:2'], { X: '1' }, 64 << 20]);
    assert.deepEqual(asked?.resources.ulimits, [{ Name: 'nofile', Soft: 1, Hard: 2 }]);
    assert.equal((await docker(client, host, ['build', '-q', folder.path])).stdout, `${IMAGE}\n`);
    const idFile = join(folder.path, 'id');
    await docker(client, host, ['build', '--iidfile', idFile, folder.path]);
    assert.ok(existsSync(idFile));
    const refused = await docker(client, host, ['build', '-f', join(folder.path, 'Bad'), folder.path]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /Error response from daemon: dockerfile parse error line 2: unknown instruction: BOGUS\n/,
    );
    const failed = await docker(client, host, ['build', '--target', 'fails', folder.path]);
    assert.equal(failed.code, 3);
    assert.match(failed.stderr, /The command '\/bin\/sh -c exit 3' returned a non-zero code: 3\n/);
  });

  test(`${client}: run with input, output, error output and exit code`, async () => {
    await using host = await startHost();
    const ran = await docker(client, host, ['run', '-i', 'mine:1', 'x'], 'some input');
    assert.deepEqual(ran, { code: 7, stdout: 'to stdout\n10 bytes of input\n', stderr: 'to stderr\n' });
  });

  test(`${client}: error texts`, async () => {
    await using host = await startHost();
    const rows: readonly [string[], number, RegExp][] = [
      [
        ['rm', 'busy'],
        1,
        /Error response from daemon: cannot remove container "\/busy": container is running: stop the container/,
      ],
      [['inspect', 'nosuch'], 1, /Error: No such object: nosuch|no such object: nosuch/],
      [['run', 'nosuch'], 125, /Unable to find image 'nosuch:latest' locally/],
      [['exec', 'x', 'ls'], 1, /No such container: x/],
      [['network', 'ls'], 1, /managing networks is not supported by this host/],
    ];
    for (const [args, code, message] of rows) {
      const { code: exitCode, stderr } = await docker(client, host, args);
      assert.match(stderr, message);
      assert.ok(exitCode === code, `${args.join(' ')}: ${exitCode}`);
    }
  });
}
