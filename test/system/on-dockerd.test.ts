/** The strake command against a real dockerd: it says and does what the docker command does there. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startExplorer } from './browser.ts';
import { type Dockerd, startDockerd } from './dockerd.ts';
import { type Result, type RunOptions, run, STRAKE } from './harness.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'strake-on-dockerd-')));
let dockerd: Dockerd;

before(async () => {
  const root = join(folder, 'root');
  for (const name of ['bin', 'tmp', 'etc']) mkdirSync(join(root, name), { recursive: true });
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const name of ['sh', 'cat', 'echo', 'sleep', 'ls', 'env']) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  assert.equal((await run('tar', ['-C', root, '-cf', join(folder, 'root.tar'), '.'])).code, 0);
  dockerd = await startDockerd(folder);
});
after(async () => {
  await dockerd[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const strake = (args: readonly string[], options: RunOptions = {}): Promise<Result> =>
  run(STRAKE, args, { ...options, env: { STRAKE_HOST: '', DOCKER_HOST: dockerd.address, DOCKER_CONFIG: folder } });
const docker = (args: readonly string[], options: RunOptions = {}): Promise<Result> =>
  run('docker', args, { ...options, env: { DOCKER_HOST: dockerd.address, DOCKER_CONFIG: folder } });

async function ok(args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await strake(args, options);
  assert.equal(code, 0, `strake ${args.join(' ')}: exit ${code}\n${stdout}\n${stderr}`);
  return stdout.replace(/\n$/, '');
}

/** What differs from call to call, and the name of the program. */
function plain(words: string): string {
  return words
    .replaceAll('docker', 'strake')
    .replace(/\b[0-9a-f]{64}\b/g, 'ID')
    .replace(/\b[0-9a-f]{12}\b/g, 'ID')
    .replace(/(\d+|Less than a|About a) (second|minute)s? ago/g, 'now')
    .replace(/Up (\d+|Less than a|About a) (second|minute)s?/g, 'Up')
    .replace(/ +/g, ' ');
}

test('images, containers, networks and volumes are made', async () => {
  assert.match(
    await ok(['import', '-c', 'CMD ["sh"]', '-m', 'made', join(folder, 'root.tar'), 'box:1']),
    /^sha256:[0-9a-f]{64}$/,
  );
  await ok(['tag', 'box:1', 'localhost/other']);
  const dockerfile = 'FROM box:1\nENV A=b\nRUN echo built > /f\nCMD ["cat", "/f"]\n';
  assert.match(await ok(['build', '-t', 'built', '-'], { input: dockerfile }), /Successfully tagged built:latest$/);
  assert.equal(await ok(['run', '--rm', '--network', 'none', 'built']), 'built');
  const piped = await strake(
    ['run', '-i', '--rm', '--network', 'none', 'box:1', 'sh', '-c', 'cat; echo err >&2; exit 4'],
    { input: 'in' },
  );
  assert.deepEqual(piped, { code: 4, stdout: 'in', stderr: 'err\n' });
  await ok([
    'run',
    '-d',
    '--name',
    'stays',
    '--network',
    'none',
    '-v',
    'vol:/data',
    '--label',
    'a=b',
    'box:1',
    'sh',
    '-c',
    'echo up; exec sleep 1000',
  ]);
  assert.equal(await ok(['exec', 'stays', 'sh', '-c', 'echo x > /new; echo done']), 'done');
  assert.match(await ok(['commit', '-m', 'by hand', 'stays', 'committed']), /^sha256:/);
  const saved = join(folder, 'saved.tar');
  await ok(['save', '-o', saved, 'committed', 'built']);
  await ok(['rmi', 'committed']);
  const loaded = (await ok(['load', '-i', saved])).split('\n').sort();
  assert.deepEqual(loaded, ['Loaded image: built:latest', 'Loaded image: committed:latest']);
  assert.match(await ok(['network', 'create', '--subnet', '10.225.7.0/24', 'net']), /^[0-9a-f]{64}$/);
  await ok(['create', '--name', 'made', '--network', 'net', 'box:1', 'true']);
  await ok(['network', 'disconnect', 'net', 'made']);
  await ok(['network', 'connect', '--alias', 'x', '--ip', '10.225.7.9', 'net', 'made']);
  await ok(['rename', 'made', 'named']);
});

