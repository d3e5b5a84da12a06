/** Images made of containers: commit (mission row I8), export and import (I7). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { importBusybox, run, startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

/** A container that has ended after this command; its ID. */
async function ended(command: string, ...flags: string[]): Promise<string> {
  const id = await host.ok(['create', ...flags, 'busybox', 'sh', '-c', command]);
  await host.ok(['start', '-a', id]);
  return id;
}

const layers = async (image: string) => JSON.parse(await host.inspect(image, '{{json .RootFS.Layers}}')) as string[];

test('what a container changed becomes one layer: new, changed and deleted files, their modes and owners', async () => {
  const id = await ended(
    'echo new > /new && chown 12:34 /new && chmod 4711 /new && echo x >> /etc/group && rm -f /etc/passwd && ln -sf new /link',
  );
  const image = await host.ok(['commit', '-m', 'a message', '-a', 'me <me@example.org>', id, 'made:1']);
  assert.match(image, /^sha256:[0-9a-f]{64}$/);
  assert.equal(await host.inspect('made:1', '{{.Id}}'), image);
  assert.equal((await layers('made:1')).length, 2);
  assert.equal(
    await host.ok([
      'run',
      '--rm',
      'made:1',
      'sh',
      '-c',
      'cat /new; stat -c "%a %u:%g" /new; tail -n1 /etc/group; ls /etc/passwd 2>&1; readlink /link',
    ]),
    'new\n4711 12:34\nx\nls: /etc/passwd: No such file or directory\nnew',
  );
  assert.equal(await host.inspect('made:1', '{{.Comment}}|{{.Author}}'), 'a message|me <me@example.org>');
  const [row = ''] = (
    await host.ok(['history', '--no-trunc', '--format', '{{.CreatedBy}}|{{.Comment}}|{{.Size}}', 'made:1'])
  ).split('\n');
  assert.match(row, /^sh -c echo new .*\|a message\|\d+B$/);
  assert.equal(await host.inspect('made:1', '{{.Parent}}'), await host.inspect('busybox', '{{.Id}}'));
  // The container keeps its changes.
  await host.ok(['start', '-a', id]);
  assert.equal(await host.ok(['commit', id, 'made:1']).then(() => host.sh('made:1', 'cat /new')), 'new');
  await host.ok(['rm', id]);
});

test('a running container is committed and goes on; what the host mounts into it is not in the image', async () => {
  const id = await host.ok([
    'run',
    '-d',
    '-v',
    '/volume',
    '--entrypoint',
    'sh',
    'busybox',
    '-c',
    'echo 1 > /made; sleep 1000',
  ]);
  await host.ok(['exec', id, 'sh', '-c', 'until [ -s /made ]; do sleep 0.1; done; echo data > /volume/file']);
  for (const flags of [[], ['--pause=false']]) {
    await host.ok(['commit', ...flags, id, 'running']);
    assert.equal(await host.inspect(id, '{{.State.Status}}'), 'running');
    assert.equal(await host.ok(['exec', id, 'cat', '/made']), '1');
    const [row = ''] = (await host.ok(['history', '--format', '{{.Size}}', 'running'])).split('\n');
    assert.equal(row, '2B');
    await host.ok(['save', '-o', `${host.folder}/running.tar`, 'running']);
    const top = (await layers('running')).at(-1) ?? '';
    const listed = await run('sh', ['-c', `tar xOf ${host.folder}/running.tar blobs/sha256/${top.slice(7)} | tar t`]);
    assert.equal(listed.stdout, 'made\n');
  }
  await host.ok(['pause', id]);
  await host.ok(['commit', id, 'paused']);
  assert.equal(await host.inspect(id, '{{.State.Status}}'), 'paused');
  assert.deepEqual(await layers('paused'), await layers('running'));
  await host.ok(['unpause', id]);
  await host.ok(['rm', '-f', '-v', id]);
});

test('without changes there is no layer; without a name the image is dangling', async () => {
  const id = await ended('true');
  const image = await host.ok(['commit', id]);
  assert.deepEqual(await layers(image), await layers('busybox'));
  assert.equal(
    (await host.ok(['images', '-q', '--no-trunc', '-f', 'dangling=true'])).split('\n').includes(image),
    true,
  );
  await host.ok(['rmi', image]);
  await host.ok(['rm', id]);
});

