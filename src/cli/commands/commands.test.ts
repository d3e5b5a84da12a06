import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isFailure } from '../../lib/error.ts';
import { findCommand } from '../command-table.ts';
import { complain, helpFor } from '../help.ts';
import { frame, startTestHost, type TestHostOptions } from '../test-host.ts';
import { type TestSession, testSession } from '../test-session.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-commands-'));
after(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly requests: string[];
  readonly bodies: string[];
}

/** Runs a command against a host that plays `options`. */
async function strake(
  words: readonly string[],
  options: TestHostOptions,
  prepare: (session: TestSession) => void = () => {},
): Promise<Outcome> {
  await using host = await startTestHost(options);
  const session = testSession(host.endpoint, { DOCKER_CONFIG: folder });
  prepare(session);
  const found = await findCommand(words);
  assert.ok(found, words.join(' '));
  let exitCode: number;
  try {
    exitCode = await found.command.execute(session, found.path, found.argv);
  } catch (error) {
    if (!isFailure(error)) throw error;
    session.stderr.write(`${error.message}\n`);
    exitCode = error.exitCode ?? 1;
  }
  return {
    exitCode,
    stdout: session.stdout.text,
    stderr: session.stderr.text,
    requests: host.received.map(({ method, url }) => `${method} ${decodeURIComponent(url.replace(/^\/v[\d.]+/, ''))}`),
    bodies: host.received.map(({ body }) => body.toString()),
  };
}

const ID = `sha256:${'12ab'.repeat(16)}`;
const CREATED = Date.now() / 1000 - 120;
const IMAGES = [
  {
    Id: ID,
    ParentId: '',
    RepoTags: ['app:1', 'app:2', 'r:5000/x/app:1'],
    RepoDigests: [`app@${ID}`],
    Created: CREATED,
    Size: 1883000,
    SharedSize: -1,
    Labels: null,
    Containers: -1,
  },
  {
    Id: `sha256:${'00'.repeat(32)}`,
    ParentId: '',
    RepoTags: [],
    RepoDigests: [],
    Created: CREATED,
    Size: 0,
    SharedSize: -1,
    Labels: null,
    Containers: -1,
  },
  {
    Id: ID,
    ParentId: '',
    RepoTags: ['<none>:<none>'],
    RepoDigests: ['<none>@<none>'],
    Created: CREATED,
    Size: 5,
    SharedSize: -1,
    Labels: null,
    Containers: -1,
  },
];

test('images', async () => {
  const outcome = await strake(['images', '-a', '-f', 'label=x', 'app'], { routes: { 'GET /images/json': IMAGES } });
  assert.equal(
    outcome.stdout,
    `REPOSITORY     TAG       IMAGE ID       CREATED         SIZE
app            1         12ab12ab12ab   2 minutes ago   1.88MB
app            2         12ab12ab12ab   2 minutes ago   1.88MB
r:5000/x/app   1         12ab12ab12ab   2 minutes ago   1.88MB
<none>         <none>    000000000000   2 minutes ago   0B
<none>         <none>    12ab12ab12ab   2 minutes ago   5B
`,
  );
  assert.deepEqual(outcome.requests, ['GET /images/json?all=1&filters={"label":{"x":true},"reference":{"app":true}}']);
});

test('images with digests, and IDs alone', async () => {
  const routes = { 'GET /images/json': IMAGES.slice(0, 1) };
  const { stdout } = await strake(['image', 'ls', '--digests'], { routes });
  assert.match(stdout, new RegExp(`^app +1 +${ID} +12ab12ab12ab`, 'm'));
  assert.equal((await strake(['images', '-q', '--no-trunc'], { routes })).stdout, `${ID}\n`.repeat(3));
});

