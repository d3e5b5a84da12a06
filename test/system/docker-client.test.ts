/** The unmodified docker commands of two ages do the whole path (mission row H2), with the classic builder. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { importBusybox, makeContext, type Result, type RunOptions, run, startHost, type TestHost } from './harness.ts';

// Debian's docker; where another one comes first in PATH, that one too.
const CLIENTS = [...new Set(['docker', '/usr/bin/docker'])];

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());
afterEach(async () => {
  for (const id of (await host.ok(['ps', '-aq'])).split('\n').filter(Boolean)) await host.ok(['rm', '-f', id]);
});

for (const client of CLIENTS) {
  const docker = (args: readonly string[], options: RunOptions = {}): Promise<Result> =>
    run(client, ['-H', `unix://${host.socket}`, ...args], {
      ...options,
      env: { DOCKER_CONFIG: host.folder, ...options.env },
    });
  const ok = async (args: readonly string[], options?: RunOptions): Promise<string> => {
    const result = await docker(args, options);
    assert.equal(result.code, 0, `${client} ${args.join(' ')}: ${result.code}\n${result.stdout}\n${result.stderr}`);
    return result.stdout.replace(/\n$/, '');
  };

  test(`${client}: version and info`, async () => {
    assert.match(await ok(['version', '--format', '{{.Server.Os}} {{.Server.APIVersion}}']), /^linux 1\.\d\d$/);
    assert.match(await ok(['version']), /Server:/);
    const info = await ok(['info']);
    for (const line of [
      /Images: \d+/,
      /Storage Driver: overlay2/,
      /Cgroup Version: [12]/,
      new RegExp(`Docker Root Dir: ${host.dataRoot}`),
    ])
      assert.match(info, line);
  });

  test(`${client}: import, tag, images, inspect, rmi`, async () => {
    const root = makeContext(host.folder, { hello: 'world' });
    const tar = join(root, '../imported.tar');
    assert.equal((await run('tar', ['-C', root, '-cf', tar, '.'])).code, 0);
    const id = await ok(['import', '-c', 'CMD ["x"]', '-m', 'hi', '-', 'imported:1'], { input: readFileSync(tar) });
    assert.match(id, /^sha256:[0-9a-f]{64}$/);
    await ok(['tag', 'imported:1', 'registry.example.org/ns/imported']);
    assert.equal(
      await ok(['images', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}', 'imported']),
      `imported:1 ${id} 5B`,
    );
    assert.equal(
      await ok(['inspect', '--format', '{{.Id}} {{json .Config.Cmd}} {{.Comment}}', 'imported:1']),
      `${id} ["x"] hi`,
    );
    assert.match(await ok(['images']), /^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE\n/);
    assert.equal(
      await ok(['rmi', 'registry.example.org/ns/imported']),
      'Untagged: registry.example.org/ns/imported:latest',
    );
    assert.match(
      await ok(['rmi', 'imported:1']),
      new RegExp(`^Untagged: imported:1\nDeleted: ${id}\nDeleted: sha256:`),
    );
    const missing = await docker(['inspect', 'imported:1']);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /No such object: imported:1/i);
  });

  test(`${client}: build, cache, history`, async () => {
    const context = makeContext(host.folder, {
      Dockerfile: `FROM busybox\nENV CLIENT=${client}\nARG WHO=nobody\nRUN echo "built by $WHO" > /who\nCOPY . /ctx/\nENV A=b\nEXPOSE 80\nCMD ["cat", "/who"]\n`,
      file: client,
      ignored: 'x',
      '.dockerignore': 'ignored\n',
    });
    const args = ['build', '-t', 'built', '--build-arg', 'WHO=me', '--label', 'k=v', context];
    const output = await ok(args);
    assert.match(output, /Step 4\/9 : RUN echo "built by \$WHO" > \/who\n ---> Running in [0-9a-f]{12}\n/);
    assert.match(output, /Successfully built [0-9a-f]{12}\nSuccessfully tagged built:latest$/);
    const again = await ok(args);
    assert.equal(again.match(/Using cache/g)?.length, 8);
    assert.equal(await ok(['run', '--rm', 'built']), 'built by me');
    assert.equal(await ok(['run', '--rm', 'built', 'ls', '/ctx']), 'Dockerfile\nfile');
    const history = await ok(['history', '--no-trunc', '--format', '{{.CreatedBy}}', 'built']);
    assert.match(history, /^\/bin\/sh -c #\(nop\) {2}LABEL k=v\n\/bin\/sh -c #\(nop\) {2}CMD \["cat" "\/who"\]\n/);
    assert.match(history, /\|1 WHO=me \/bin\/sh -c echo "built by \$WHO" > \/who/);
    assert.equal(await ok(['inspect', '--format', '{{index .Config.Labels "k"}}', 'built']), 'v');
    await ok(['rmi', 'built']);
  });

  test(`${client}: a build that fails: message and exit code`, async () => {
    const failing = await docker(['build', '-'], { input: 'FROM busybox\nRUN echo out; exit 12\n' });
    assert.equal(failing.code, 12);
    assert.match(failing.stderr, /The command '\/bin\/sh -c echo out; exit 12' returned a non-zero code: 12/);
    const wrong = await docker(['build', '-'], { input: 'FROM busybox\nRUNN x\n' });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /dockerfile parse error on line 2: unknown instruction: RUNN/);
  });

  test(`${client}: run: exit codes, streams, stdin`, async () => {
    assert.deepEqual(await docker(['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7']), {
      code: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    assert.equal((await docker(['run', '--rm', 'busybox', 'nosuch'])).code, 127);
    assert.equal((await docker(['run', '--rm', 'busybox', '/etc/passwd'])).code, 126);
    assert.equal((await docker(['run', '--rm', 'nosuch:image', 'true'])).code, 125);
    assert.equal(
      await ok(['run', '-i', '--rm', 'busybox', 'sh', '-c', 'cat; echo " end"'], { input: 'piped' }),
      'piped end',
    );
    const data = join(host.folder, 'random');
    const piped = await run('sh', [
      '-c',
      `head -c 20000000 /dev/urandom > ${data}; ${client} -H unix://${host.socket} run -i --rm busybox cat < ${data} | cmp - ${data}`,
    ]);
    assert.deepEqual([piped.code, piped.stdout], [0, '']);
  });

  test(`${client}: run -d, ps, logs, port, wait, stop, rm, names`, async () => {
    const id = await ok([
      'run',
      '-d',
      '--name',
      'web',
      '-p',
      '127.0.0.1::80',
      '-e',
      'A=b',
      '-v',
      '/data',
      '-m',
      '64m',
      'busybox',
      'sh',
      '-c',
      'echo up; httpd -f',
    ]);
    assert.match(
      await ok(['ps']),
      new RegExp(
        `^CONTAINER ID .*\n${id.slice(0, 12)} +busybox +"sh -c 'echo up; htt…" .* Up .* 127\\.0\\.0\\.1:\\d+->80/tcp +web$`,
      ),
    );
    assert.match(await ok(['port', 'web']), /^80\/tcp -> 127\.0\.0\.1:\d+$/);
    assert.equal(await ok(['logs', 'web']), 'up');
    const clash = await docker(['run', '--name', 'web', 'busybox', 'true']);
    assert.equal(clash.code, 125);
    assert.match(clash.stderr, /Conflict\. The container name "\/web" is already in use by container/);
    assert.equal(await ok(['stop', '-t', '0', 'web']), 'web');
    assert.equal(await ok(['wait', 'web']), '137');
    assert.match(await ok(['ps', '-a', '--format', '{{.Names}} {{.Status}}']), /^web Exited \(137\)/);
    assert.equal(
      await ok(['inspect', '--format', '{{.HostConfig.Memory}} {{.State.ExitCode}} {{index .Config.Env 0}}', 'web']),
      '67108864 137 A=b',
    );
    assert.equal(await ok(['rm', '-v', 'web']), 'web');
    assert.equal(await ok(['ps', '-aq']), '');
  });

  test(`${client}: exec, commit, top`, async () => {
    await ok(['run', '-d', '--name', 'box', 'busybox', 'sleep', '1000']);
    assert.equal(await ok(['exec', 'box', 'sh', '-c', 'echo x > /new; echo done']), 'done');
    assert.match(await ok(['top', 'box']), /sleep 1000/);
    const id = await ok(['commit', '-m', 'made by hand', 'box', 'committed']);
    assert.equal(await ok(['run', '--rm', 'committed', 'cat', '/new']), 'x');
    assert.match(await ok(['history', 'committed']), /made by hand/);
    assert.match(await ok(['rmi', 'committed']), new RegExp(`Deleted: ${id}`));
  });
}
