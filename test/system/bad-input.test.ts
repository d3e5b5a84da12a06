/** What people get told when their input is wrong, and what machines do when something is missing or full. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, run, STRAKE, smallDisk, startHost, type TestHost, until } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

/** Builds what cannot be built: gives what was said, after a look that no name and no running container came of it. */
async function refused(dockerfile: string, files: Record<string, string> = {}, flags: string[] = []) {
  const context = makeContext(host.folder, { Dockerfile: dockerfile, ...files });
  const result = await host.strake(['build', '-t', 'refused', ...flags, context]);
  assert.notEqual(result.code, 0, result.stdout);
  assert.doesNotMatch(result.stdout, /Successfully/);
  assert.equal((await host.strake(['inspect', 'refused'])).code, 1);
  return result;
}

const SYNTAX: readonly [name: string, dockerfile: string, message: RegExp][] = [
  [
    'an unknown instruction, with the one that was meant',
    'FROM busybox\nRUNN x\n',
    /on line 2: unknown instruction: RUNN \(did you mean RUN\?\)\nat Dockerfile:2:1:\n {2}2 \| RUNN x\n {4}\| \^\n/,
  ],
  [
    'an unknown flag, with the one that was meant',
    'FROM busybox\n  COPY --chmdo=1 f /\n',
    /on line 2: unknown flag: --chmdo \(did you mean chmod\?\)\nat Dockerfile:2:8:/,
  ],
  ['nothing behind ENV', 'FROM busybox\nENV\n', /on line 2: ENV requires at least one argument/],
  ['LABEL without a value', 'FROM busybox\nLABEL a\n', /on line 2: LABEL must have two arguments/],
  [
    'COPY without a destination',
    'FROM busybox\nCOPY a\n',
    /on line 2: COPY requires at least two arguments, but only one was provided\. Destination could not be determined/,
  ],
  [
    'several sources and a destination that is no folder',
    'FROM busybox\nCOPY a b c\n',
    /on line 2: when using COPY with more than one source file, the destination must be a directory and end with a \//,
  ],
  [
    'SHELL not in JSON form',
    'FROM busybox\nSHELL /bin/sh\n',
    /on line 2: SHELL requires the arguments to be in JSON form/,
  ],
  [
    'a heredoc without its end',
    'FROM busybox\nCOPY <<EOF /x\nabc\n',
    /on line 2: unterminated heredoc.*\(no line holds only EOF\)/s,
  ],
  ['a variable without its end', 'FROM busybox\nENV a=${b\n', /failed to process "\$\{b": syntax error: missing '\}'/],
  [
    'a folder in the place of a file',
    'FROM busybox\nWORKDIR /etc/passwd\n',
    /Cannot mkdir: \/etc\/passwd is not a directory/,
  ],
  [
    'a folder below a file',
    'FROM busybox\nWORKDIR /etc/passwd/x\n',
    /Cannot mkdir: .*passwd\/x is not a directory\nat Dockerfile:2:/,
  ],
  ['a platform that the image is not for', 'FROM --platform=windows/amd64 busybox\nLABEL a=b\n', /registry|lookup/],
  ['a signal that is none', 'FROM busybox\nSTOPSIGNAL SIGNOPE\n', /invalid signal: SIGNOPE\nat Dockerfile:2:/],
  ['a wrong port', 'FROM busybox\nEXPOSE foo\n', /invalid containerPort: foo/i],
  ['a wrong duration', 'FROM busybox\nHEALTHCHECK --interval=x CMD true\n', /on line 2: .*invalid duration "x"/],
  ['ONBUILD ONBUILD', 'FROM busybox\nONBUILD ONBUILD RUN x\n', /Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed/],
  ['no FROM', 'RUN x\n', /no build stage in current context/],
  ['an empty Dockerfile', '', /the Dockerfile \(Dockerfile\) cannot be empty/],
  ['a Dockerfile of comments', '# nothing\n', /file with no instructions/],
  ['a binary Dockerfile', 'FROM busybox\0\n', /not a text file/],
  [
    'an image name in upper case',
    'FROM Busybox\n',
    /invalid reference format: repository name \(library\/Busybox\) must be lowercase/,
  ],
];
for (const [name, dockerfile, message] of SYNTAX)
  test(`Dockerfile: ${name}`, async () => {
    const { code, stderr } = await refused(dockerfile);
    assert.equal(code, 1);
    assert.match(stderr, message);
  });

