/** What buildx brings to a build and takes from it by its own content store: caches in folders, OCI layouts. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, type Result, run, startHost, type TestHost } from './harness.ts';
import { NEWER_DOCKER, pluginConfig, withoutNewerClients } from './newer-clients.ts';

let host: TestHost;
let env: Record<string, string>;

before(async () => {
  if (withoutNewerClients) return;
  host = await startHost();
  await importBusybox(host);
  env = { DOCKER_HOST: `unix://${host.socket}`, DOCKER_CONFIG: pluginConfig(host.folder), DOCKER_BUILDKIT: '1' };
});
after(() => host?.[Symbol.asyncDispose]());

const docker = (args: readonly string[]): Promise<Result> => run(NEWER_DOCKER, args, { env, timeout: 60_000 });

async function ok(args: readonly string[]): Promise<Result> {
  const result = await docker(args);
  assert.equal(result.code, 0, `docker ${args.join(' ')}\n${result.stdout}\n${result.stderr}`);
  return result;
}

const build = (context: string, ...args: readonly string[]) =>
  ok(['buildx', 'build', '--progress=plain', ...args, context]);

async function forget(...names: readonly string[]): Promise<void> {
  await ok(['rmi', ...names]);
  await ok(['buildx', 'prune', '-af']);
}

const cachedSteps = ({ stderr }: Result) => stderr.match(/^#\d+ CACHED$/gm)?.length ?? 0;

const options = { skip: withoutNewerClients };

test('a cache in a folder: with mode=max all steps, in the form that strake build reads too', options, async () => {
  const folder = join(host.folder, 'cache');
  const context = makeContext(host.folder, {
    Dockerfile: [
      'FROM busybox AS made',
      'RUN echo "$RANDOM $(date +%N)" >/text',
      'FROM busybox',
      'COPY --from=made /text /text',
    ].join('\n'),
  });
  const first = await build(context, '--cache-to', `type=local,dest=${folder},mode=max`, '-t', 'cached');
  assert.match(first.stderr, /^#\d+ exporting cache to client directory$/m);
  const text = await host.sh('cached', 'cat /text');
  await forget('cached');
  const second = await build(context, '--cache-from', `type=local,src=${folder}`, '-t', 'cached');
  assert.equal(second.stderr.match(/importing cache manifest from local:/g)?.length, 1);
  assert.equal(cachedSteps(second), 2);
  assert.equal(await host.sh('cached', 'cat /text'), text);
  await forget('cached');
  await host.ok(['build', '--cache-from', `type=local,src=${folder}`, '-t', 'cached', context]);
  assert.equal(await host.sh('cached', 'cat /text'), text);
  await forget('cached');
});

test(
  'a cache of mode=min lacks steps of other stages; one that is damaged is said and passed over',
  options,
  async () => {
    const folder = join(host.folder, 'small-cache');
    const context = makeContext(host.folder, {
      Dockerfile:
        'FROM busybox AS made\nRUN echo made >/text\nFROM busybox\nRUN echo own >/own\nCOPY --from=made /text /\n',
    });
    await build(context, '--cache-to', `type=local,dest=${folder}`, '-t', 'small');
    await forget('small');
    const second = await build(context, '--cache-from', `type=local,src=${folder}`, '-t', 'small');
    assert.match(second.stderr, /RUN echo made >\/text\n#\d+ DONE/);
    assert.equal(cachedSteps(second), 2);
    await forget('small');
    const blobs = join(folder, 'blobs/sha256');
    const [largest = ''] = readdirSync(blobs).sort(
      (a, b) => statSync(join(blobs, b)).size - statSync(join(blobs, a)).size,
    );
    truncateSync(join(blobs, largest), 1000);
    const damaged = await build(context, '--cache-from', `type=local,src=${folder}`, '-t', 'small');
    assert.match(damaged.stderr, /ERROR: blob sha256:\w+: the client sends 1000 of its \d+ bytes/);
    assert.equal(cachedSteps(damaged), 0);
    await forget('small');
  },
);

test('a cache with options that make no sense fails before the build', options, async () => {
  const folder = join(host.folder, 'no-cache');
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nRUN echo x >/x\n' });
  const target = `type=local,dest=${folder},mode=most`;
  const { code, stderr } = await docker(['buildx', 'build', '--cache-to', target, context]);
  assert.notEqual(code, 0);
  assert.match(stderr, /invalid cache mode "most": expected min or max/);
  assert.ok(!existsSync(join(folder, 'index.json')));
});

test('an OCI layout as a named context: FROM, COPY --from, and a digest that is not there', options, async () => {
  const layout = join(host.folder, 'layout');
  const base = makeContext(host.folder, { Dockerfile: 'FROM busybox\nENV FROM_LAYOUT=yes\nRUN echo base >/base\n' });
  await build(base, '-t', 'base', '--output', `type=oci,dest=${layout}.tar`);
  mkdirSync(layout);
  await run('tar', ['-xf', `${layout}.tar`, '-C', layout]);
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM base\nCOPY --from=base /base /copied\nRUN echo $FROM_LAYOUT >/env\n',
  });
  await ok(['buildx', 'prune', '-af']);
  const images = (await ok(['images', '-aq'])).stdout;
  await build(context, '--build-context', `base=oci-layout://${layout}`, '-t', 'derived');
  assert.equal(await host.sh('derived', 'cat /copied /env'), 'base\nyes');
  await forget('derived');
  assert.equal((await ok(['images', '-aq'])).stdout, images, 'the image of the layout is the build cache alone');
  const missing = `base=oci-layout://${layout}@sha256:${'1'.repeat(64)}`;
  const { code, stderr } = await docker(['buildx', 'build', '--build-context', missing, context]);
  assert.notEqual(code, 0);
  assert.match(stderr, /the client has no manifest sha256:1{64}/);
});