test('--change, and what the container was run with, make the config', async () => {
  const id = await ended('true', '-e', 'A=1', '-w', '/tmp', '-u', 'app', '-l', 'one=1', '--expose', '80');
  const changes = [
    'ENV B="two words"',
    'CMD ["echo","hello"]',
    'LABEL two=2',
    'EXPOSE 53/udp',
    'WORKDIR sub',
    'ENTRYPOINT ["/bin/sh","-c"]',
    'CMD pwd; id -un; echo $B',
  ];
  await host.ok(['commit', ...changes.flatMap((change) => ['-c', change]), id, 'changed']);
  const config = JSON.parse(await host.inspect('changed', '{{json .Config}}'));
  assert.deepEqual(config.Cmd, ['/bin/sh', '-c', 'pwd; id -un; echo $B']);
  assert.deepEqual(config.Entrypoint, ['/bin/sh', '-c']);
  assert.deepEqual(config.Labels, { one: '1', two: '2' });
  assert.deepEqual(Object.keys(config.ExposedPorts).sort(), ['53/udp', '80/tcp']);
  assert.equal(config.Env.includes('A=1') && config.Env.includes('B=two words'), true);
  assert.equal(config.User, 'app');
  assert.equal(config.WorkingDir, '/tmp/sub');
  const refused = await host.strake(['commit', '-c', 'RUN true', id]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /run is not a valid change command/i);
  await host.ok(['rm', id]);
});

test('docker commits too; errors are clear', async () => {
  const id = await ended('echo docker > /by');
  const { code, stdout } = await host.docker(['commit', '-m', 'by docker', '-c', 'CMD cat /by', id, 'by-docker']);
  assert.equal(code, 0);
  assert.equal(await host.ok(['run', '--rm', stdout.trim()]), 'docker');
  const missing = await host.docker(['commit', 'nobody']);
  assert.match(missing.stderr, /^Error response from daemon: No such container: nobody\n$/);
  const bad = await host.docker(['commit', id, 'scratch']);
  assert.match(bad.stderr, /'scratch' is a reserved name/);
  await host.ok(['rm', id]);
});

test('export gives the whole file system, and import makes an image of it', async () => {
  const command =
    'echo new > /new && chown 12:34 /new && chmod 4711 /new && rm /etc/group && ln /new /hard && mkfifo /pipe';
  const id = await ended(command, '-v', '/volume');
  const running = await host.ok(['run', '-d', 'busybox', 'sh', '-c', `${command}; sleep 1000`]);
  await host.ok(['exec', running, 'sh', '-c', 'until [ -p /pipe ]; do sleep 0.1; done']);
  for (const [name, container] of [
    ['stopped', id],
    ['running', running],
  ] as const) {
    const tar = `${host.folder}/${name}.tar`;
    await host.ok(['export', '-o', tar, container]);
    const listed = (await run('tar', ['tvf', tar])).stdout;
    assert.match(listed, /-rws--x--x 12\/34 +4 .* hard\n/);
    assert.match(listed, /^prw/m);
    assert.match(listed, / new link to hard\n/);
    assert.doesNotMatch(listed, / etc\/(group|hosts|resolv\.conf|hostname)| volume\/./);
    assert.equal(await host.ok(['import', tar, name]), await host.inspect(name, '{{.Id}}'));
    assert.equal((await layers(name)).length, 1);
    assert.equal(
      await host.ok(['run', '--rm', name, 'sh', '-c', 'cat /new; stat -c %a /hard; ls /etc/group 2>&1; true']),
      'new\n4711\nls: /etc/group: No such file or directory',
    );
  }
  const byDocker = await host.docker(['export', '-o', `${host.folder}/by-docker.tar`, id]);
  assert.equal(byDocker.code, 0);
  const compared = await run('cmp', [`${host.folder}/by-docker.tar`, `${host.folder}/stopped.tar`]);
  assert.deepEqual(compared, { code: 0, stdout: '', stderr: '' });
  const missing = await host.docker(['export', '-o', `${host.folder}/none.tar`, 'nobody']);
  assert.match(missing.stderr, /No such container: nobody/);
  await host.ok(['rm', '-f', '-v', id, running]);
});
