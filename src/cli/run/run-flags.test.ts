import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Failure } from '../../lib/error.ts';
import { parseFlags } from '../flags/parse-flags.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';
import { createBody } from './create-body.ts';
import { parseEnvironment } from './key-values.ts';
import { parseCpus, parseUlimit } from './limits.ts';
import { parseMount, parseVolumes } from './mounts.ts';
import { parseExpose, parsePublish } from './publish.ts';
import { exitCodeFor } from './run-failure.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-run-flags-'));
after(() => rmSync(folder, { recursive: true }));

const ports: readonly [text: string, expected: string][] = [
  ['80', '80/tcp='],
  ['8080:80', '80/tcp=8080'],
  ['127.0.0.1:8080:80', '80/tcp=127.0.0.1 8080'],
  ['127.0.0.1::80', '80/tcp=127.0.0.1 '],
  ['[::1]:8080:80/udp', '80/udp=::1 8080'],
  ['8080:80/UDP', '80/udp=8080'],
  ['8000-8001:80-81', '80/tcp=8000;81/tcp=8001'],
  ['8000-9000:80', '80/tcp=8000-9000'],
  ['80-81', '80/tcp=;81/tcp='],
  ['published=8080,target=80,protocol=udp', '80/udp=8080'],
  ['target=80', '80/tcp='],
  [':80', '80/tcp='],
];
for (const [text, expected] of ports) {
  test(`-p ${text}`, () => {
    const shown = parsePublish(text).map(
      ({ port, binding }) => `${port}=${binding.HostIp === '' ? '' : `${binding.HostIp} `}${binding.HostPort}`,
    );
    assert.equal(shown.join(';'), expected);
  });
}

const badPorts: readonly [text: string, message: string][] = [
  ['99999:1', 'invalid hostPort: 99999'],
  ['1:x', 'invalid containerPort: x'],
  ['1-3:5-6', 'invalid ranges specified for container and host Ports: 5-6 and 1-3'],
  ['80/foo', 'invalid proto: foo'],
  ['8080:', 'no port specified: 8080:<empty>'],
  ['1.2.3:1:1', 'invalid IP address: 1.2.3'],
  ['3-1', 'invalid containerPort: 3-1'],
  ['published=1', 'missing mandatory field "target"'],
];
for (const [text, message] of badPorts) {
  test(`-p ${text} is refused`, () => assert.throws(() => parsePublish(text), { message }));
}

test('--expose takes ranges and protocols', () => {
  assert.deepEqual(parseExpose('80'), ['80/tcp']);
  assert.deepEqual(parseExpose('80-82/udp'), ['80/udp', '81/udp', '82/udp']);
  assert.throws(() => parseExpose('1:2'), { message: 'invalid port format for --expose: 1:2' });
});

test('-v sorts binds from anonymous volumes', () => {
  assert.deepEqual(parseVolumes(['/a:/b:ro', 'name:/c', '/data', './x:/y']), {
    binds: ['/a:/b:ro', 'name:/c', `${process.cwd()}/x:/y`],
    volumes: ['/data'],
  });
  assert.throws(() => parseVolumes(['/a:/']), /destination can't be '\/'/);
  for (const bad of ['', ':/a', '/a:', 'a:b:c:d']) assert.throws(() => parseVolumes([bad]), /invalid volume/);
});

const mounts: readonly [text: string, expected: object][] = [
  ['type=bind,source=/a,target=/b,readonly', { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true }],
  ['type=bind,src=/a,dst=/b,ro=false', { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: false }],
  ['source=data,destination=/d', { Type: 'volume', Source: 'data', Target: '/d' }],
  [
    'type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1777',
    { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 64 << 20, Mode: 0o1777 } },
  ],
  ['"target=/a,b"', { Type: 'volume', Target: '/a,b' }],
  [
    'target=/v,volume-nocopy,volume-label=a=b',
    { Type: 'volume', Target: '/v', VolumeOptions: { NoCopy: true, Labels: { a: 'b' } } },
  ],
  [
    'source=v,target=/v,volume-subpath=a/b,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=x',
    {
      Type: 'volume',
      Source: 'v',
      Target: '/v',
      VolumeOptions: { Subpath: 'a/b', DriverConfig: { Name: 'local', Options: { type: 'tmpfs', device: 'x' } } },
    },
  ],
  [
    'type=image,source=app:1,target=/i,image-subpath=a',
    { Type: 'image', Source: 'app:1', Target: '/i', ImageOptions: { Subpath: 'a' } },
  ],
  [
    'type=bind,src=/a,dst=/b,bind-propagation=rslave',
    { Type: 'bind', Source: '/a', Target: '/b', BindOptions: { Propagation: 'rslave' } },
  ],
];
for (const [text, expected] of mounts) {
  test(`--mount ${text}`, () => assert.deepEqual(parseMount(text), expected));
}
const badMounts: readonly [text: string, message: string][] = [
  ['source=/a', 'target is required'],
  ['type=foo,target=/x', "unsupported mount type 'foo'"],
  ['target=/x,nope=1', "unknown option 'nope' in 'nope=1'"],
  ['target', "invalid field 'target' must be a key=value pair"],
  ['type=bind,target=/x,tmpfs-size=1', "cannot mix 'tmpfs-*' options with mount type 'bind'"],
  ['target=/x,readonly=maybe', 'invalid value for readonly: maybe'],
];
for (const [text, message] of badMounts) {
  test(`--mount ${text} is refused`, () => assert.throws(() => parseMount(text), { message }));
}

