/** What a build gets besides its context: secrets, agents, other contexts, caches; and how it is told to go about it. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mountsUnder } from '../../src/host/mount.ts';
import {
  freePort,
  importBusybox,
  makeContext,
  type Result,
  STRAKE,
  startHost,
  type TestHost,
  until,
  withLibraries,
} from './harness.ts';

let host: TestHost;
let port: number;
before(async () => {
  port = await freePort();
  host = await startHost({ flags: ['-H', `tcp://127.0.0.1:${port}`] });
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

const SECRET = 'correct-horse-battery-staple';

/** Files below `folder` with these bytes in them. What goes meanwhile is passed over: other tests work in /run/strake too. */
function filesWith(folder: string, text: string): string[] {
  const flags = ['--recursive', '--files-with-matches', '--fixed-strings', '--no-messages'];
  const told = spawnSync('grep', [...flags, '--', text, folder], { encoding: 'utf8' });
  assert.notEqual(told.status, null);
  return told.stdout.split('\n').filter(Boolean);
}

/** `build` of a Dockerfile, with flags and variables. */
function build(dockerfile: string, flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  return host.strake(['build', ...flags, makeContext(host.folder, { Dockerfile: dockerfile })], { env });
}

function assertOk(result: Result): string {
  assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

test('a secret is there for its RUN, and nowhere else', async () => {
  const file = join(mkdtempSync(join(host.folder, 'secret-')), 'token');
  writeFileSync(file, SECRET);
  const dockerfile = `FROM busybox
USER 1000
RUN --mount=type=secret,id=token,uid=1000 --mount=type=secret,id=token,target=/t,mode=0444 \\
    --mount=type=secret,id=other,env=OTHER \\
    wc -c < /run/secrets/token && stat -c %u:%g:%a /run/secrets/token /t && echo "\${#OTHER}" && \\
    df /t | grep -c tmpfs && ! test -w /t
RUN ls /run /t; echo "left: $OTHER"
RUN --mount=type=secret,id=token false
`;
  const flags = ['-t', 'secretive', '--secret', `id=token,src=${file}`, '--secret', 'id=other,env=MINE'];
  const failed = await build(dockerfile, flags, { MINE: SECRET });
  assert.equal(failed.code, 1);
  const said = failed.stdout.slice(failed.stdout.indexOf('Running in'));
  assert.match(said, /\n28\n1000:0:400\n0:0:444\n28\n1\n/);
  assert.match(said, /ls: \/run: No such file/);
  assert.match(said, /left: \n/);
  for (const place of [host.dataRoot, '/run/strake']) assert.deepEqual(filesWith(place, SECRET), []);
  assert.doesNotMatch(`${host.log()}${failed.stdout}${failed.stderr}`, new RegExp(SECRET));
  for (const container of (await host.ok(['ps', '-aq'])).split('\n').filter(Boolean))
    assert.doesNotMatch(await host.ok(['inspect', container]), new RegExp(SECRET));
});

test('a secret counts for no cache; without it a RUN does, unless it is required', async () => {
  const dockerfile = 'FROM busybox\nRUN --mount=type=secret,id=s test -e /run/secrets/s || echo none\n';
  assert.match(assertOk(await build(dockerfile)), /^none$/m);
  assert.match(assertOk(await build(dockerfile, ['--secret', 'id=s,env=S'], { S: 'x' })), /Using cache/);
  const required = await build('FROM busybox\nRUN --mount=type=secret,id=s,required true\n');
  assert.equal(required.code, 1);
  assert.match(required.stderr, /secret s: not found\nat Dockerfile:2:/);
  assert.match(required.stderr, /--secret id=s,src=<file>/);
  // A variable that is not set is a secret that is not there.
  assert.equal(
    (await build('FROM busybox\nRUN --mount=type=secret,id=s,required true\n', ['--secret', 'id=s,env=NO'])).code,
    1,
  );
  const binary = join(host.folder, 'binary');
  writeFileSync(binary, Buffer.of(1, 0, 2));
  const variable = 'FROM busybox\nRUN --mount=type=secret,id=b,env=B true\n';
  assert.match((await build(variable, ['--secret', `id=b,src=${binary}`])).stderr, /secret b has a NUL byte/);
});

test('an agent signs for a RUN, and takes no orders from it', async () => {
  const folder = mkdtempSync('/tmp/strake-agent-');
  const socket = join(folder, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  try {
    const key = join(folder, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'the-key', '-f', key]);
    await until(() => spawnSync('ssh-add', [key], { env: { ...process.env, SSH_AUTH_SOCK: socket } }).status === 0);
    const dockerfile = `FROM busybox
COPY root /
RUN --mount=type=ssh test "$SSH_AUTH_SOCK" = /run/buildkit/ssh_agent.0 && ssh-add -l && stat -c %a:%u "$SSH_AUTH_SOCK"
RUN --mount=type=ssh,id=other,target=/agent,mode=0666 ssh-add -D; echo keys: $(ssh-add -l | grep -c the-key)
RUN test -z "$SSH_AUTH_SOCK"
RUN --mount=type=ssh,id=none test -z "$SSH_AUTH_SOCK"
`;
    const context = makeContext(host.folder, { Dockerfile: dockerfile });
    withLibraries(execFileSync('which', ['ssh-add'], { encoding: 'utf8' }).trim(), context);
    const flags = ['--ssh', 'default', '--ssh', `other=${socket}`];
    const told = assertOk(await host.strake(['build', ...flags, context], { env: { SSH_AUTH_SOCK: socket } }));
    assert.match(told, /SHA256:\S+ the-key \(ED25519\)\n600:0\n/);
    assert.match(told, /Failed to remove all identities|agent refused operation/);
    assert.match(told, /keys: 1$/m);

    const asked = 'FROM busybox\nRUN --mount=type=ssh,required true\n';
    const missing = await build(asked);
    assert.match(missing.stderr, /unset ssh forward key default/);
    const remote = await host.strake(['build', '--ssh', `default=${socket}`, context], {
      env: { DOCKER_HOST: `tcp://127.0.0.1:${port}` },
    });
    assert.equal(remote.code, 1);
    assert.match(remote.stderr, /the client is not on the machine of the host/);
  } finally {
    agent.kill();
    await until(() => agent.exitCode !== null || agent.signalCode !== null);
    rmSync(folder, { recursive: true });
  }
});

test('what is written to a bind is thrown away', async () => {
  const dockerfile = `FROM busybox AS made
RUN mkdir /d && echo kept > /d/f
FROM busybox
RUN --mount=type=bind,from=made,source=/d,target=/x,rw echo changed > /x/f && echo new > /x/n && cat /x/f /x/n
RUN --mount=type=bind,from=made,source=/d/f,target=/y,rw echo again > /y && cat /y
RUN --mount=type=bind,from=made,source=/d,target=/x cat /x/f && ! test -e /x/n
`;
  const told = assertOk(await build(dockerfile));
  assert.match(told, /^changed\nnew$/m);
  assert.match(told, /^again$/m);
  assert.match(told, /^kept$/m);
});

test('a cache begins with files; its owner, mode and sharing', async () => {
  const dockerfile = (id: string, line: string) => `FROM busybox AS made
RUN mkdir /d && echo first > /d/f
FROM busybox
RUN --mount=type=cache,id=${id},target=/c,from=made,source=/d cat /c/f && echo ${line} >> /c/f
RUN --mount=type=cache,id=${id}-own,target=/o,mode=0750,uid=7,gid=8 stat -c %a:%u:%g /o
RUN --mount=type=bind,from=made,source=/d/f,target=/f cat /f
`;
  assert.match(assertOk(await build(dockerfile('begun', 'one'))), /^first\n(?!one)[\s\S]*^750:7:8$/m);
  const again = assertOk(await build(dockerfile('begun', 'two')));
  assert.match(again, /^first\none$/m);
  const bad = await build('FROM busybox\nRUN --mount=type=cache,target=/c,source=/d true\n');
  assert.match(bad.stderr, /source=\/d of a cache mount needs from/);
});

test('two builds that use one locked cache come one after the other', async () => {
  const dockerfile = (name: string) => `FROM busybox
RUN --mount=type=cache,target=/c,sharing=locked echo ${name} && test ! -e /c/busy && touch /c/busy && sleep 0.5 && rm /c/busy
`;
  const results = await Promise.all(['one', 'two', 'three'].map((name) => build(dockerfile(name))));
  for (const result of results) assertOk(result);
});

test('contexts by name: a folder, an image, a tar and a git repository', async () => {
  const other = makeContext(host.folder, { f: 'from a folder\n', hidden: 'x', '.dockerignore': 'hidden\n' });
  const repository = makeContext(host.folder, { g: 'from git\n', 'sub/s': 'from a folder of git\n' });
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@x', '-C', repository, ...args], { stdio: 'pipe' });
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-q', '-m', 'x');
  git('update-server-info');
  const tar = execFileSync('tar', ['-C', other, '-cz', 'f']);
  const server = createServer((request, response) => {
    if (request.url === '/x.tar.gz') return void response.end(tar);
    const path = join(repository, '.git', new URL(request.url ?? '', 'http://x').pathname.replace('/r.git/', ''));
    try {
      response.end(readFileSync(path));
    } catch {
      response.writeHead(404).end();
    }
  });
  const at = await freePort();
  await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
  try {
    const dockerfile = `FROM base AS all
COPY --from=folder . /folder/
COPY --from=tar f /tar
COPY --from=git s /git
RUN --mount=type=bind,from=folder,target=/m cat /m/f /tar /git && ls -A /folder && cat /etc/passwd | head -n 1
FROM folder AS plain
FROM plain
COPY --from=base /bin/busybox /
RUN ["/busybox", "cat", "/f"]
`;
    const flags = [
      ['folder', other],
      ['base', 'docker-image://busybox'],
      ['tar', `http://127.0.0.1:${at}/x.tar.gz`],
      ['git', `http://127.0.0.1:${at}/r.git#main:sub`],
    ].flatMap(([name, value]) => ['--build-context', `${name}=${value}`]);
    const context = makeContext(host.folder, { Dockerfile: dockerfile });
    for (const near of [true, false]) {
      const env = near ? {} : { DOCKER_HOST: `tcp://127.0.0.1:${port}` };
      const result = await host.strake(['build', '--no-cache', ...flags, context], { env });
      assert.match(assertOk(result), /^from a folder$/m);
    }
    const all = await host.strake(['build', ...flags, '--target', 'all', context]);
    assert.match(assertOk(all), /^from a folder\nfrom a folder\nfrom a folder of git\n\.dockerignore\nf\nroot:/m);

    const commit = git('rev-parse', 'HEAD').toString().trim();
    const url = `http://127.0.0.1:${at}`;
    const added = `FROM busybox
ADD ${url}/r.git#main:sub /a/
ADD --keep-git-dir --checksum=${commit} ${url}/r.git /b
ADD --unpack ${url}/x.tar.gz /c/
ADD ${url}/x.tar.gz /d/
RUN cat /a/s /b/g /c/f && ls -A /a && test -d /b/.git && ls /d
`;
    assert.match(assertOk(await build(added)), /^from a folder of git\nfrom git\nfrom a folder\ns\nx\.tar\.gz$/m);
    for (const [line, message] of [
      [`--checksum=abcdef0 ${url}/r.git`, /expected checksum to match abcdef0, got [0-9a-f]{40}/],
      [`${url}/r.git#main:none`, /folder "none" is not in http/],
      [`${url}/r.git#nothing`, /git cannot fetch http/],
      ['--checksum=sha256:00 Dockerfile', /checksum can't be specified for non-HTTP\(S\) sources/],
    ] as const) {
      const result = await build(`FROM busybox\nADD ${line} /x/\n`);
      assert.equal(result.code, 1, line);
      assert.match(result.stderr, message);
    }
  } finally {
    server.close();
  }
});

test('COPY --link copies nothing again when only its base changes', async () => {
  const dockerfile = (base: string) => `FROM busybox
RUN mkdir /l && echo ${base} > /base
COPY --link --chown=1:2 f /l/f
RUN cat /base /l/f && stat -c %u:%g /l/f
`;
  const context = makeContext(host.folder, { Dockerfile: dockerfile('one'), f: 'linked\n' });
  assert.match(await host.ok(['build', context]), /^one\nlinked\n1:2$/m);
  writeFileSync(join(context, 'Dockerfile'), dockerfile('two'));
  const told = await host.ok(['build', context]);
  assert.match(told, /COPY --link[^\n]*\n ---> Using cache/);
  assert.match(told, /^two\nlinked\n1:2$/m);
});

test("a base image's trigger copies from a stage that nothing else needs", async () => {
  const onbuild =
    'FROM busybox\nONBUILD COPY --from=tools /t /t\nONBUILD RUN --mount=from=tools,target=/m cat /m/t /t\n';
  assertOk(await build(onbuild, ['-t', 'triggering']));
  const told = assertOk(await build('FROM busybox AS tools\nRUN echo tool > /t\nFROM triggering\nLABEL a=b\n'));
  assert.match(told, /^tool\ntool$/m);
  assert.match(told, /Step 4\/4 : RUN echo tool/);
  const later = await build('FROM triggering\nFROM busybox AS tools\n', ['--target', '0']);
  assert.match(later.stderr, /stage "tools" needs to be defined before stage-0/);
});

test('FROM --platform of scratch; a syntax line is told that nobody uses it', async () => {
  const dockerfile = (platform: string) => `# syntax=some/frontend\nFROM ${platform}scratch\nCOPY Dockerfile /\n`;
  const context = makeContext(host.folder, { Dockerfile: dockerfile('') });
  assert.match(await host.ok(['build', '-t', 'own', context]), /# syntax=some\/frontend is not used/);
  writeFileSync(join(context, 'other'), dockerfile('--platform=linux/s390x '));
  await host.ok(['build', '-t', 'other', '-f', join(context, 'other'), context]);
  assert.equal(await host.inspect('other', '{{.Os}}/{{.Architecture}}'), 'linux/s390x');
  assert.notEqual(await host.inspect('own', '{{.Architecture}}'), 's390x');
});

test('contexts that are none', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nCOPY --from=nowhere /x /\n' });
  for (const [value, message] of [
    ['x', /invalid context value: x, expected key=value/],
    ['x=/no/such/folder', /path "\/no\/such\/folder" not found/],
    ['x=oci-layout:///y', /oci-layout:\/\/\/y is not supported/],
  ] as const) {
    const result = await host.strake(['build', '--build-context', value, context]);
    assert.equal(result.code, 1, value);
    assert.match(result.stderr, message);
  }
});

test('RUN --network, --add-host and --security', async () => {
  const hosts = 'FROM busybox\nRUN grep 10.1.2.3 /etc/hosts\n';
  assert.match(assertOk(await build(hosts, ['--add-host', 'there:10.1.2.3'])), /10\.1\.2\.3\s+there/);
  const other = await build(hosts, ['--add-host', 'elsewhere:10.1.2.3']);
  assert.doesNotMatch(assertOk(other), /Using cache/);
  const networks = `FROM busybox
RUN --network=none ls /sys/class/net | wc -l
RUN --network=host test -e /sys/class/net/lo
`;
  assert.match(assertOk(await build(networks)), /^1$/m);
  const insecure = await build('FROM busybox\nRUN --security=insecure true\n', ['--allow', 'security.insecure']);
  assert.equal(insecure.code, 1);
  assert.match(
    insecure.stderr,
    /security\.insecure is not allowed[\s\S]*--allow-insecure-entitlement security\.insecure/,
  );
  assert.match((await build('FROM busybox\n', ['--allow', 'everything'])).stderr, /invalid entitlement "everything"/);
});

test('a host that allows it runs privileged steps', async () => {
  await using open = await startHost({ flags: ['--allow-insecure-entitlement', 'security.insecure'] });
  await importBusybox(open);
  const context = makeContext(open.folder, {
    Dockerfile: 'FROM busybox\nRUN --security=insecure mount -t tmpfs none /tmp && grep CapEff /proc/self/status\n',
  });
  const told = await open.ok(['build', '--allow', 'security.insecure', context]);
  assert.match(told, /CapEff:\s+0000[0-9a-f]*ff/);
  const refused = await open.strake(['build', '--no-cache', context]);
  assert.match(refused.stderr, /security\.insecure is not allowed[\s\S]*build with --allow security\.insecure/);
});

test('--no-cache-filter', async () => {
  const dockerfile = 'FROM busybox AS a\nRUN echo a > /a\nFROM busybox AS b\nRUN echo b > /b\nCOPY --from=a /a /\n';
  const context = makeContext(host.folder, { Dockerfile: dockerfile });
  await host.ok(['build', context]);
  const told = await host.ok(['build', '--no-cache-filter', 'A', context]);
  assert.match(told, /RUN echo a > \/a\n ---> Running in/);
  assert.match(told, /RUN echo b > \/b\n ---> Using cache/);
});

test('--squash makes one layer of all that the build added, and keeps the history', async () => {
  const dockerfile = `FROM busybox
RUN echo 1 > /one && echo 2 > /two && rm /bin/nc
RUN rm /two && rm -r /root && mkdir /root && echo 3 > /root/three
ENV A=b
`;
  const context = makeContext(host.folder, { Dockerfile: dockerfile });
  await host.ok(['build', '--squash', '-t', 'squashed', context]);
  assert.equal(await host.inspect('squashed', '{{len .RootFS.Layers}}'), '2');
  assert.equal(
    await host.inspect('squashed', '{{json .Config.Env}}'),
    '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=b"]',
  );
  assert.equal(await host.sh('squashed', 'ls /one /two /bin/nc /root/three 2>/dev/null; true'), '/one\n/root/three');
  const history = (await host.ok(['history', '--format', '{{.CreatedBy}}|{{.Size}}|{{.Comment}}', 'squashed'])).split(
    '\n',
  );
  assert.match(history[0] ?? '', /^\|4B\|merge sha256:[0-9a-f]{64} to sha256:[0-9a-f]{64}$/);
  assert.deepEqual(
    history.slice(1, 4).map((line) => line.split('|')[1]),
    ['0B', '0B', '0B'],
  );
});

test('--metadata-file, --progress and --check', async () => {
  await host.ok(['tag', 'busybox', 'busybox:1']);
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox:1\nENV a b\nUSER 1\n' });
  const metadata = join(host.folder, 'metadata.json');
  const told = await host.ok(['build', '-t', 'noted', '--metadata-file', metadata, context]);
  assert.match(told, /Successfully tagged noted:latest\n\[Warning\] LegacyKeyValueFormat: [\s\S]*\(line 2\)$/);
  const id = await host.inspect('noted', '{{.Id}}');
  assert.deepEqual(JSON.parse(readFileSync(metadata, 'utf8')), {
    'containerimage.config.digest': id,
    'containerimage.digest': id,
    'image.name': 'noted',
  });
  assert.equal(await host.ok(['build', '--progress', 'quiet', context]), id);
  assert.equal(await host.ok(['build', context], { env: { BUILDKIT_PROGRESS: 'quiet' } }), id);

  const raw = await host.strake(['build', '--progress', 'rawjson', '--no-cache', context]);
  const lines = raw.stderr
    .trim()
    .split('\n')
    .map((line): { vertexes?: { name: string; completed?: string }[]; warnings?: { short: string }[] } =>
      JSON.parse(line),
    );
  const done = lines.flatMap(({ vertexes = [] }) => vertexes.filter(({ completed }) => completed !== undefined));
  assert.deepEqual(
    new Set(done.map(({ name }) => name)),
    new Set(['[1/3] FROM busybox:1', '[2/3] ENV a b', '[3/3] USER 1']),
  );
  assert.equal(lines.flatMap(({ warnings = [] }) => warnings).length, 1);
  assert.match((await host.strake(['build', '--progress', 'fancy', context])).stderr, /invalid progress mode "fancy"/);

  const check = await host.strake(['build', '--check', context]);
  assert.equal(check.code, 1);
  assert.match(
    check.stdout,
    /LegacyKeyValueFormat[\s\S]*2 \| ENV a b[\s\S]*Check complete, 1 warning has been found!\n$/,
  );
  const good = makeContext(host.folder, { Dockerfile: 'FROM busybox:1\nUSER 1\n' });
  assert.equal(await host.ok(['build', '--check', good]), 'Check complete, no warnings found.');
  const strict = makeContext(host.folder, { Dockerfile: '# check=error=true\nFROM busybox\nENV a b\nRUN echo no\n' });
  const refused = await host.strake(['build', strict]);
  assert.match(refused.stderr, /lint violation found for rules: LegacyKeyValueFormat/);
  assert.doesNotMatch(refused.stdout, /Running in/);
});

const BAD: readonly [name: string, dockerfile: string, message: RegExp][] = [
  [
    'a source stage that is none',
    'FROM busybox AS build\nFROM busybox\nCOPY --from=biuld /x /\n',
    /no stage has the name "biuld"; did you mean build\?/,
  ],
  ['a mount that covers the root', 'FROM busybox\nRUN --mount=target=/ true\n', /invalid mount target "\/"/],
  [
    'a mount that climbs to the root',
    'FROM busybox\nWORKDIR /a\nRUN --mount=target=../../.. true\n',
    /invalid mount target/,
  ],
  [
    'a mount source outside of the context',
    'FROM busybox\nRUN --mount=source=../x,target=/x true\n',
    /forbidden path outside the build context/,
  ],
  [
    'a mount source that is not there',
    'FROM busybox\nRUN --mount=source=x,target=/x true\n',
    /file not found in build context/,
  ],
];
for (const [name, dockerfile, message] of BAD)
  test(`bad input: ${name}`, async () => {
    const result = await build(dockerfile);
    assert.equal(result.code, 1);
    assert.match(result.stderr, message);
  });

test('programs run from a tmpfs, and not from that of a container', async () => {
  const dockerfile = `FROM busybox
RUN --mount=type=tmpfs,target=/tmp printf '#!/bin/sh\\necho ran\\n' > /tmp/p && chmod 755 /tmp/p && /tmp/p
`;
  assert.match(assertOk(await build(dockerfile)), /^ran$/m);
  const mounts = await host.ok([
    'run',
    '--rm',
    '--mount',
    'type=tmpfs,target=/t',
    'busybox',
    'grep',
    ' /t ',
    '/proc/mounts',
  ]);
  assert.match(mounts, /noexec/);
});

test('a mount target above the root stays below it', async () => {
  const told = assertOk(await build('FROM busybox\nRUN --mount=type=tmpfs,target=../../../in df /in | tail -n 1\n'));
  assert.match(told, /^tmpfs .* \/in$/m);
});

for (const signal of ['SIGINT', 'SIGKILL'] as const)
  test(`a client that ends by ${signal} takes its container, snapshot and secrets along`, async () => {
    const context = makeContext(host.folder, {
      Dockerfile:
        'FROM busybox\nRUN --mount=type=secret,id=s --mount=type=bind,target=/x,rw --mount=type=cache,target=/gone cat /run/secrets/s && sleep 1000\n',
    });
    const active = () => readdirSync(join(host.dataRoot, 'active'));
    const before = active();
    const env = { ...process.env, DOCKER_HOST: `unix://${host.socket}`, STRAKE_HOST: '', MINE: SECRET };
    const client = spawn(STRAKE, ['build', '--no-cache', '--secret', 'id=s,env=MINE', context], { env, stdio: 'pipe' });
    let told = '';
    client.stdout.on('data', (chunk) => {
      told += chunk;
    });
    await until(() => told.includes(SECRET), 30);
    client.kill(signal);
    await until(
      async () =>
        (await host.ok(['ps', '-aq', '--filter', 'status=running'])) === '' && active().length === before.length,
      30,
    );
    assert.deepEqual(active(), before);
    await until(() => filesWith('/run/strake', SECRET).length === 0, 30);
    assert.deepEqual(mountsUnder(host.dataRoot), []);
    assertOk(await build('FROM busybox\nRUN --mount=type=cache,target=/gone,sharing=locked true\n'));
  });

test('what a host that is killed leaves of mounts and secrets, the next one clears up', async () => {
  await using killed = await startHost();
  await importBusybox(killed);
  const context = makeContext(killed.folder, {
    Dockerfile:
      'FROM busybox\nRUN --mount=type=secret,id=s --mount=type=bind,target=/x,rw cat /run/secrets/s && sleep 1000\n',
  });
  const env = { ...process.env, DOCKER_HOST: `unix://${killed.socket}`, STRAKE_HOST: '', MINE: `${SECRET}-2` };
  const client = spawn(STRAKE, ['build', '--secret', 'id=s,env=MINE', context], { env, stdio: 'pipe' });
  let told = '';
  client.stdout.on('data', (chunk) => {
    told += chunk;
  });
  await until(() => told.includes(SECRET), 30);
  await killed.stop('SIGKILL');
  await killed.restart();
  assert.deepEqual(mountsUnder(killed.dataRoot), []);
  assert.deepEqual(filesWith('/run/strake', `${SECRET}-2`), []);
  assert.deepEqual(filesWith(killed.dataRoot, `${SECRET}-2`), []);
});