test('ps', async () => {
  const container = {
    Id: 'c0ffee'.repeat(10),
    Names: ['/web', '/other/web'],
    Image: 'app:1',
    ImageID: ID,
    Command: 'sh -c "echo a very long command line"',
    Created: CREATED,
    Ports: [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }],
    Labels: { a: 'b' },
    State: 'running',
    Status: 'Up 2 minutes',
    HostConfig: { NetworkMode: 'default' },
    NetworkSettings: { Networks: { bridge: {} } },
    Mounts: [],
  };
  const { stdout } = await strake(['ps', '-a'], { routes: { 'GET /containers/json': [container] } });
  assert.equal(
    stdout,
    `CONTAINER ID   IMAGE     COMMAND                   CREATED         STATUS         PORTS                  NAMES
c0ffeec0ffee   app:1     "sh -c \\"echo a very …"   2 minutes ago   Up 2 minutes   0.0.0.0:8080->80/tcp   web
`,
  );
});

test('history', async () => {
  const history = [
    { Id: ID, Created: CREATED, CreatedBy: '/bin/sh -c #(nop)  CMD ["a"]', Tags: null, Size: 0, Comment: '' },
    {
      Id: '<missing>',
      Created: CREATED,
      CreatedBy: `x\t${'y'.repeat(60)}`,
      Tags: null,
      Size: 1234567,
      Comment: 'note',
    },
  ];
  const { stdout } = await strake(['history', 'app'], { routes: { 'GET /images/app/history': history } });
  assert.equal(
    stdout,
    `IMAGE          CREATED         CREATED BY                                      SIZE      COMMENT
12ab12ab12ab   2 minutes ago   /bin/sh -c #(nop)  CMD ["a"]                    0B        
<missing>      2 minutes ago   x ${'y'.repeat(42)}…   1.23MB    note
`,
  );
});

test('inspect looks among all types and prints what it found', async () => {
  const routes = {
    'GET /images/app/json': (response: ServerResponse) => void response.end('{"Id":"x","Big":12345678901234567890}\n'),
  };
  const outcome = await strake(['inspect', 'app', 'none'], { routes });
  assert.equal(outcome.stdout, '[\n    {\n        "Id": "x",\n        "Big": 12345678901234567890\n    }\n]\n');
  assert.equal(outcome.stderr, 'Error: No such object: none\n');
  assert.equal(outcome.exitCode, 1);
  assert.deepEqual(outcome.requests.slice(0, 2), ['GET /containers/app/json', 'GET /images/app/json']);
});

test('inspect of nothing, and by a template', async () => {
  assert.equal((await strake(['inspect', 'none'], { routes: {} })).stdout, '[]\n');
  const routes = { 'GET /images/app/json': { Config: { Env: ['A=1'], Labels: null }, Id: 'x' } };
  const format = '{{.Id}} {{json .Config}} {{.Config.Labels}} {{if .Config.Healthcheck}}y{{else}}n{{end}}';
  assert.equal(
    (await strake(['image', 'inspect', '-f', format, 'app'], { routes })).stdout,
    'x {"Env":["A=1"],"Labels":null} map[] n\n',
  );
  assert.equal((await strake(['inspect', '-f', '{{', 'app'], { routes })).exitCode, 64);
});

test('rmi tells what it did and goes on after a failure', async () => {
  const routes = { 'DELETE /images/a': [{ Untagged: 'a:latest' }, { Deleted: ID }] };
  const outcome = await strake(['rmi', 'none', 'a'], { routes });
  assert.equal(outcome.stdout, `Untagged: a:latest\nDeleted: ${ID}\n`);
  assert.equal(outcome.exitCode, 1);
  assert.equal((await strake(['rmi', '-f', 'none'], { routes })).exitCode, 0);
});

test('tag sends the normalised name', async () => {
  const routes = { 'POST /images/app/tag': (response: ServerResponse) => void response.writeHead(201).end() };
  assert.deepEqual((await strake(['tag', 'app', 'r:5000/b'], { routes })).requests, [
    'POST /images/app/tag?repo=r:5000/b&tag=latest',
  ]);
  assert.match((await strake(['tag', 'app', 'Bad'], { routes })).stderr, /^Error parsing reference: "Bad" is not/);
});

