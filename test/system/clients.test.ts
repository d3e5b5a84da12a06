/** Programs and libraries that were written for Docker drive a host: docker-compose, docker for Python, dockerode, testcontainers. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, test } from 'node:test';
import Docker from 'dockerode';
import { freePort, importBusybox, makeContext, run, startHost, type TestHost, until } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
  // A program that asks for names as glibc does, with its libraries.
  const { stdout } = await run('ldd', ['/usr/bin/getent']);
  const files = (stdout.match(/\/\S+/g) ?? []).map((path) => [`root${path}`, readFileSync(path)] as const);
  const getent = readFileSync('/usr/bin/getent');
  await host.build('box', 'FROM busybox\nCOPY root /\nCOPY getent /bin/\n', { ...Object.fromEntries(files), getent });
});
after(() => host[Symbol.asyncDispose]());
afterEach(async () => {
  for (const id of (await host.ok(['ps', '-aq'])).split('\n').filter(Boolean)) await host.ok(['rm', '-f', '-v', id]);
  await host.ok(['network', 'prune', '-f']);
});

const SERVE = 'mkdir -p /www; echo hello > /www/index.html; echo serving; exec httpd -f -p 80 -h /www';

test('docker-compose: build, port, volume, network, health', async () => {
  const port = await freePort();
  const folder = join(host.folder, 'project');
  mkdirSync(join(folder, 'web'), { recursive: true });
  writeFileSync(
    join(folder, 'web/Dockerfile'),
    'FROM box\nARG WHAT\nRUN mkdir /www && echo "$WHAT" > /www/index.html\nEXPOSE 80\nCMD ["httpd", "-f", "-p", "80", "-h", "/www"]\n',
  );
  writeFileSync(
    join(folder, 'docker-compose.yml'),
    `version: "2.4"
services:
  web:
    build: { context: ./web, args: { WHAT: composed } }
    ports: ["127.0.0.1:${port}:80"]
    volumes: ["content:/www"]
    networks: [front]
    depends_on: { db: { condition: service_healthy } }
    environment: { WHO: web }
  db:
    image: box
    command: sh -c "touch /ready; while true; do echo data | nc -l -p 5432; done"
    healthcheck: { test: [CMD, test, -f, /ready], interval: 1s, retries: 20 }
    stop_grace_period: 1s
    networks: { front: { aliases: [store] } }
networks: { front: }
volumes: { content: }
`,
  );
  const compose = async (...args: string[]) => {
    const env = { DOCKER_HOST: `unix://${host.socket}`, DOCKER_CONFIG: host.folder, COMPOSE_PROJECT_NAME: 'made' };
    const result = await run('docker-compose', args, { cwd: folder, env, timeout: 120_000 });
    assert.equal(result.code, 0, `docker-compose ${args.join(' ')}\n${result.stdout}\n${result.stderr}`);
    return result.stdout.trim();
  };
  await compose('up', '-d');
  assert.match(await compose('ps'), /made_db_1 .* Up \(healthy\)[\s\S]*made_web_1 .* Up .* 127\.0\.0\.1:\d+->80\/tcp/);
  const web = await run('curl', ['-fsS', `http://127.0.0.1:${port}/`]);
  assert.equal(web.stdout, 'composed\n');
  const found = await compose(
    'exec',
    '-T',
    'web',
    'sh',
    '-c',
    'nc $(getent hosts store | cut -d " " -f 1) 5432; getent hosts db',
  );
  assert.match(found, /^data\n[\d.]+ +db$/);
  assert.match(await compose('run', '--rm', 'web', 'env'), /^WHO=web$/m);
  const before = await compose('ps', '-q');
  await compose('up', '-d');
  assert.equal(await compose('ps', '-q'), before, 'nothing has changed, so nothing is made anew');
  await compose('up', '-d', '--force-recreate', '-t', '0');
  assert.notEqual(await compose('ps', '-q'), before);
  await compose('down', '-v', '-t', '0');
  assert.equal(await host.ok(['ps', '-aq']), '');
  assert.equal(await host.ok(['network', 'ls', '-q', '--filter', 'type=custom']), '');
  assert.equal(await host.ok(['volume', 'ls', '-q']), '');
});

test('docker for Python', async () => {
  const script = `
import docker, io, socket, tarfile
c = docker.from_env()
assert c.ping() and c.info()['Driver'] == 'overlay2'
image, log = c.images.build(fileobj=io.BytesIO(b'FROM box\\nLABEL a=b\\nCMD ["echo", "hi"]\\n'), tag='py:1', rm=True)
assert image.tags == ['py:1'] and image.labels == {'a': 'b'} and any('Successfully built' in l.get('stream', '') for l in log)
assert c.containers.run('py:1', remove=True) == b'hi\\n'
try: c.containers.run('box', ['sh', '-c', 'exit 3'], remove=True); assert False
except docker.errors.ContainerError as e: assert e.exit_status == 3
try: c.images.get('nosuch'); assert False
except docker.errors.ImageNotFound as e: assert 'No such image' in e.explanation
try: c.containers.get('nosuch'); assert False
except docker.errors.NotFound: pass
pool = docker.types.IPAMPool(subnet='10.224.7.0/24', gateway='10.224.7.254')
net = c.networks.create('py', labels={'x': 'y'}, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
assert [n.name for n in c.networks.list(filters={'label': 'x=y'})] == ['py']
vol = c.volumes.create('py')
web = c.containers.run('box', ['sh', '-c', '${SERVE}'], name='pyweb', detach=True, network='py', mem_limit='64m',
  ports={'80/tcp': ('127.0.0.1', None)}, volumes={'py': {'bind': '/data', 'mode': 'rw'}})
web.reload()
assert web.status == 'running' and web.ports['80/tcp'][0]['HostIp'] == '127.0.0.1'
assert c.containers.run('box', ['getent', 'hosts', 'pyweb'], network='py', remove=True).split()[1] == b'pyweb'
for _ in range(5):
  code, (out, err) = web.exec_run(['sh', '-c', 'echo out; echo err >&2; exit 5'], demux=True)
  assert (code, out, err) == (5, b'out\\n', b'err\\n'), (code, out, err)
assert web.logs() == b'serving\\n'
tar = io.BytesIO()
with tarfile.open(fileobj=tar, mode='w') as t:
  i = tarfile.TarInfo('f'); i.size = 3; t.addfile(i, io.BytesIO(b'abc'))
assert web.put_archive('/data', tar.getvalue())
bits, stat = web.get_archive('/data/f')
assert stat['size'] == 3 and b'abc' in b''.join(bits)
assert web.stats(stream=False)['memory_stats']['limit'] == 64 << 20
other = c.networks.create('py2'); other.connect(web, aliases=['al']); web.reload()
assert sorted(web.attrs['NetworkSettings']['Networks']) == ['py', 'py2']
other.disconnect(web); other.remove()
assert web.commit('pycommit', tag='1').tags == ['pycommit:1'] and len(b''.join(c.images.get('pycommit:1').save())) > 1000
web.pause(); web.reload(); assert web.status == 'paused'; web.unpause()
web.rename('pyweb2'); web.restart(timeout=0); web.stop(timeout=0)
assert web.wait()['StatusCode'] == 137
web.remove(v=True)
k = c.containers.create('box', ['cat'], stdin_open=True)
s = c.api.attach_socket(k.id, params={'stdin': 1, 'stdout': 1, 'stream': 1}); k.start()
s._sock.send(b'typed\\n'); s._sock.shutdown(socket.SHUT_WR)
assert s.read(100)[8:] == b'typed\\n' and k.wait()['StatusCode'] == 0
made = [e['Actor']['Attributes']['name'] for e in c.events(since=0, until=__import__('time').time(), decode=True, filters={'type': 'network', 'event': 'create'})]
assert made[-2:] == ['py', 'py2'], made
net.remove(); vol.remove()
print('done')
`;
  // Debian's Python, which has the package.
  const env = { DOCKER_HOST: `unix://${host.socket}`, DOCKER_CONFIG: host.folder };
  const result = await run('/usr/bin/python3', ['-c', script], { env, timeout: 120_000 });
  assert.deepEqual([result.code, result.stdout], [0, 'done\n'], result.stderr);
});

test('dockerode', async () => {
  const docker = new Docker({ socketPath: host.socket });
  const context = makeContext(host.folder, { Dockerfile: 'FROM box\nCOPY f /f\nCMD cat /f\n', f: 'from a context' });
  const build = await docker.buildImage({ context, src: ['Dockerfile', 'f'] }, { t: 'rode' });
  const steps = await new Promise<{ stream?: string; error?: string }[]>((resolve, reject) => {
    docker.modem.followProgress(build, (error, rows) => (error ? reject(error) : resolve(rows)));
  });
  assert.ok(steps.some(({ stream }) => stream?.includes('Successfully tagged rode:latest')));
  const output = new PassThrough();
  const ran = docker.run('rode', [], output, { HostConfig: { AutoRemove: false } });
  const [{ StatusCode }, container] = await ran;
  output.end();
  assert.deepEqual([StatusCode, await text(output)], [0, 'from a context']);
  assert.equal(String(await container.logs({ stdout: true })), 'from a context');
  await container.remove();

  // By BuildKit's protocol: a session for credentials, and the context in the request itself.
  const inSession = await docker.buildImage({ context, src: ['Dockerfile', 'f'] }, { t: 'rode:2', version: '2' });
  const traced = await new Promise<{ error?: string }[]>((resolve, reject) => {
    docker.modem.followProgress(inSession, (error, rows) => (error ? reject(error) : resolve(rows)));
  });
  assert.deepEqual(
    traced.filter(({ error }) => error),
    [],
  );
  assert.equal(await host.sh('rode:2', 'cat /f'), 'from a context');

  const cat = await docker.createContainer({ Image: 'box', Cmd: ['cat'], OpenStdin: true, StdinOnce: true });
  const typing = await cat.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true });
  await cat.start();
  const echoed = new PassThrough();
  docker.modem.demuxStream(typing, echoed, echoed);
  typing.on('end', () => echoed.end());
  typing.end('typed');
  assert.equal(await text(echoed), 'typed', 'what the library sends with its request is not typed');
  await cat.remove({ force: true });
  // It starts first and waits then, when the container may be gone already.
  const [quick] = await docker.run('box', ['sh', '-c', 'exit 3'], new PassThrough(), {
    HostConfig: { AutoRemove: true },
  });
  assert.equal(quick.StatusCode, 3);

  const network = await docker.createNetwork({ Name: 'rode', Driver: 'bridge' });
  const web = await docker.createContainer({
    Image: 'box',
    name: 'rodeweb',
    Cmd: ['sh', '-c', SERVE],
    ExposedPorts: { '80/tcp': {} },
    HostConfig: { PublishAllPorts: true, NetworkMode: 'rode' },
    NetworkingConfig: { EndpointsConfig: { rode: { Aliases: ['site'] } } },
  });
  await web.start();
  const details = await web.inspect();
  assert.deepEqual(details.NetworkSettings.Networks['rode']?.Aliases, ['site']);
  const published = details.NetworkSettings.Ports['80/tcp']?.[0]?.HostPort;
  await until(async () => (await run('curl', ['-fsS', `http://127.0.0.1:${published}/`])).stdout === 'hello\n');
  const exec = await web.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({ hijack: true, stdin: true });
  const said = new PassThrough();
  docker.modem.demuxStream(stream, said, said);
  stream.on('end', () => said.end());
  stream.end('typed');
  assert.equal(await text(said), 'typed');
  assert.equal((await exec.inspect()).ExitCode, 0);
  await assert.rejects(docker.getImage('nosuch').inspect(), { statusCode: 404, reason: 'no such image' });
  await assert.rejects(network.remove(), { statusCode: 403 });
  await web.remove({ force: true });
  await network.remove();
});

test('testcontainers: an image of its own, waiting for a line and a port', async () => {
  process.env['DOCKER_HOST'] = `unix://${host.socket}`;
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
  const { GenericContainer, Network, Wait } = await import('testcontainers');
  const context = makeContext(host.folder, { Dockerfile: `FROM box\nEXPOSE 80\nCMD ["sh", "-c", "${SERVE}"]\n` });
  const image = await GenericContainer.fromDockerfile(context).build('tc:1', { deleteOnExit: false });
  const network = await new Network().start();
  const started = await image
    .withExposedPorts(80)
    .withNetwork(network)
    .withNetworkAliases('site')
    .withEnvironment({ A: 'b' })
    .withWaitStrategy(Wait.forAll([Wait.forLogMessage('serving'), Wait.forListeningPorts()]))
    .start();
  const answer = await fetch(`http://${started.getHost()}:${started.getMappedPort(80)}/`);
  assert.equal(await answer.text(), 'hello\n');
  const { output, exitCode } = await started.exec(['sh', '-c', 'echo $A; getent hosts site | cut -d " " -f 1']);
  assert.deepEqual([exitCode, output], [0, `b\n${started.getIpAddress(network.getName())}\n`]);
  await started.copyContentToContainer([{ content: 'copied', target: '/tmp/copied' }]);
  assert.equal((await started.exec(['cat', '/tmp/copied'])).output, 'copied');
  await started.stop();
  await network.stop();
  await host.ok(['rmi', 'tc:1']);
});
