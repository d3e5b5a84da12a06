/** Containers in the foreground (mission rows R1 to R3, C6): streams, exit codes, options, isolation, what stays. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { freePort, importBusybox, type RunOptions, run, STRAKE, startHost, type TestHost, until } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

// A test may leave containers that exist; none may be left that nobody knows.
afterEach(async () => {
  for (const id of (await host.ok(['ps', '-aq'])).split('\n').filter(Boolean)) await host.ok(['rm', '-f', '-v', id]);
  for (const folder of ['containers', 'active']) assert.deepEqual(readdirSync(join(host.dataRoot, folder)), [], folder);
});

/** `run --rm FLAGS busybox sh -c command`. */
const shell = (flags: readonly string[], command: string, options?: RunOptions) =>
  host.strake(['run', '--rm', ...flags, 'busybox', 'sh', '-c', command], options);

/** The same, which must succeed; its output without the last newline. */
async function output(flags: readonly string[], command: string, options?: RunOptions): Promise<string> {
  const result = await shell(flags, command, options);
  assert.deepEqual([result.code, result.stderr], [0, '']);
  return result.stdout.replace(/\n$/, '');
}

const CODES: readonly [name: string, args: string[], code: number, message: RegExp][] = [
  ['0', ['busybox', 'true'], 0, /^$/],
  ['7', ['busybox', 'sh', '-c', 'exit 7'], 7, /^$/],
  ['255', ['busybox', 'sh', '-c', 'exit 255'], 255, /^$/],
  ['137 when a signal ends the program', ['busybox', 'sh', '-c', 'sh -c "kill -9 \\$\\$"; exit $?'], 137, /Killed|^$/],
  ['126 for a file that is no program', ['busybox', '/etc/passwd'], 126, /exec: "\/etc\/passwd": permission denied/],
  ['126 for a folder', ['busybox', '/etc'], 126, /exec: "\/etc": (permission denied|is a directory)/],
  ['127 for a program not in PATH', ['busybox', 'nosuch'], 127, /exec: "nosuch": executable file not found in \$PATH/],
  [
    '127 for a path that does not exist',
    ['busybox', '/nosuch'],
    127,
    /exec: "\/nosuch": stat \/nosuch: no such file or directory/,
  ],
  ['125 for an unknown flag', ['--bogus', 'busybox'], 125, /unknown flag: --bogus/],
  ['125 for an unknown network', ['--network', 'nope', 'busybox', 'true'], 125, /network nope not found/],
  [
    '125 for a wrong name',
    ['--name', 'a/b', 'busybox', 'true'],
    125,
    /Invalid container name \(a\/b\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/,
  ],
  [
    '125 for an unknown user',
    ['-u', 'ghost', 'busybox', 'true'],
    125,
    /unable to find user ghost: no matching entries in passwd file/,
  ],
  [
    '125 for an unknown group',
    ['-u', 'app:ghost', 'busybox', 'true'],
    125,
    /unable to find group ghost: no matching entries in group file/,
  ],
  [
    '125 for a relative folder',
    ['-w', 'rel', 'busybox', 'true'],
    125,
    /the working directory 'rel' is invalid, it needs to be an absolute path/,
  ],
  [
    '125 for an unknown capability',
    ['--cap-add', 'BOGUS', 'busybox', 'true'],
    125,
    /invalid CapAdd: unknown capability: "CAP_BOGUS"/,
  ],
  ['125 for too little memory', ['-m', '3m', 'busybox', 'true'], 125, /Minimum memory limit allowed is 6MB/],
  ['125 for a wrong volume', ['-v', '/a:relative', 'busybox', 'true'], 125, /mount path must be absolute/],
  ['125 for an unknown image', ['nope:1', 'true'], 125, /Unable to find image 'nope:1' locally/],
];
for (const [name, args, code, message] of CODES)
  test(`exit code ${name}`, async () => {
    const result = await host.strake(['run', '--rm', ...args]);
    assert.match(result.stderr, message);
    assert.deepEqual([result.code, result.stdout], [code, '']);
  });

test('exit code 137 when the container is killed', async () => {
  const running = host.strake(['run', '--name', 'victim', 'busybox', 'sleep', '100']);
  await until(async () => (await host.ok(['ps', '-q', '-f', 'status=running'])) !== '');
  await host.ok(['kill', 'victim']);
  assert.equal((await running).code, 137);
});

test('signals that the command gets reach the container', async () => {
  const client = spawn(
    STRAKE,
    [
      '-H',
      `unix://${host.socket}`,
      'run',
      '--rm',
      'busybox',
      'sh',
      '-c',
      'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done',
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(client.stdout, 'data');
  client.kill('SIGTERM');
  assert.deepEqual(await once(client, 'exit'), [9, null]);
});

test('stdout and stderr are separate and in order', async () => {
  const result = await shell([], 'echo out; echo err >&2; echo out2');
  assert.deepEqual(result, { code: 0, stdout: 'out\nout2\n', stderr: 'err\n' });
});

test('-i: the end of stdin reaches the container, and what it says afterwards comes back', async () => {
  const result = await shell(['-i'], 'cat; echo " then more"; sleep 0.2; echo end', { input: 'abc' });
  assert.deepEqual(result, { code: 0, stdout: 'abc then more\nend\n', stderr: '' });
});

test('without -i there is no stdin', async () => {
  assert.equal(await output([], 'cat; echo done', { input: 'unread' }), 'done');
});

test('64 MiB of random bytes through stdin and stdout come back as they were', async () => {
  const file = join(host.folder, 'random');
  assert.equal((await run('sh', ['-c', `head -c 67108864 /dev/urandom > ${file}`])).code, 0);
  const piped = await run('sh', [
    '-c',
    `${STRAKE} -H unix://${host.socket} run -i --rm busybox cat < ${file} | sha256sum; sha256sum < ${file}`,
  ]);
  const [through, original] = piped.stdout.split('\n');
  assert.equal(through, original, piped.stderr);
});

test('a reader that is slow or leaves does not stop the container from ending', async () => {
  const result = await run(
    'sh',
    ['-c', `${STRAKE} -H unix://${host.socket} run --rm busybox sh -c 'yes | head -n 3000000' | head -n 1`],
    { timeout: 60_000 },
  );
  assert.equal(result.stdout, 'y\n');
  await until(async () => (await host.ok(['ps', '-aq'])) === '', 30);
});

test('-e, --env-file, defaults', async () => {
  const file = join(host.folder, 'env');
  writeFileSync(file, '# comment\nFROM_FILE=a b\nINHERITED\n');
  const text = await output(
    ['-e', 'A=1', '-e', 'B=x y', '-e', 'INHERITED2', '-e', 'ABSENT', '--env-file', file],
    'env | sort',
    {
      env: { INHERITED: 'i1', INHERITED2: 'i2' },
    },
  );
  const lines = text.split('\n').filter((line) => !/^(SHLVL|PWD|HOSTNAME)=/.test(line));
  assert.deepEqual(lines, [
    'A=1',
    'B=x y',
    'FROM_FILE=a b',
    'HOME=/root',
    'INHERITED2=i2',
    'INHERITED=i1',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  ]);
});

test('-w makes the folder; a file in its place is an error', async () => {
  assert.equal(await output(['-w', '/a/b'], 'pwd'), '/a/b');
  const result = await shell(['-w', '/etc/passwd'], 'pwd');
  assert.equal(result.code, 125);
  assert.match(result.stderr, /Cannot mkdir: \/etc\/passwd is not a directory/);
});

const USERS: readonly [user: string, id: string, home: string][] = [
  ['app', 'uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)', '/tmp'],
  ['1000', 'uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)', '/tmp'],
  ['1000:0', 'uid=1000(app) gid=0(root) groups=0(root)', '/tmp'],
  ['app:extra', 'uid=1000(app) gid=2000(extra) groups=2000(extra)', '/tmp'],
  ['4242', 'uid=4242 gid=0(root) groups=0(root)', '/'],
  ['4242:4343', 'uid=4242 gid=4343 groups=4343', '/'],
];
for (const [user, id, home] of USERS)
  test(`-u ${user}`, async () => {
    assert.equal(await output(['-u', user], 'id; echo $HOME'), `${id}\n${home}`);
  });

test('-v: a folder of the machine, read-only or not; a missing one is made', async () => {
  const folder = join(host.folder, 'bound');
  mkdirSync(folder);
  writeFileSync(join(folder, 'in'), 'from outside\n');
  assert.equal(await output(['-v', `${folder}:/b`], 'cat /b/in; echo from inside > /b/out'), 'from outside');
  assert.equal(readFileSync(join(folder, 'out'), 'utf8'), 'from inside\n');
  const readOnly = await shell(['-v', `${folder}:/b:ro`], 'echo x > /b/in');
  assert.match(readOnly.stderr, /Read-only file system/);
  assert.equal(await output(['-v', `${folder}/in:/etc/passwd:ro`], 'cat /etc/passwd'), 'from outside');
  await output(['-v', `${folder}/made/deep:/b`], 'echo x > /b/x');
  assert.ok(existsSync(join(folder, 'made/deep/x')));
});

test('a path that a symlink of the image leads outside stays in the container', async () => {
  const links = { 'links/out': '-> /../../../../../../tmp', 'links/etc/resolv.conf': '-> /tmp/host-file' };
  await host.build('links', 'FROM busybox\nCOPY links/ /\n', links);
  const folder = join(host.folder, 'bound-link');
  mkdirSync(folder);
  assert.equal(
    (await host.strake(['run', '--rm', '-v', `${folder}:/out/escape-target`, 'links', 'ls', '/tmp'])).stdout,
    'escape-target\nhost-file\n',
  );
  assert.ok(!existsSync('/tmp/escape-target'));
  assert.ok(!existsSync('/tmp/host-file'));
});

test('VOLUME keeps what the image has there; --rm removes it', async () => {
  await host.build('voluminous', 'FROM busybox\nRUN mkdir /data && echo kept > /data/file\nVOLUME /data\n');
  assert.equal(await host.sh('voluminous', 'cat /data/file; echo more > /data/more; ls /data'), 'kept\nfile\nmore');
  assert.equal(await host.sh('voluminous', 'ls /data'), 'file');
  assert.deepEqual(readdirSync(join(host.dataRoot, 'volumes')), []);
});

test('--hostname, and the default: the beginning of the ID, in /etc/hosts too', async () => {
  assert.equal(
    await output(['--hostname', 'mine'], 'hostname; cat /etc/hostname; grep -c mine /etc/hosts'),
    'mine\nmine\n1',
  );
  const id = await host.ok(['create', 'busybox', 'hostname']);
  assert.equal(await host.ok(['start', '-a', id]), id.slice(0, 12));
});

test('--rm leaves nothing; without it the container stays with its exit code', async () => {
  await shell([], 'exit 3');
  assert.equal(await host.ok(['ps', '-aq']), '');
  assert.equal((await host.strake(['run', '--name', 'kept', 'busybox', 'sh', '-c', 'exit 3'])).code, 3);
  assert.match(await host.ok(['ps', '-a', '--format', '{{.Names}} {{.Status}}']), /^kept Exited \(3\) /);
});

test('a name can be given once; it is free again when the container is gone', async () => {
  const id = await host.ok(['create', '--name', 'taken', 'busybox', 'true']);
  const result = await host.strake(['run', '--name', 'taken', 'busybox', 'true']);
  assert.equal(result.code, 125);
  assert.match(
    result.stderr,
    new RegExp(
      `Conflict\\. The container name "/taken" is already in use by container "${id}"\\. You have to remove \\(or rename\\) that container to be able to reuse that name\\.`,
    ),
  );
  await host.ok(['rm', 'taken']);
  for (let round = 0; round < 3; round++) await host.ok(['run', '--rm', '--name', 'taken', 'busybox', 'true']);
});

test('ps -a: columns and values', async () => {
  const id = await host.ok(['run', '-d', '--name', 'first', 'busybox', 'sleep', '100']);
  const lines = (await host.ok(['ps', '-a'])).split('\n');
  assert.match(lines[0] ?? '', /^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$/);
  assert.match(lines[1] ?? '', new RegExp(`^${id.slice(0, 12)} +busybox +"sleep 100" +.* ago +Up .* +first$`));
  await host.ok(['rm', '-f', 'first']);
  await host.strake(['run', '--name', 'second', 'busybox', 'sh', '-c', 'exit 1 # with a long command line']);
  assert.equal(await host.ok(['ps', '-q']), '');
  assert.match(
    await host.ok(['ps', '-a', '--format', '{{.Command}} {{.State}} {{.Names}}']),
    /^"sh -c 'exit 1 # wit…" exited second$/,
  );
});

test('-d prints the ID; logs, wait, stop, start, rm', async () => {
  const id = await host.ok(['run', '-d', '--name', 'worker', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.equal(await host.ok(['wait', 'worker']), '3');
  assert.deepEqual(await host.strake(['logs', 'worker']), { code: 0, stdout: 'out\n', stderr: 'err\n' });
  assert.match((await host.strake(['logs', '-t', 'worker'])).stdout, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out\n$/);
  assert.equal(await host.ok(['rm', 'worker']), 'worker');
  await host.ok([
    'run',
    '-d',
    '--name',
    'worker',
    'busybox',
    'sh',
    '-c',
    'trap "echo stopping; exit 0" TERM; echo up; while :; do sleep 0.1; done',
  ]);
  const refused = await host.strake(['rm', 'worker']);
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /cannot remove container "\/.*": container is running: stop the container before removing or force remove/,
  );
  await until(async () => (await host.strake(['logs', 'worker'])).stdout === 'up\n');
  await host.ok(['stop', 'worker']);
  assert.equal(await host.inspect('worker', '{{.State.ExitCode}} {{.State.Running}}'), '0 false');
  await host.ok(['start', 'worker']);
  await until(async () => (await host.strake(['logs', 'worker'])).stdout === 'up\nstopping\nup\n');
  assert.equal(await host.ok(['rm', '-f', 'worker']), 'worker');
  for (const command of ['wait', 'logs', 'rm', 'start', 'stop', 'kill']) {
    const missing = await host.strake([command, 'nope']);
    assert.equal(missing.code, 1, command);
    assert.match(missing.stderr, /no such container: nope/i);
  }
});

test('logs -f follows until the container ends', async () => {
  await host.ok([
    'run',
    '-d',
    '--name',
    'talker',
    'busybox',
    'sh',
    '-c',
    'for i in 1 2 3; do echo $i; sleep 0.2; done',
  ]);
  assert.equal(await host.ok(['logs', '-f', 'talker']), '1\n2\n3');
  assert.equal(await host.ok(['logs', '--tail', '1', 'talker']), '3');
});

test('a container that is stopped keeps its files; the image does not get them', async () => {
  await host.ok(['run', '--name', 'writer', 'busybox', 'sh', '-c', 'echo once >> /file; cat /file']);
  assert.equal(await host.ok(['start', '-a', 'writer']), 'once\nonce');
  assert.equal((await shell([], 'ls /file')).code, 1);
});

test('--read-only: nothing can be written but /dev/shm and volumes', async () => {
  const result = await shell(
    ['--read-only', '-v', '/volume', '--tmpfs', '/scratch'],
    'touch /x; touch /dev/shm/y && touch /volume/v && touch /scratch/s && echo written',
  );
  assert.match(result.stderr, /^touch: \/x: Read-only file system\n$/);
  assert.equal(result.stdout, 'written\n');
});

test('R2: the default capabilities, seccomp and no-new-privileges are those of Docker', async () => {
  const status = await output([], 'grep -E "^(Cap|Seccomp|NoNewPrivs)" /proc/self/status | tr "\\t" " "');
  assert.match(
    status,
    /CapInh: 0000000000000000\nCapPrm: 00000000a80425fb\nCapEff: 00000000a80425fb\nCapBnd: 00000000a80425fb\nCapAmb: 0000000000000000\nNoNewPrivs: 0\nSeccomp: 2/,
  );
  assert.match(await output(['-u', 'app'], 'grep CapEff /proc/self/status'), /0000000000000000/);
});

test('R2: --cap-drop, --cap-add, --security-opt', async () => {
  assert.match(await output(['--cap-drop', 'ALL'], 'grep CapEff /proc/self/status'), /0000000000000000/);
  assert.match(
    await output(['--cap-drop', 'ALL', '--cap-add', 'NET_RAW'], 'grep CapEff /proc/self/status'),
    /0000000000002000/,
  );
  assert.match(await output(['--cap-drop', 'chown'], 'grep CapEff /proc/self/status'), /00000000a80425fa/);
  assert.match(await output(['--security-opt', 'no-new-privileges'], 'grep NoNewPrivs /proc/self/status'), /1/);
  assert.match(await output(['--security-opt', 'seccomp=unconfined'], 'grep Seccomp: /proc/self/status'), /0/);
});

test('R2: --privileged gives every capability that the host has, its devices and no seccomp', async () => {
  const own = /CapEff:\s*([0-9a-f]+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  const text = await output(
    ['--privileged'],
    'grep -E "CapEff|Seccomp:" /proc/self/status; ls /dev/kmsg; mkdir /m; mount -t tmpfs none /m && echo mounted',
  );
  assert.match(text, new RegExp(`CapEff:\\s${own}\nSeccomp:\\s0\n/dev/kmsg\nmounted`));
});

test('R2: own namespaces; the process is number 1 and sees no other', async () => {
  const kinds = ['pid', 'mnt', 'net', 'ipc', 'uts'];
  const inside = (await output([], `for k in ${kinds.join(' ')}; do readlink /proc/self/ns/$k; done`)).split('\n');
  for (const [index, kind] of kinds.entries())
    assert.notEqual(inside[index], readlinkSync(`/proc/self/ns/${kind}`), kind);
  assert.equal(
    (await host.ok(['run', '--rm', 'busybox', 'sh', '-c', 'echo $$; ps | wc -l; ls -d /proc/[0-9]*'])).split('\n')[0],
    '1',
  );
});

test('R2: what the kernel must not show or change', async () => {
  const tries = [
    'mount -t tmpfs none /tmp',
    'echo x > /proc/sys/kernel/hostname',
    'touch /sys/x',
    'mknod /block b 8 0 && head -c 1 /block',
    'echo b > /proc/sysrq-trigger',
    'unshare -m true',
    'chroot /proc/1/root/../../../.. ls /work',
    'cat /proc/timer_list /proc/keys | grep .',
  ];
  for (const command of tries) assert.notEqual((await shell([], command)).code, 0, command);
});

test('R2: no descriptor of the host leaks into a container', async () => {
  assert.deepEqual(
    (await output([], 'ls /proc/$$/fd; true')).split('\n').filter((fd) => Number(fd) > 2 && fd !== '10'),
    [],
  );
});

test('--network none has only loopback, host has the interfaces of the machine', async () => {
  assert.equal(await output(['--network', 'none'], 'ls /sys/class/net'), 'lo');
  assert.equal(await output(['--network', 'host'], 'readlink /proc/self/ns/net'), readlinkSync('/proc/self/ns/net'));
  assert.equal(await output([], 'ls /sys/class/net'), 'eth0\nlo');
});

const fetchText = async (port: string) =>
  (
    await run('curl', [
      '-fsS',
      '--max-time',
      '5',
      '--retry',
      '5',
      '--retry-connrefused',
      '--retry-delay',
      '0',
      `http://127.0.0.1:${port}/index.html`,
    ])
  ).stdout;

test('R3: EXPOSE publishes nothing, -p publishes, -P publishes every exposed port; port and ps show it', async () => {
  await host.build(
    'web',
    'FROM busybox\nRUN mkdir /www && echo hello from inside > /www/index.html\nEXPOSE 80\nCMD ["httpd", "-f", "-h", "/www"]\n',
  );
  await host.ok(['run', '-d', '--name', 'exposed', 'web']);
  assert.equal(await host.ok(['port', 'exposed']), '');
  assert.equal(await host.ok(['ps', '--format', '{{.Ports}}']), '80/tcp');
  await host.ok(['rm', '-f', 'exposed']);
  const own = await freePort();
  await host.ok(['run', '-d', '--name', 'chosen', '-p', `127.0.0.1:${own}:80`, 'web']);
  assert.equal(await host.ok(['port', 'chosen']), `80/tcp -> 127.0.0.1:${own}`);
  assert.equal(await fetchText(`${own}`), 'hello from inside\n');
  const clash = await host.strake(['run', '--rm', '-p', `127.0.0.1:${own}:80`, 'web']);
  assert.equal(clash.code, 125);
  assert.match(clash.stderr, new RegExp(`${own}.*(already allocated|address already in use)`));
  await host.ok(['rm', '-f', 'chosen']);
  await host.ok(['run', '-d', '--name', 'all', '-P', 'web']);
  const port = /^0\.0\.0\.0:(\d+)$/m.exec(await host.ok(['port', 'all', '80/tcp']))?.[1] ?? '';
  assert.equal(await fetchText(port), 'hello from inside\n');
  assert.match(await host.ok(['ps', '--format', '{{.Ports}}']), new RegExp(`0\\.0\\.0\\.0:${port}->80/tcp`));
});

test('containers reach each other and the machine over the bridge', async () => {
  await host.build(
    'web',
    'FROM busybox\nRUN mkdir /www && echo hello from inside > /www/index.html\nEXPOSE 80\nCMD ["httpd", "-f", "-h", "/www"]\n',
  );
  await host.ok(['run', '-d', '--name', 'server', 'web']);
  const address = await host.inspect('server', '{{.NetworkSettings.IPAddress}}');
  assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
  assert.equal(await output([], `wget -qO- http://${address}/index.html`), 'hello from inside');
});

test('C6: the image before a failed step can be run, and so can the failed step itself', async () => {
  const result = await host.strake(['build', '-'], {
    input: 'FROM busybox\nRUN echo made > /one\nRUN echo half > /two; exit 4\n',
  });
  assert.equal(result.code, 4);
  const image = / ---> ([0-9a-f]{12})\nStep 3\/3/.exec(result.stdout)?.[1] ?? '';
  assert.equal(await host.sh(image, 'cat /one; ls /two 2>&1 || true'), 'made\nls: /two: No such file or directory');
  const container = /Step 3\/3.*\n ---> Running in ([0-9a-f]{12})/.exec(result.stdout)?.[1] ?? '';
  assert.match(
    await host.ok(['ps', '-a', '--format', '{{.ID}} {{.Status}}']),
    new RegExp(`^${container} Exited \\(4\\)`),
  );
  const failed = await host.ok(['commit', container]);
  assert.equal(await host.sh(failed, 'cat /two'), 'half');
});

test('twenty containers at once', async () => {
  const results = await Promise.all(Array.from({ length: 20 }, (_, n) => shell([], `echo ${n}; exit ${n}`)));
  assert.deepEqual(
    results.map(({ code, stdout }) => [code, stdout]),
    Array.from({ length: 20 }, (_, n) => [n, `${n}\n`]),
  );
});

test('a command that is killed leaves its container, which can be stopped and removed', async () => {
  const client = spawn(STRAKE, ['-H', `unix://${host.socket}`, 'run', '--name', 'left', 'busybox', 'sleep', '100'], {
    stdio: 'ignore',
  });
  await until(async () => (await host.ok(['ps', '-q', '-f', 'status=running'])) !== '');
  client.kill('SIGKILL');
  await once(client, 'exit');
  assert.equal(await host.inspect('left', '{{.State.Running}}'), 'true');
  await host.ok(['kill', 'left']);
  assert.equal(await host.inspect('left', '{{.State.ExitCode}}'), '137');
});