test('the line of a fault counts comments, continuations and empty lines', async () => {
  const { stderr } = await refused('# one\nFROM busybox\n\nRUN a \\\n  # inside\n  b\nOOPS x\n');
  assert.match(stderr, /on line 7: unknown instruction: OOPS/);
});

const SOURCES: readonly [name: string, dockerfile: string, message: RegExp][] = [
  [
    'a file that is missing',
    'COPY nope /x',
    /COPY failed: file not found in build context or excluded by \.dockerignore: stat nope: file does not exist/,
  ],
  [
    'a file that .dockerignore excludes',
    'COPY hidden /x',
    /COPY failed: file not found in build context or excluded by \.dockerignore: stat hidden: file does not exist/,
  ],
  ['a wildcard without a match', 'COPY z* /x/', /COPY failed: no source files were specified/],
  [
    'a path outside of the context',
    'COPY ../x /x',
    /COPY failed: forbidden path outside the build context: \.\.\/x \(\)/,
  ],
  ['such a path with ADD', 'ADD a/../../x /x', /ADD failed: forbidden path outside the build context: \.\.\/x/],
  ['a symlink that leads outside of the context', 'COPY escape/passwd /x', /COPY failed: .*escape\/passwd/],
  ['a stage that does not exist', 'COPY --from=5 /x /x', /invalid from flag value 5|stage/],
  ['a folder over a file', 'COPY folder /etc/passwd', /cannot copy to non-directory: \/etc\/passwd/],
  [
    'an unknown owner',
    'COPY --chown=ghost hidden2 /x',
    /unable to (find|convert).*ghost|no matching entries in passwd file/,
  ],
  ['a download that fails', 'ADD http://127.0.0.1:9/x /x', /ADD failed: failed to GET http:\/\/127\.0\.0\.1:9\/x/],
];
for (const [name, line, message] of SOURCES)
  test(`COPY and ADD: ${name}`, async () => {
    const { code, stderr } = await refused(`FROM busybox\n${line}\n`, {
      '.dockerignore': 'hidden\n',
      hidden: 'x',
      hidden2: 'x',
      escape: '-> /etc',
      'folder/f': 'x',
    });
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.match(stderr, /^at Dockerfile:2/m);
  });

test('a symlink of the context to a file of the machine is copied as a link and not read', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nCOPY tree /tree\n', 'tree/f': 'x' });
  symlinkSync('/etc/shadow', join(context, 'tree/secret'));
  await host.ok(['build', '-q', '-t', 'linked', context]);
  assert.equal(
    await host.sh('linked', 'readlink /tree/secret; cat /tree/secret 2>&1 || true'),
    "/etc/shadow\ncat: can't open '/tree/secret': No such file or directory",
  );
});

test('an unknown base image: its name and line', async () => {
  const { code, stderr, stdout } = await refused('FROM no.such.registry.invalid/nothing:1\nRUN true\n');
  assert.equal(code, 1);
  assert.match(stdout, /Step 1\/2 : FROM no\.such\.registry\.invalid\/nothing:1/);
  assert.match(stderr, /no\.such\.registry\.invalid/);
});

test('a RUN that fails: exit code, last output, step, line, and how to look inside', async () => {
  const { code, stdout, stderr } = await refused(
    'FROM busybox\nRUN echo one > /one\nRUN echo half > /two; echo the last output; echo to stderr >&2; exit 42\nRUN echo never\n',
  );
  assert.equal(code, 42);
  assert.match(stdout, /Step 3\/4 : RUN echo half/);
  assert.match(stdout, /the last output\n/);
  assert.match(stdout, /to stderr/);
  assert.doesNotMatch(stdout, /Step 4/);
  assert.match(
    stderr,
    /The command '\/bin\/sh -c echo half > \/two; echo the last output; echo to stderr >&2; exit 42' returned a non-zero code: 42/,
  );
  assert.match(stderr, /^at Dockerfile:3/m);
  const ways = /^ {2}\(look inside: strake debug ([0-9a-f]{12}); before it: strake run --rm -it ([0-9a-f]{12}) sh\)$/m;
  const [, build = '', before = ''] = ways.exec(stderr) ?? assert.fail(stderr);
  assert.equal(await host.sh(before, 'cat /one; ls /two 2>/dev/null || true'), 'one');
  assert.equal(await host.ok(['debug', build, 'cat', '/one', '/two']), 'one\nhalf');
});