test('import sends the archive and prints the ID', async () => {
  const routes = { 'POST /images/create': { status: ID } };
  const outcome = await strake(
    ['import', '-c', 'CMD a', '-c', 'ENV b=c', '-m', 'note', '-', 'app:1'],
    { routes },
    ({ input }) => {
      input.end('tar bytes');
    },
  );
  assert.equal(outcome.stdout, `${ID}\n`);
  assert.deepEqual(outcome.bodies, ['tar bytes']);
  assert.deepEqual(outcome.requests, [
    'POST /images/create?fromSrc=-&repo=app:1&message=note&changes=CMD+a&changes=ENV+b=c',
  ]);
  const missing = await strake(['import', join(folder, 'none')], { routes });
  assert.match(missing.stderr, /^open .*none: no such file or directory\n$/);
});

test('build sends the context as a tar and follows the text', async () => {
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\n');
  const lines = [{ stream: 'Step 1/1 : FROM scratch\n' }, { aux: { ID } }, { stream: 'Successfully built x\n' }];
  const routes = {
    'POST /build': (response: ServerResponse) => {
      for (const line of lines) response.write(`${JSON.stringify(line)}\r\n`);
      response.end();
    },
  };
  const iidfile = join(folder, 'iid');
  const outcome = await strake(['build', '-t', 'app', '--build-arg', 'A=1', '--iidfile', iidfile, folder], { routes });
  assert.match(
    outcome.stdout,
    /^Sending build context to the host {2}\S+B\nStep 1\/1 : FROM scratch\nSuccessfully built x\n$/,
  );
  assert.equal(readFileSync(iidfile, 'utf8'), ID);
  assert.match(
    outcome.requests[0] ?? '',
    /dockerfile=Dockerfile&t=app&rm=1&networkmode=default&buildargs=\{"A":"1"\}$/,
  );
  assert.match(outcome.bodies[0] ?? '', /^Dockerfile\0/);
});

test('build offers the folder to a host of its own kind, and sends it when the host cannot see it', async () => {
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\n');
  const routes = {
    'POST /build': (response: ServerResponse, { headers }: { headers: Record<string, unknown> }) => {
      if (headers['strake-context'] !== undefined) response.writeHead(412).end('{"message":"not here"}');
      else response.end('{"stream":"ok\\n"}\r\n');
    },
  };
  const outcome = await strake(['build', folder], { routes, headers: { 'Strake-Version': '1' } });
  assert.equal(outcome.exitCode, 0);
  assert.equal(outcome.bodies.length, 2);
  assert.equal(outcome.bodies[0], '');
  assert.match(outcome.bodies[1] ?? '', /Dockerfile/);
});

test('a failed build says so and has the exit code of its RUN', async () => {
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\n');
  const routes = {
    'POST /build': (response: ServerResponse) =>
      void response.end(
        '{"stream":"Step\\n"}\r\n{"errorDetail":{"code":7,"message":"it failed"},"error":"it failed"}\r\n',
      ),
  };
  const loud = await strake(['build', folder], { routes });
  assert.deepEqual([loud.exitCode, loud.stderr], [7, 'it failed\n']);
  const quiet = await strake(['build', '-q', folder], { routes });
  assert.deepEqual([quiet.exitCode, quiet.stdout, quiet.stderr], [7, '', 'Step\nit failed\n']);
});

const UPGRADED = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

