/** Every Dockerfile instruction with real containers and real files (mission section 2). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, run, startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

test('B5: FROM scratch with one static binary builds without a container and runs', async () => {
  const dockerfile = 'FROM scratch\nCOPY busybox /\nCMD ["/busybox", "echo", "hello"]\n';
  const output = await host.build('hello', dockerfile, { busybox: readFileSync('/bin/busybox') });
  assert.doesNotMatch(output, /Running in/);
  assert.equal(await host.ok(['run', '--rm', 'hello']), 'hello');
  assert.equal(await host.inspect('hello', '{{len .RootFS.Layers}}'), '1');
});

test('B2: scratch cannot be tagged, pulled or run', async () => {
  for (const args of [
    ['tag', 'busybox', 'scratch'],
    ['pull', 'scratch'],
    ['run', 'scratch', 'true'],
  ]) {
    const result = await host.strake(args);
    assert.notEqual(result.code, 0, args.join(' '));
    assert.match(result.stderr, /scratch/);
  }
});

test('D5: the classic lines', async () => {
  const output = await host.build('lines', 'FROM busybox\nRUN echo out\nLABEL a=b\n');
  assert.match(
    output,
    /^Step 1\/3 : FROM busybox\n ---> [0-9a-f]{12}\nStep 2\/3 : RUN echo out\n ---> Running in [0-9a-f]{12}\nout\nRemoving intermediate container [0-9a-f]{12}\n ---> [0-9a-f]{12}\nStep 3\/3 : LABEL a=b\n ---> [0-9a-f]{12}\nSuccessfully built [0-9a-f]{12}\nSuccessfully tagged lines:latest$/,
  );
  const again = await host.build('lines', 'FROM busybox\nRUN echo out\nLABEL a=b\n');
  assert.match(again, /Step 2\/3 : RUN echo out\n ---> Using cache\n ---> [0-9a-f]{12}\n/);
});

test('D3, D4: metadata adds history and no layer, files add one layer of their size', async () => {
  await host.build('layers', 'FROM busybox\nENV A=1\nCOPY a /a\nRUN rm /a && echo -n 12345 > /b\nCMD ["x"]\n', {
    a: 'abc',
  });
  const rows = (await host.ok(['history', '--no-trunc', '--format', '{{.Size}} {{.CreatedBy}}', 'layers'])).split('\n');
  assert.match(rows[0] ?? '', /^0B \/bin\/sh -c #\(nop\) {2}CMD \["x"\]$/);
  assert.match(rows[1] ?? '', /^5B \/bin\/sh -c rm \/a && echo -n 12345 > \/b$/);
  assert.match(rows[2] ?? '', /^3B \/bin\/sh -c #\(nop\) COPY file:[0-9a-f]{64} in \/a $/);
  assert.match(rows[3] ?? '', /^0B \/bin\/sh -c #\(nop\) {2}ENV A=1$/);
  assert.equal(await host.inspect('layers', '{{len .RootFS.Layers}}'), '3');
  assert.equal(await host.sh('layers', 'ls /a 2>&1; cat /b'), 'ls: /a: No such file or directory\n12345');
});

test('ENV, ARG, WORKDIR, USER, LABEL, EXPOSE, VOLUME, STOPSIGNAL, HEALTHCHECK, SHELL, MAINTAINER', async () => {
  await host.build(
    'config',
    `FROM busybox
MAINTAINER me <me@example.org>
ARG WHO=nobody
ENV WHO_ENV=$WHO GREETING="hello world"
ENV OLD form with spaces
WORKDIR /a
WORKDIR b
USER app
RUN id -un > /tmp/user && pwd > /tmp/dir
WORKDIR /own/sub
WORKDIR /a/b
LABEL one="1" two=2
EXPOSE 80 53/udp 7000-7001
VOLUME ["/data"]
STOPSIGNAL SIGUSR1
HEALTHCHECK --interval=5s --retries=2 CMD true
SHELL ["/bin/sh", "-ec"]
CMD echo $GREETING
`,
    {},
    ['--build-arg', 'WHO=tester'],
  );
  const config = JSON.parse(await host.inspect('config', '{{json .Config}}'));
  assert.ok(
    config.Env.includes('WHO_ENV=tester') &&
      config.Env.includes('GREETING=hello world') &&
      config.Env.includes('OLD=form with spaces'),
  );
  assert.equal(config.WorkingDir, '/a/b');
  assert.equal(config.User, 'app');
  assert.deepEqual(config.Labels, { one: '1', two: '2' });
  assert.deepEqual(Object.keys(config.ExposedPorts).sort(), ['53/udp', '7000/tcp', '7001/tcp', '80/tcp']);
  assert.deepEqual(config.Volumes, { '/data': {} });
  assert.equal(config.StopSignal, 'SIGUSR1');
  assert.deepEqual(config.Healthcheck, { Test: ['CMD-SHELL', 'true'], Interval: 5e9, Retries: 2 });
  assert.deepEqual(config.Cmd, ['/bin/sh', '-ec', 'echo $GREETING']);
  assert.equal(await host.inspect('config', '{{.Author}}'), 'me <me@example.org>');
  assert.equal(await host.sh('config', 'cat /tmp/user /tmp/dir; id -u; pwd'), 'app\n/a/b\n1000\n/a/b');
  assert.equal(await host.sh('config', 'stat -c %u:%g /a/b /own /own/sub'), '0:0\n1000:1000\n1000:1000');
  const history = await host.ok(['history', '--no-trunc', '--format', '{{.CreatedBy}}', 'config']);
  assert.match(
    history,
    /^\/bin\/sh -ec #\(nop\) {2}CMD .*\n\/bin\/sh -ec #\(nop\) {2}SHELL .*\n\/bin\/sh -c #\(nop\) {2}HEALTH/,
  );
});

test('USER is inherited by child images; a numeric one needs no passwd entry; an unknown name is an error', async () => {
  await host.build('parent', 'FROM busybox\nUSER 1234:5678\n');
  await host.build('child', 'FROM parent\nCMD ["id"]\n');
  assert.match(await host.ok(['run', '--rm', 'child']), /^uid=1234 gid=5678/);
  await host.build('none', 'FROM parent\nARG WHO\nUSER $WHO\nRUN id > /id\n');
  assert.match(await host.sh('none', 'cat /id'), /^uid=0/);
  await host.build('later', 'FROM busybox\nUSER ghost\nWORKDIR /made\n');
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nUSER ghost\nRUN true\n' });
  const result = await host.strake(['build', context]);
  assert.notEqual(result.code, 0);
  assert.match(result.stderr, /unable to find user ghost: no matching entries in passwd file/);
});

test('ONBUILD fires in the child build, once', async () => {
  await host.build('trigger', 'FROM busybox\nONBUILD COPY app /app\nONBUILD RUN echo built > /built\n');
  const output = await host.build('triggered', 'FROM trigger\nCMD ["cat", "/app", "/built"]\n', { app: 'the app\n' });
  assert.match(output, /# Executing 2 build triggers/);
  assert.equal(await host.ok(['run', '--rm', 'triggered']), 'the app\nbuilt');
  assert.equal(await host.inspect('triggered', '{{json .Config.OnBuild}}'), 'null');
});

test('multi-stage: COPY --from a stage, a number, an image; --target; unused stages are not built', async () => {
  const dockerfile = `FROM busybox AS one
RUN echo one > /one
FROM busybox AS unused
RUN exit 9
FROM busybox AS two
COPY --from=one /one /from-stage
COPY --from=0 /one /from-number
COPY --from=busybox /etc/passwd /from-image
FROM two AS three
RUN echo three > /three
`;
  await host.build('stages', dockerfile);
  assert.equal(
    await host.sh('stages', 'cat /from-stage /from-number /three; head -c 4 /from-image'),
    'one\none\nthree\nroot',
  );
  await host.build('target', dockerfile, {}, ['--target', 'two']);
  assert.equal(await host.sh('target', 'ls /three 2>/dev/null; cat /from-stage'), 'one');
});

test('COPY: wildcards, folders, several sources, renames, modes, links', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: `FROM busybox
COPY *.txt /texts/
COPY tree /copied
COPY tree/sub/deep.md renamed.md
COPY --chown=app:app --chmod=640 a.txt /owned
COPY a.txt b.txt /both/
WORKDIR /relative
COPY a.txt ./
`,
    'a.txt': 'a',
    'b.txt': 'b',
    'c.md': 'c',
    'tree/script.sh': '#!/bin/sh\n',
    'tree/sub/deep.md': 'deep',
    'tree/link': '-> sub/deep.md',
  });
  await run('chmod', ['755', join(context, 'tree/script.sh')]);
  await host.ok(['build', '-q', '-t', 'copy', context]);
  assert.equal(
    await host.sh(
      'copy',
      'cd /; echo texts/*; stat -c "%a %n" copied/script.sh; readlink copied/link; cat copied/link renamed.md; echo; stat -c "%a %u %g" owned; echo both/* relative/*',
    ),
    'texts/a.txt texts/b.txt\n755 copied/script.sh\nsub/deep.md\ndeepdeep\n640 1000 1000\nboth/a.txt both/b.txt relative/a.txt',
  );
});

test('ADD extracts local archives of every compression and downloads URLs without extracting', async () => {
  const folder = makeContext(host.folder, { 'inner/file': 'packed' });
  const files: Record<string, string> = {};
  for (const [flag, suffix] of [
    ['', 'tar'],
    ['-z', 'tar.gz'],
    ['-j', 'tar.bz2'],
    ['-J', 'tar.xz'],
    ['--zstd', 'tar.zst'],
  ] as const) {
    const path = join(folder, `x.${suffix}`);
    assert.equal((await run('tar', ['-C', folder, ...(flag ? [flag] : []), '-cf', path, 'inner'])).code, 0);
    files[`x.${suffix}`] = path;
  }
  const lines = Object.keys(files).map((name, i) => `ADD ${name} /out${i}/`);
  const context = makeContext(host.folder, {
    Dockerfile: `FROM busybox\n${lines.join('\n')}\nADD x.tar.gz /plain.txt/\n`,
    ...Object.fromEntries(Object.entries(files).map(([name, path]) => [name, readFileSync(path)])),
  });
  await host.ok(['build', '-q', '-t', 'add', context]);
  assert.equal(await host.sh('add', 'cat /out*/inner/file /plain.txt/inner/file'), 'packed'.repeat(6));
});