test('a RUN whose program does not exist, or is none', async () => {
  assert.equal((await refused('FROM busybox\nRUN ["/nosuch"]\n')).code, 127);
  assert.equal((await refused('FROM busybox\nRUN ["/etc/passwd"]\n')).code, 126);
  const shell = await refused('FROM scratch\nCOPY Dockerfile /\nRUN echo hi\n');
  assert.equal(shell.code, 127);
  assert.match(shell.stderr, /\/bin\/sh/);
});

test('a RUN that is killed', async () => {
  assert.equal((await refused('FROM busybox\nRUN sh -c "kill -9 \\$\\$"; exit $?\n')).code, 137);
});

const USES: readonly [name: string, args: string[], message: RegExp][] = [
  [
    'a Dockerfile that is missing',
    ['build', '-f', '/proc/nonexistent/Dockerfile', '.'],
    /unable to prepare context: .*lstat \/proc\/nonexistent/,
  ],
  [
    'a context that is missing',
    ['build', '/proc/nonexistent'],
    /unable to prepare context: path "\/proc\/nonexistent" not found/,
  ],
  ['a context that is a file', ['build', '/etc/passwd'], /context must be a directory: \/etc\/passwd/],
  ['no context', ['build'], /'strake build' requires 1 argument/],
  ['a target that does not exist', ['build', '--target', 'zz', '-'], /failed to reach build target zz in Dockerfile/],
  ['an unknown command', ['biuld'], /unknown command: strake biuld/],
  ['an unknown flag', ['build', '--tga', 'x', '.'], /unknown flag: --tga/],
  ['a wrong address', ['-H', 'ftp://x', 'images'], /unable to parse docker host "ftp:\/\/x"/],
  [
    'an address without a host',
    ['-H', 'tcp://127.0.0.1:9', 'images'],
    /Cannot connect to the Docker daemon at tcp:\/\/127\.0\.0\.1:9\. Is the docker daemon running\?/,
  ],
  [
    'a socket where nobody is',
    ['-H', 'unix:///tmp/none.sock', 'images'],
    /Cannot connect to the Docker daemon at unix:\/\/\/tmp\/none\.sock\. Is the docker/,
  ],
];
for (const [name, args, message] of USES)
  test(`command line: ${name}`, async () => {
    const result = await run(STRAKE, args[0] === '-H' ? args : ['-H', `unix://${host.socket}`, ...args], {
      input: 'FROM busybox\n',
    });
    assert.ok([1, 125].includes(result.code), `exit ${result.code}`);
    assert.doesNotMatch(result.stdout, /Step|sha256/);
    assert.match(result.stderr, message);
  });

test('no OCI runtime: what is missing and how to install it; what needs none still works', async () => {
  const hide = 'for f in $(command -v runc) $(command -v crun); do mount --bind /dev/null $f; done; exec "$@"';
  await using bare = await startHost({ through: ['unshare', '-m', 'sh', '-c', hide, 'sh'] });
  await importBusybox(bare);
  await bare.build('copied', 'FROM busybox\nCOPY Dockerfile /\n');
  assert.match(await bare.ok(['images']), /copied/);
  const build = await bare.strake(['build', '-'], { input: 'FROM busybox\nRUN true\n' });
  assert.equal(build.code, 1);
  assert.match(build.stderr, /no OCI runtime is installed.*apt-get install runc/s);
  const started = await bare.strake(['run', '--rm', 'busybox', 'true']);
  assert.equal(started.code, 125);
  assert.match(started.stderr, /no OCI runtime is installed.*apt-get install runc/s);
});