/** A host whose container echoes its input to stdout, writes to stderr, and ends with 7. */
function runningHost(order: string[]): TestHostOptions {
  let attached: Socket | undefined;
  return {
    routes: {
      'POST /containers/create': { Id: 'c1', Warnings: ['mind the gap'] },
      'POST /containers/c1/wait': (response: ServerResponse) => {
        order.push('wait');
        response.flushHeaders();
        attached?.on('finish', () => response.end('{"StatusCode":7}'));
      },
      'POST /containers/c1/start': (response: ServerResponse) => {
        order.push('start');
        response.writeHead(204).end();
        let input = '';
        attached?.on('data', (chunk) => {
          input += chunk;
        });
        attached?.on('end', () => attached?.end(Buffer.concat([frame(1, `got ${input}`), frame(2, 'err')])));
      },
    },
    onUpgrade(url, socket) {
      order.push(url.replace(/^.*\?/, ''));
      attached = socket;
      socket.write(UPGRADED);
    },
  };
}

test('run attaches, waits, then starts, and passes streams and the exit code', async () => {
  const order: string[] = [];
  const outcome = await strake(['run', '-i', '--name', 'n', 'app', 'cat'], runningHost(order), ({ input }) => {
    input.end('hello');
  });
  assert.deepEqual(order, ['stream=1&stdin=1&stdout=1&stderr=1', 'wait', 'start']);
  assert.deepEqual([outcome.exitCode, outcome.stdout, outcome.stderr], [7, 'got hello', 'WARNING: mind the gap\nerr']);
  assert.equal(outcome.requests[0], 'POST /containers/create?name=n');
});

test('run -d prints the ID; a cidfile that exists is refused', async () => {
  const cidfile = join(folder, 'cid');
  const outcome = await strake(['run', '-d', '--cidfile', cidfile, 'app'], runningHost([]));
  assert.deepEqual([outcome.exitCode, outcome.stdout, readFileSync(cidfile, 'utf8')], [0, 'c1\n', 'c1']);
  const again = await strake(['run', '-d', '--cidfile', cidfile, 'app'], runningHost([]));
  assert.equal(again.exitCode, 125);
  assert.match(again.stderr, /^strake: container ID file found/);
  assert.deepEqual(again.requests, []);
});

test('run pulls an image that the host does not have', async () => {
  let pulled = false;
  const routes = {
    'POST /containers/create': (response: ServerResponse) => {
      if (pulled) response.end('{"Id":"c1","Warnings":[]}');
      else response.writeHead(404).end('{"message":"No such image: app:latest"}');
    },
    'POST /images/create': (response: ServerResponse) => {
      pulled = true;
      response.end('{"status":"Pulling from library/app","id":"latest"}\r\n');
    },
    'POST /containers/c1/start': {},
  };
  const outcome = await strake(['run', '-d', 'app'], { routes });
  assert.equal(outcome.stderr, "Unable to find image 'app:latest' locally\nlatest: Pulling from library/app\n");
  assert.deepEqual([outcome.exitCode, outcome.requests[1]], [0, 'POST /images/create?fromImage=app&tag=latest']);
  const never = await strake(['run', '-d', '--pull', 'never', 'none'], { routes: {} });
  assert.equal(never.exitCode, 125);
});

test('a container that cannot start has exit code 127, 126 or 125', async () => {
  for (const [message, exitCode] of [
    ['exec: "x": executable file not found in $PATH: unknown', 127],
    ['exec: "/etc": permission denied: unknown', 126],
    ['no runtime', 125],
  ] as const) {
    const routes = {
      'POST /containers/create': { Id: 'c1', Warnings: null },
      'POST /containers/c1/start': (response: ServerResponse) =>
        void response.writeHead(400).end(JSON.stringify({ message })),
    };
    const outcome = await strake(['run', '-d', 'app'], { routes });
    assert.equal(outcome.exitCode, exitCode);
    assert.equal(
      outcome.stderr,
      `strake: Error response from daemon: ${message}\n\nRun 'strake run --help' for more information\n`,
    );
  }
});