test('limits', () => {
  assert.deepEqual(parseUlimit('nofile=1024:2048'), { Name: 'nofile', Soft: 1024, Hard: 2048 });
  assert.deepEqual(parseUlimit('core=-1'), { Name: 'core', Soft: -1, Hard: -1 });
  for (const bad of ['nofile', 'nofile=', 'foo=1', 'nofile=5:3', 'nofile=a', 'nofile=1:2:3'])
    assert.throws(() => parseUlimit(bad), Failure, bad);
  assert.equal(parseCpus('1.5'), 1_500_000_000);
  assert.equal(parseCpus('.1'), 100_000_000);
  assert.throws(() => parseCpus('x'), { message: 'failed to parse x as a rational number' });
  assert.throws(() => parseCpus('0.0000000001'), { message: 'value is too precise' });
});

test('the environment comes from files, then flags, then what is set here', () => {
  const path = join(folder, 'env');
  writeFileSync(path, '\ufeff# comment\n\nA=1\n  B=two words \nHERE\nGONE\n');
  assert.deepEqual(parseEnvironment([path], ['C=', 'HERE', 'GONE', 'A=2'], { HERE: 'yes' }), [
    'A=1',
    'B=two words ',
    'HERE=yes',
    'C=',
    'HERE=yes',
    'GONE',
    'A=2',
  ]);
  assert.throws(() => parseEnvironment([], ['=x'], {}), { message: 'invalid environment variable: =x' });
  assert.throws(() => parseEnvironment([join(folder, 'none')], [], {}), /no such file or directory$/);
  writeFileSync(path, 'A B=1\n');
  assert.throws(() => parseEnvironment([path], [], {}), /variable 'A B' contains whitespaces/);
});

function bodyOf(commandLine: string, detach = false) {
  const { values, given, rest } = parseFlags(CONTAINER_FLAGS, commandLine.split(' '), { interspersed: false });
  return createBody(values, given, rest, { detach, env: {} });
}