test('explore: images, history and configuration of a Docker host, and that it knows no more', async () => {
  await using explorer = await startExplorer(dockerd.address, 'built');
  const read = async (path: string) => {
    const answer = await explorer.ask(path);
    return [answer.status, JSON.parse(await answer.text())] as const;
  };
  assert.match(explorer.url, /&at=%2Fimage%2Fbuilt$/);
  assert.deepEqual(await read('/about.json'), [200, { kind: 'host', address: dockerd.address, isStrake: false }]);
  const [status, history] = await read('/api/images/built/history');
  assert.deepEqual([status, history.length], [200, 4]);
  const [, images] = await read('/api/images/json?shared-size=1');
  assert.ok(images.some(({ RepoTags }: { RepoTags: string[] }) => RepoTags.includes('built:latest')));
  assert.equal((await read('/api/strake/images/tree'))[0], 404);
});

test('what it shows is what docker shows', async (t) => {
  const rows: string[][] = [
    ['images', '--no-trunc'],
    ['images', '-q', 'box'],
    ['image', 'inspect', 'built'],
    ['history', 'built'],
    ['history', '--no-trunc', '--format', '{{.CreatedBy}}', 'committed'],
    ['ps', '-a'],
    ['ps', '--format', 'table {{.Names}}\t{{.Image}}\t{{.Status}}'],
    ['ps', '-aq', '--filter', 'label=a=b'],
    ['inspect', 'stays'],
    ['inspect', '--format', '{{.NetworkSettings.Networks.net.IPAMConfig.IPv4Address}} {{.State.Status}}', 'named'],
    ['logs', 'stays'],
    ['port', 'stays'],
    ['network', 'ls'],
    ['network', 'inspect', 'net'],
    ['network', 'ls', '--filter', 'driver=null', '--format', '{{.Name}} {{.Scope}}'],
    ['volume', 'ls'],
    ['volume', 'inspect', 'vol'],
    ['version', '--format', '{{.Server.Version}} {{.Server.APIVersion}}'],
    ['info', '--format', '{{.Driver}} {{.ServerVersion}} {{.Images}}'],
    ['inspect', 'nosuch'],
    ['image', 'inspect', 'nosuch'],
    ['network', 'inspect', 'nosuch'],
    ['inspect', '--format', '{{.Id}}', 'nosuch'],
    ['network', 'create', 'net'],
    ['rmi', 'nosuch'],
    ['rm', 'stays'],
    ['start', 'nosuch'],
    ['exec', 'named', 'true'],
    ['run', '--rm', '--network', 'none', 'box:1', 'nosuch'],
    ['run', '--rm', '--network', 'none', 'box:1', '/etc/passwd'],
    ['run', '--name', 'stays', 'box:1', 'true'],
    ['exec', 'stays', 'sh', '-c', 'echo out; echo err >&2; exit 7'],
  ];
  for (const args of rows)
    await t.test(args.join(' '), async () => {
      const [ours, theirs] = await Promise.all([strake(args), docker(args)]);
      // dockerd gives images of the same second in any order.
      const shown = (words: string) =>
        args[0] === 'images' ? plain(words).split('\n').sort().join('\n') : plain(words);
      for (const stream of ['stdout', 'stderr'] as const)
        assert.equal(shown(ours[stream]), shown(theirs[stream]), stream);
      assert.equal(ours.code, theirs.code);
    });
});

test('and what was made is taken away', async () => {
  assert.equal(await ok(['stop', '-t', '0', 'stays']), 'stays');
  assert.equal(await ok(['wait', 'stays']), '137');
  assert.equal(await ok(['start', 'stays']), 'stays');
  await ok(['kill', 'stays']);
  assert.equal(await ok(['rm', '-f', 'stays', 'named']), 'stays\nnamed');
  assert.equal(await ok(['network', 'rm', 'net']), 'net');
  assert.equal(await ok(['volume', 'rm', 'vol']), 'vol');
  assert.match(await ok(['rmi', 'built', 'committed']), /^Untagged: built:latest/m);
  await ok(['image', 'prune', '-a', '-f']);
  await ok(['container', 'prune', '-f']);
  assert.equal(await dockerd.ok(['ps', '-aq']), '');
  assert.equal(await dockerd.ok(['images', '-q']), '');
});