test('logs keep the streams apart', async () => {
  const routes = {
    'GET /containers/c/json': { Id: 'c1', Config: { Tty: false } },
    'GET /containers/c1/logs': (response: ServerResponse) =>
      void response.end(Buffer.concat([frame(1, 'out'), frame(2, 'err')])),
  };
  const outcome = await strake(['logs', '--tail', '5', 'c'], { routes });
  assert.deepEqual([outcome.stdout, outcome.stderr], ['out', 'err']);
  assert.match(outcome.requests[1] ?? '', /stdout=1&stderr=1&tail=5$/);
});

const usage: readonly [words: string, exitCode: number, stderr: string][] = [
  [
    'images --bogus',
    125,
    "unknown flag: --bogus\n\nUsage:  strake images [OPTIONS] [REPOSITORY[:TAG]]\n\nRun 'strake images --help' for more information\n",
  ],
  [
    'image ls -Z',
    125,
    "unknown shorthand flag: 'Z' in -Z\n\nUsage:  strake image ls [OPTIONS] [REPOSITORY[:TAG] [PATH]]\n\nRun 'strake image ls --help' for more information\n",
  ],
  [
    'run',
    1,
    "strake: 'strake run' requires at least 1 argument\n\nUsage:  strake run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'strake run --help' for more information\n",
  ],
  [
    'tag a',
    1,
    "strake: 'strake tag' requires 2 arguments\n\nUsage:  strake tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\nRun 'strake tag --help' for more information\n",
  ],
  [
    'images a b',
    1,
    "strake: 'strake images' requires at most 1 argument\n\nUsage:  strake images [OPTIONS] [REPOSITORY[:TAG]]\n\nRun 'strake images --help' for more information\n",
  ],
  [
    'version x',
    1,
    "strake: 'strake version' accepts no arguments\n\nUsage:  strake version [OPTIONS]\n\nRun 'strake version --help' for more information\n",
  ],
  [
    'port',
    1,
    "strake: 'strake port' requires at least 1 and at most 2 arguments\n\nUsage:  strake port CONTAINER [PRIVATE_PORT[/PROTO]]\n\nRun 'strake port --help' for more information\n",
  ],
];
for (const [words, exitCode, stderr] of usage) {
  test(`usage: strake ${words}`, async () => {
    const outcome = await strake(words.split(' '), { routes: {} });
    assert.deepEqual([outcome.exitCode, outcome.stdout, outcome.stderr], [exitCode, '', stderr]);
  });
}

const unknown: readonly [words: string, exitCode: number, text: RegExp][] = [
  ['iamges', 1, /^strake: unknown command: strake iamges\n\nDid you mean: strake images\n/],
  ['image lss', 1, /^strake: unknown command: strake image lss\n\nDid you mean: strake image ls\n/],
  ['xyzzy', 1, /^strake: unknown command: strake xyzzy\n\nRun 'strake --help'/],
  ['xyzzy --flag', 125, /^unknown flag: --flag\n/],
  ['constructor', 1, /^strake: unknown command: strake constructor\n/],
  ['image', 0, /^Usage: {2}strake image COMMAND\n/],
];
for (const [words, exitCode, text] of unknown) {
  test(`unknown: strake ${words}`, async () => {
    assert.equal(await findCommand(words.split(' ')), undefined);
    const answer = await complain(words.split(' '));
    assert.equal(answer.exitCode, exitCode);
    assert.match(answer.text, text);
  });
}

test('every command loads and has a help text', async () => {
  const overview = (await helpFor([], {}, 80)) ?? '';
  const names = [...overview.matchAll(/^ {2}(\w+) +\S/gm)].map(([, name]) => name ?? '');
  assert.ok(names.length > 35);
  for (const name of names) {
    const help = (await helpFor([name], {}, 80)) ?? '';
    assert.match(help, new RegExp(`^Usage: {2}strake ${name} ?`), name);
    assert.ok(
      help.split('\n').every((line) => line.length <= 100),
      name,
    );
  }
  assert.equal(await helpFor(['nope'], {}, 80), undefined);
});
