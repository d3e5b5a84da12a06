/** What a build gets from the folders and the agent of its client's session, which is on the far side of a connection. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { linkSync, lstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  importBusybox,
  makeContext,
  type Result,
  run,
  startHost,
  type TestHost,
  until,
  withLibraries,
} from './harness.ts';
import { NEWER_DOCKER, pluginConfig, withoutNewerClients } from './newer-clients.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

function build(args: readonly string[], env: Record<string, string> = {}): Promise<Result> {
  return run('/usr/bin/docker', ['build', '--progress=plain', ...args], {
    timeout: 60_000,
    env: { DOCKER_CONFIG: host.folder, DOCKER_HOST: `unix://${host.socket}`, DOCKER_BUILDKIT: '1', ...env },
  });
}

async function built(args: readonly string[], env?: Record<string, string>): Promise<string> {
  const { code, stdout, stderr } = await build(args, env);
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  return stdout + stderr;
}

const copies = (): string[] => {
  const root = join(host.folder, 'data/memo/client-folders');
  return readdirSync(root).map((name) => join(root, name, 'tree'));
};

test('only what a build needs travels, as it is, and only what changed travels again', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nARG WHERE=src\nCOPY $WHERE link tools/*.sh /x/\n',
    'src/a': 'one\n',
    'src/b': 'two\n',
    'src/ignored': 'x\n',
    'tools/run.sh': 'echo run\n',
    'tools/notes': 'x\n',
    'other/target': 'by a link\n',
    'other/unused': 'x\n',
    '.dockerignore': '**/ignored\n',
  });
  symlinkSync('other/target', join(context, 'link'));
  linkSync(join(context, 'src/a'), join(context, 'src/twin'));
  execFileSync('chmod', ['4750', join(context, 'src/b')]);
  await built(['-t', 'small', context]);
  const look = 'cd /x; cat a b link twin run.sh; stat -c "%n %a %u:%g" b; ls | wc -l';
  const text = 'one\ntwo\nby a link\none\necho run\nb 4750 0:0';
  assert.equal(await host.sh('small', look), `${text}\n5`);
  const [tree = '', more] = copies();
  assert.equal(more, undefined);
  assert.deepEqual(readdirSync(tree, { recursive: true }).map(String).sort(), [
    ...['link', 'other', 'other/target', 'src', 'src/a', 'src/b', 'src/twin', 'tools', 'tools/run.sh'],
  ]);

  const filesOf = () => ['src/a', 'tools/run.sh'].map((path) => stateOf(join(tree, path)));
  const before = filesOf();
  writeFileSync(join(context, 'src/b'), 'new\n');
  rmSync(join(context, 'src/twin'));
  await built(['-t', 'small', context]);
  assert.equal(
    await host.sh('small', look.replace(' twin', '')),
    `${text.replace('two', 'new').replace('link\none', 'link')}\n4`,
  );
  assert.deepEqual(copies(), [tree]);
  assert.deepEqual(filesOf(), before); // nobody touched them
});

/** What changes when a file is made anew or written to, and does not when a layer gets a link to it. */
function stateOf(path: string) {
  const { ino, birthtimeNs, mtimeNs, mode, uid, size } = lstatSync(path, { bigint: true });
  return { ino, birthtimeNs, mtimeNs, mode, uid, size };
}

test('builds of one folder at the same time have a copy each; pruning the cache takes them', async () => {
  const files = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`all/${i}`, `${i}\n`]));
  const context = makeContext(host.folder, {
    ...files,
    Dockerfile: 'FROM busybox\nCOPY all /all\nRUN cat /all/* | sort -n | tail -1 >/last\n',
    '.dockerignore': Array.from({ length: 4000 }, (_, i) => `nothing/of/the/name/${i}`).join('\n'),
    other: 'FROM busybox\nCOPY all/1* /all/\nRUN cat /all/* | sort -n | tail -1 >/last\n',
  });
  await Promise.all([
    built(['-t', 'whole', context]),
    built(['-t', 'part', '-f', join(context, 'other'), context]),
    built(['-t', 'again', '--no-cache', context]),
  ]);
  const last = (image: string) => host.sh(image, 'cat /last');
  assert.deepEqual(await Promise.all(['whole', 'part', 'again'].map(last)), ['199', '199', '199']);
  assert.equal(await host.sh('part', 'ls /all | wc -l'), '111');
  assert.ok(copies().length > 0);
  await host.ok(['builder', 'prune', '-af']);
  assert.deepEqual(copies(), []);
});

test('an agent of the client signs for a RUN, and takes no orders from it', async () => {
  const folder = mkdtempSync('/tmp/strake-agent-');
  const socket = join(folder, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  try {
    const key = join(folder, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'the-key', '-f', key]);
    await until(() => spawnSync('ssh-add', [key], { env: { ...process.env, SSH_AUTH_SOCK: socket } }).status === 0);
    const context = makeContext(host.folder, {
      Dockerfile: [
        'FROM busybox',
        'COPY root /',
        'RUN --mount=type=ssh ssh-add -l',
        'RUN --mount=type=ssh ssh-add -D; echo keys: $(ssh-add -l | grep -c the-key)',
        'RUN --mount=type=ssh,id=none test -z "$SSH_AUTH_SOCK"',
      ].join('\n'),
    });
    withLibraries(execFileSync('which', ['ssh-add'], { encoding: 'utf8' }).trim(), context);
    const told = await built(['--ssh', 'default', context], { SSH_AUTH_SOCK: socket });
    assert.match(told, /SHA256:\S+ the-key \(ED25519\)/);
    assert.match(told, /keys: 1$/m);
    writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nRUN --mount=type=ssh,required true\n');
    const { code, stderr } = await build([context]);
    assert.equal(code, 1);
    assert.match(stderr, /unset ssh forward key default/);
  } finally {
    agent.kill();
    rmSync(folder, { recursive: true });
  }
});

test('named contexts are folders of the client too; a result goes into one', {
  skip: withoutNewerClients,
}, async () => {
  const context = makeContext(host.folder, {
    'elsewhere/Build': 'FROM scratch\nCOPY --from=more sub /\nCOPY --from=more link /l\nCOPY own /\n',
    'elsewhere/Build.dockerignore': 'unused\n',
    'context/own': 'mine\n',
    'more/sub/file': 'theirs\n',
    'more/sub/skipped': 'x\n',
    'more/.dockerignore': '**/skipped\n',
  });
  symlinkSync('sub/file', join(context, 'more/link'));
  const out = join(context, 'out');
  const { code, stderr } = await run(
    NEWER_DOCKER,
    [
      ...[
        'buildx',
        'build',
        '-f',
        join(context, 'elsewhere/Build'),
        '--build-context',
        `more=${join(context, 'more')}`,
      ],
      ...['-o', out, join(context, 'context')],
    ],
    { env: { DOCKER_HOST: `unix://${host.socket}`, DOCKER_CONFIG: pluginConfig(host.folder) }, timeout: 60_000 },
  );
  assert.equal(code, 0, stderr);
  assert.deepEqual(readdirSync(out).sort(), ['file', 'l', 'own']);
});