test('.dockerignore with exceptions; the Dockerfile itself may be ignored', async () => {
  await host.build('ignore', 'FROM busybox\nCOPY . /ctx\n', {
    '.dockerignore': '# comment\n*.log\n!keep.log\nsecret\n**/node_modules\nDockerfile\n.dockerignore\n',
    'a.log': '',
    'keep.log': '',
    'secret/key': '',
    'src/node_modules/x': '',
    'src/main': '',
  });
  assert.equal(await host.sh('ignore', 'cd /ctx && find . -type f | sort'), './keep.log\n./src/main');
});

test('D1: comments, continuations, escape directive, heredocs', async () => {
  await host.build(
    'syntax',
    '# escape=`\n# a comment\nFROM busybox\nRUN echo one `\n  # inside\n  two > /out\nCOPY <<EOF /inline\nline $HOME_DIR\nEOF\nRUN <<EOF\necho from heredoc > /heredoc\nEOF\nRUN <<-awk\n\t#!/bin/awk -f\n\tBEGIN { print "from $AWK" > "/awk" }\nawk\n',
  );
  assert.equal(await host.sh('syntax', 'cat /out /inline /heredoc /awk'), 'one two\nline \nfrom heredoc\nfrom $AWK');
});

test('options: -f, stdin Dockerfile, stdin tar, -q, --iidfile, --label, many tags', async () => {
  const context = makeContext(host.folder, { 'other.df': 'FROM busybox\nCOPY data /data\n', data: 'x' });
  const iidfile = join(host.folder, 'iid');
  const id = await host.ok([
    'build',
    '-q',
    '--iidfile',
    iidfile,
    '-f',
    join(context, 'other.df'),
    '-t',
    'opt:1',
    '-t',
    'opt:2',
    '--label',
    'k=v',
    context,
  ]);
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.equal(readFileSync(iidfile, 'utf8'), id);
  assert.equal(await host.inspect('opt:2', '{{.Id}} {{index .Config.Labels "k"}}'), `${id} v`);
  await host.ok(['build', '-q', '-t', 'stdin', '-'], { input: 'FROM busybox\nCMD ["echo", "stdin"]\n' });
  assert.equal(await host.ok(['run', '--rm', 'stdin']), 'stdin');
  const tar = await run('sh', ['-c', `tar -C ${context} -cf ${join(host.folder, 'context.tar')} .`]);
  assert.equal(tar.code, 0);
  await host.ok(['build', '-q', '-t', 'from-tar', '-f', 'other.df', '-'], {
    input: readFileSync(join(host.folder, 'context.tar')),
  });
  assert.equal(await host.sh('from-tar', 'cat /data'), 'x');
});