const bodies: readonly [commandLine: string, path: string, expected: unknown][] = [
  ['img', 'Cmd', undefined],
  ['img', 'HostConfig.NetworkMode', 'default'],
  ['img echo -n hi', 'Cmd', ['echo', '-n', 'hi']],
  ['-it img', 'StdinOnce', true],
  ['-i -a stdout img', 'AttachStdin', false],
  ['-a stdout img', 'AttachStderr', false],
  ['img', 'AttachStdout', true],
  ['--entrypoint= img', 'Entrypoint', ['']],
  ['--entrypoint /bin/x img', 'Entrypoint', ['/bin/x']],
  ['-p 80 --expose 90 img', 'ExposedPorts', { '80/tcp': {}, '90/tcp': {} }],
  [
    '-p 1:80 -p 2:80 img',
    'HostConfig.PortBindings',
    {
      '80/tcp': [
        { HostIp: '', HostPort: '1' },
        { HostIp: '', HostPort: '2' },
      ],
    },
  ],
  ['-m 64m --memory-swap -1 img', 'HostConfig.Memory', 64 << 20],
  ['--memory-swap -1 img', 'HostConfig.MemorySwap', -1],
  ['img', 'HostConfig.Memory', undefined],
  ['--cpus 0.5 img', 'HostConfig.NanoCpus', 500_000_000],
  ['--ulimit nofile=1 --ulimit nofile=2 img', 'HostConfig.Ulimits', [{ Name: 'nofile', Soft: 2, Hard: 2 }]],
  ['--tmpfs /run:size=1m --tmpfs /x img', 'HostConfig.Tmpfs', { '/run': 'size=1m', '/x': '' }],
  [
    '--health-cmd x --health-retries 3 --health-interval 5s img',
    'Healthcheck',
    { Test: ['CMD-SHELL', 'x'], Interval: 5e9, Retries: 3 },
  ],
  ['--no-healthcheck img', 'Healthcheck', { Test: ['NONE'] }],
  ['--restart on-failure:3 img', 'HostConfig.RestartPolicy', { Name: 'on-failure', MaximumRetryCount: 3 }],
  ['--network host img', 'HostConfig.NetworkMode', 'host'],
  [
    '--network n --network-alias a --ip 1.2.3.4 img',
    'NetworkingConfig.EndpointsConfig',
    { n: { Aliases: ['a'], IPAMConfig: { IPv4Address: '1.2.3.4' } } },
  ],
  ['--network name=n,alias=b img', 'NetworkingConfig.EndpointsConfig', { n: { Aliases: ['b'] } }],
  [
    '--network name=n,mac-address=02:42:00:00:00:01,driver-opt=A=b=c,gw-priority=-2,link-local-ip=169.254.1.1 --ip6 fd00::2 img',
    'NetworkingConfig.EndpointsConfig',
    {
      n: {
        IPAMConfig: { LinkLocalIPs: ['169.254.1.1'], IPv6Address: 'fd00::2' },
        MacAddress: '02:42:00:00:00:01',
        DriverOpts: { a: 'b=c' },
        GwPriority: -2,
      },
    },
  ],
  ['--network n --network m img', 'NetworkingConfig.EndpointsConfig', { n: {}, m: {} }],
  ['--add-host a:1.2.3.4 --add-host b=::1 img', 'HostConfig.ExtraHosts', ['a:1.2.3.4', 'b:::1']],
  [
    '--device /dev/a --device /dev/b:/dev/c:r img',
    'HostConfig.Devices',
    [
      { PathOnHost: '/dev/a', PathInContainer: '/dev/a', CgroupPermissions: 'rwm' },
      { PathOnHost: '/dev/b', PathInContainer: '/dev/c', CgroupPermissions: 'r' },
    ],
  ],
  ['-l a=b -l c img', 'Labels', { a: 'b', c: '' }],
  ['-h name img', 'Hostname', 'name'],
  ['--log-driver x --log-opt a=b img', 'HostConfig.LogConfig', { Type: 'x', Config: { a: 'b' } }],
];
for (const [commandLine, path, expected] of bodies) {
  test(`${commandLine}: ${path}`, () => {
    let value: unknown = bodyOf(commandLine);
    for (const key of path.split('.')) value = value && (value as Record<string, unknown>)[key]; // a plain JSON body
    assert.deepEqual(value, expected);
  });
}

const badBodies: readonly [commandLine: string, message: RegExp][] = [
  ['--rm --restart always img', /cannot specify both --restart and --rm/],
  ['--restart on-failure:x img', /maximum retry count must be an integer/],
  ['--no-healthcheck --health-cmd x img', /conflicts with --health-\*/],
  ['--health-interval=-1s img', /--health-interval cannot be negative/],
  ['-w rel img', /needs to be an absolute path/],
  ['--cpus 1 --cpu-quota 5 img', /--cpus cannot be used with/],
  ['--memory-swappiness 101 img', /Valid memory swappiness range/],
  ['--security-opt seccomp=/nonexistent img', /opening seccomp profile/],
  ['--gpus all img', /GPUs are not supported/],
  ['-a foo img', /valid streams are STDIN, STDOUT and STDERR/],
  ['--add-host x img', /bad format for add-host/],
];
for (const [commandLine, message] of badBodies) {
  test(`${commandLine} is refused`, () => assert.throws(() => bodyOf(commandLine), message));
}

test('a detached container has no streams', () => {
  const body = bodyOf('-i img', true);
  assert.deepEqual([body.AttachStdin, body.AttachStdout, body.OpenStdin, body.StdinOnce], [false, false, true, false]);
  assert.throws(() => bodyOf('-a stdout img', true), /cannot specify both --attach and --detach/);
});

const codes: readonly [code: string, message: string, exitCode: number][] = [
  ['HTTP_400', 'exec: "x": executable file not found in $PATH: unknown', 127],
  ['HTTP_400', 'stat /x: no such file or directory: unknown', 127],
  ['HTTP_400', 'exec: "/etc": permission denied: unknown', 126],
  ['HTTP_404', 'No such image: x', 125],
  ['FILE', 'open x: no such file or directory', 125],
];
for (const [code, message, exitCode] of codes) {
  test(`exit code of ${code} ${message}`, () => {
    assert.equal(exitCodeFor(new Failure('invalid', code, message)), exitCode);
  });
}