test('a full disk: import, COPY and RUN say so, leave nothing, and the host goes on', async () => {
  using disk = smallDisk(48);
  await using small = await startHost({ dataRoot: join(disk.path, 'data') });
  await importBusybox(small);
  const layers = () => readdirSync(join(small.dataRoot, 'layers')).length;
  const before = layers();
  const noise = join(small.folder, 'noise');
  assert.equal(
    (
      await run('sh', [
        '-c',
        `mkdir ${noise}; head -c 60000000 /dev/urandom > ${noise}/file; echo 'FROM busybox\nCOPY file /' > ${noise}/Dockerfile; tar -C ${noise} -cf ${noise}.tar file`,
      ])
    ).code,
    0,
  );
  const full = /no space left|disk is full|expands to more than/i;
  const imported = await small.strake(['import', `${noise}.tar`]);
  assert.equal(imported.code, 1);
  assert.match(imported.stderr, full);
  const copied = await small.strake(['build', noise]);
  assert.equal(copied.code, 1);
  assert.match(copied.stderr, full);
  const ran = await small.strake(['build', '-'], {
    input: 'FROM busybox\nRUN dd if=/dev/urandom of=/file bs=1M count=60\n',
  });
  assert.equal(ran.code, 1);
  assert.match(`${ran.stdout}${ran.stderr}`, /No space left on device/);
  for (const id of (await small.ok(['ps', '-aq'])).split('\n').filter(Boolean)) await small.ok(['rm', id]);
  assert.equal(layers(), before);
  await small.build('fits', 'FROM busybox\nRUN echo fits > /file\n');
  assert.equal(await small.ok(['run', '--rm', 'fits', 'cat', '/file']), 'fits');
});

test('a disk that is full when a container ends: its exit code is told, and it can be removed', async () => {
  using disk = smallDisk(24);
  await using small = await startHost({ dataRoot: join(disk.path, 'data') });
  await importBusybox(small);
  await small.ok(['create', '--name', 'kept', 'busybox', 'true']);
  const shared = makeContext(small.folder, {});
  const waiting = ['sh', '-c', 'echo up > /shared/up; while [ ! -e /shared/go ]; do sleep 0.05; done; exit 7'];
  const options = ['--rm', '--name', 'box', '-v', `${shared}:/shared`];
  const client = small.strake(['run', ...options, 'busybox', ...waiting], { timeout: 60_000 });
  await until(() => existsSync(join(shared, 'up')));
  const filler = join(disk.path, 'filler');
  await run('sh', ['-c', `cat /dev/zero > ${filler}`]);
  const refusal = await small.strake(['tag', 'busybox', 'more']);
  assert.equal(refusal.code, 1);
  assert.match(refusal.stderr, /no space left/);
  await small.ok(['rm', 'kept']);
  writeFileSync(join(shared, 'go'), '');
  const { code, stderr } = await client;
  assert.equal(code, 7, stderr);
  assert.equal(await small.ok(['ps', '-aq']), '');
});

test('two hosts on one data root: the second says so and leaves the first alone', async () => {
  const second = await run(STRAKE, ['host', '-H', `unix://${host.folder}/second.sock`, '--data-root', host.dataRoot]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, new RegExp(`the data root ${host.dataRoot} is in use by process ${host.process.pid}`));
  assert.match(await host.ok(['images']), /busybox/);
});

test('two hosts on one socket: the second says so and leaves the first alone', async () => {
  const second = await run(STRAKE, [
    'host',
    '-H',
    `unix://${host.socket}`,
    '--data-root',
    join(host.folder, 'other-data'),
  ]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /another host already answers on/);
  assert.match(await host.ok(['images']), /busybox/);
});

test('a host that cannot listen or keep its data says why', async () => {
  const rows: [string[], RegExp][] = [
    [['-H', 'unix:///proc/x.sock'], /\/proc\/x\.sock/],
    [['-H', 'bogus'], /cannot listen on "bogus"/],
    [['--data-root', '/etc/passwd/data'], /\/etc\/passwd/],
    [['--bogus'], /bogus/],
  ];
  for (const [flags, message] of rows) {
    const own = ['-H', `unix://${host.folder}/x.sock`, '--data-root', join(host.folder, 'x')];
    const kept = flags[0] === '-H' ? own.slice(2) : flags[0] === '--data-root' ? own.slice(0, 2) : own;
    const result = await run(STRAKE, ['host', ...kept, ...flags], { timeout: 20_000 });
    assert.equal(result.code, 1, `${flags}`);
    assert.match(result.stderr, message);
    assert.doesNotMatch(result.stderr, /\n\s+at /, 'a stack is nothing for people');
  }
});

/** One request; status and body. */
async function request(...args: string[]): Promise<{ status: number; body: string }> {
  const result = await run(
    'curl',
    ['-sS', '--max-time', '20', '--unix-socket', host.socket, '-o', '-', '-w', '\n%{http_code}', ...args],
    { input: 'x'.repeat(100) },
  );
  assert.equal(result.code, 0, result.stderr);
  const at = result.stdout.lastIndexOf('\n');
  return { status: Number(result.stdout.slice(at + 1)), body: result.stdout.slice(0, at) };
}

const json = ['-H', 'Content-Type: application/json'];
const MALFORMED: readonly [name: string, args: string[], status: number][] = [
  ['a path that is none', ['http://h/v1.41/nonsense'], 404],
  ['a method that is none', ['-X', 'BREW', 'http://h/v1.41/images/json'], 400],
  ['a version that is too new', ['http://h/v9.99/images/json'], 400],
  ['a filter that is no JSON', ['http://h/images/json?filters=%7B'], 400],
  ['a filter that is a list', ['-g', 'http://h/images/json?filters=[1]'], 400],
  ['a body that is no JSON', [...json, '-d', '{', 'http://h/containers/create'], 400],
  ['a body that is a number', [...json, '-d', '7', 'http://h/containers/create'], 400],
  ['wrong types in a body', [...json, '-d', '{"Image":7,"Cmd":{"a":1}}', 'http://h/containers/create'], 400],
  ['a command that is a number', [...json, '-d', '{"Image":"busybox","Cmd":[7]}', 'http://h/containers/create'], 400],
  [
    'a container name with a path',
    [...json, '-d', '{"Image":"busybox","Cmd":["x"]}', 'http://h/containers/create?name=..%2F..%2Fx'],
    400,
  ],
  ['a build of what is no tar', ['-X', 'POST', '--data-binary', '@-', 'http://h/build'], 400],
  [
    'a build whose Dockerfile climbs out',
    ['-X', 'POST', '--data-binary', '@-', 'http://h/build?dockerfile=../../etc/passwd'],
    400,
  ],
  ['build arguments that are no JSON', ['-X', 'POST', '--data-binary', '@-', 'http://h/build?buildargs=x'], 400],
  ['a tag that is a path', ['-X', 'POST', 'http://h/images/busybox/tag?repo=..%2F..%2Fx'], 400],
  ['an image name that climbs out', ['--path-as-is', '-L', 'http://h/images/../../etc/passwd/json'], 404],
  ['a container that is a path', ['http://h/containers/..%2F..%2Fx/json'], 404],
];
for (const [name, args, status] of MALFORMED)
  test(`request: ${name}`, async () => {
    const answer = await request(...args);
    assert.ok(answer.status === status || (status === 400 && answer.status === 404), `${answer.status} ${answer.body}`);
    const { message } = JSON.parse(answer.body);
    assert.ok(typeof message === 'string' && message.length > 3 && message.length < 2000, answer.body);
    assert.doesNotMatch(message, /undefined|\[object|TypeError|at .*\.js/);
    assert.equal((await request('http://h/_ping')).body, 'OK');
  });

test('request: bytes that are no HTTP, a header without end, a connection that only opens', async () => {
  const python = `
import socket, sys
for data in [b"\\x00\\xff" * 5000, b"GET / HTTP/1.1\\r\\nX: " + b"a" * 200000, b"POST /build HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: -5\\r\\n\\r\\n", b"POST /build HTTP/1.1\\r\\nHost: h\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nZZZ\\r\\n", b""]:
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(5)
    try:
        s.sendall(data)
        if data: print(s.recv(100).split(b"\\r")[0].decode())
    except OSError as error: print("closed")
`;
  const result = await run('python3', ['-c', python, host.socket]);
  assert.equal(result.code, 0, result.stderr);
  for (const line of result.stdout.trim().split('\n')) assert.match(line, /^HTTP\/1\.1 4\d\d |^closed$/);
  assert.equal((await request('http://h/_ping')).body, 'OK');
});

test('request: a body that is larger than any JSON should be', async () => {
  const file = join(host.folder, 'large.json');
  writeFileSync(file, `{"Image":"${'x'.repeat(20 << 20)}"}`);
  const answer = await request(...json, '--data-binary', `@${file}`, 'http://h/containers/create');
  assert.ok([400, 413].includes(answer.status), `${answer.status}`);
  assert.ok(answer.body.length < 5000);
});
