/** A host that is killed with -9 at any moment: the next start is clean, the store is sound, the same work succeeds. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  freePort,
  importBusybox,
  leftovers,
  makeContext,
  run,
  startHost,
  storeProblems,
  type TestHost,
  until,
} from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

// After each crash: nothing of it is left once the next host has started, and the store is sound when that one stops.
afterEach(async () => {
  for (const id of (await host.ok(['ps', '-aq'])).split('\n').filter(Boolean)) await host.ok(['rm', '-f', id]);
  await host.stop();
  assert.deepEqual(leftovers(host.dataRoot), []);
  assert.deepEqual(await storeProblems(host.dataRoot), []);
  for (const name of ['tmp', 'active']) assert.deepEqual(readdirSync(join(host.dataRoot, name)), [], name);
  await host.restart();
});

/** Kills the host, starts it again, and looks that nothing is mounted and no process of a container lives. */
async function crash(): Promise<void> {
  await host.stop('SIGKILL');
  await host.restart();
  assert.deepEqual(
    leftovers(host.dataRoot).filter((line) => !line.includes(' host -H ') && !line.includes('host.js')),
    [],
    'left after the next start',
  );
  assert.deepEqual(processes('sleep 31337'), []);
}

const processes = (command: string) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() === command;
      } catch {
        return false;
      }
    });

/** Delays that meet a piece of work at its beginning, within it, and about its end, from how long it takes. */
async function moments(work: () => Promise<unknown>): Promise<number[]> {
  const started = Date.now();
  await work();
  const whole = Date.now() - started;
  return [0.05, 0.2, 0.4, 0.6, 0.8, 0.95].map((part) => Math.round(part * whole));
}

test('killed during a RUN: its process and its mounts are gone, the build then succeeds', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nRUN echo one > /one\nRUN test -f /go || sleep 31337\n',
  });
  const build = host.strake(['build', '-t', 'crashed', context]);
  await until(() => processes('sleep 31337').length === 1);
  await sleep(1000); // the layer of the step before gets its digest beside the next step
  await crash();
  assert.notEqual((await build).code, 0);
  writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nRUN echo one > /one\nRUN cat /one\n');
  const output = await host.ok(['build', '-t', 'crashed', context]);
  assert.match(output, /Step 2\/3 : RUN echo one > \/one\n ---> Using cache/);
});

test('killed while containers run: they are ended and say so, can be started again and removed', async () => {
  const port = await freePort();
  await host.ok(['run', '-d', '--name', 'one', '-p', `127.0.0.1:${port}:80`, 'busybox', 'sleep', '31337']);
  await host.ok([
    'run',
    '-d',
    '--name',
    'two',
    '-v',
    '/kept',
    'busybox',
    'sh',
    '-c',
    'echo mine > /file; sync; sleep 31337',
  ]);
  await until(async () => processes('sleep 31337').length === 2);
  await crash();
  assert.equal(await host.ok(['ps', '-q']), '');
  assert.match(
    await host.ok(['ps', '-a', '--format', '{{.Names}} {{.Status}}']),
    /^two Exited \((137|255)\).*\none Exited \((137|255)\).*$/,
  );
  await host.ok(['start', 'one']);
  assert.equal(await host.inspect('one', '{{.State.Running}}'), 'true');
  await host.ok(['rm', '-f', 'one']);
  await host.ok(['run', '-d', '--name', 'one', '-p', `127.0.0.1:${port}:80`, 'busybox', 'sleep', '31337']);
  assert.equal(await host.ok(['rm', '-f', '-v', 'one', 'two']), 'one\ntwo');
});

test('killed during run --rm: the container is removed by the next host', async () => {
  const client = host.strake(['run', '--rm', 'busybox', 'sleep', '31337']);
  await until(() => processes('sleep 31337').length === 1);
  await crash();
  assert.notEqual((await client).code, 0);
  await until(async () => (await host.ok(['ps', '-aq'])) === '');
});

test('killed at six moments of a COPY of 5,000 files', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nCOPY tree /tree\n' });
  for (let folder = 0; folder < 50; folder++) {
    mkdirSync(join(context, `tree/${folder}`), { recursive: true });
    for (let file = 0; file < 100; file++)
      writeFileSync(join(context, `tree/${folder}/${file}`), `${folder} ${file} `.repeat(100));
  }
  for (const delay of await moments(() => host.ok(['build', '-q', '--no-cache', context]))) {
    const build = host.strake(['build', '--no-cache', '-t', 'copied', context]);
    await sleep(delay);
    await crash();
    await build;
    await host.ok(['build', '-q', '-t', 'copied', context]);
    assert.equal(await host.sh('copied', 'find /tree -type f | wc -l; cat /tree/49/99 | head -c 6'), '5000\n49 99 ');
  }
});

test('killed at six moments of a RUN that writes 3,000 files, and of its commit', async () => {
  const dockerfile = 'FROM busybox\nRUN mkdir /out && for i in $(seq 3000); do echo $i > /out/$i; done\n';
  const context = makeContext(host.folder, { Dockerfile: dockerfile });
  for (const delay of await moments(() => host.ok(['build', '-q', '--no-cache', context]))) {
    const build = host.strake(['build', '--no-cache', '-t', 'written', context]);
    await sleep(delay);
    await crash();
    await build;
    await host.ok(['build', '-q', '-t', 'written', context]);
    assert.equal(await host.sh('written', 'ls /out | wc -l; cat /out/3000'), '3000\n3000');
  }
});

test('killed at six moments of an import', async () => {
  const folder = join(host.folder, 'tree');
  mkdirSync(folder);
  for (let file = 0; file < 2000; file++) writeFileSync(join(folder, `${file}`), `${file} `.repeat(2000));
  const tar = `${folder}.tar`;
  assert.equal((await run('tar', ['-C', host.folder, '-cf', tar, 'tree'])).code, 0);
  for (const delay of await moments(() => host.ok(['import', tar]))) {
    await host.strake(['image', 'prune', '-f']);
    const layers = readdirSync(join(host.dataRoot, 'layers')).length;
    const client = host.strake(['import', tar, 'imported']);
    await sleep(delay);
    await crash();
    const { code } = await client;
    const kept = (await host.strake(['inspect', 'imported'])).code === 0;
    assert.ok(kept || code !== 0, 'an import that was confirmed is gone');
    if (kept) await host.ok(['rmi', 'imported']);
    await until(() => readdirSync(join(host.dataRoot, 'layers')).length <= layers);
  }
});

test('a runtime that waits for the start of an exec goes with its host', async () => {
  const id = await host.ok(['run', '-d', 'busybox', 'sleep', '31337']);
  const body = ['-H', 'Content-Type: application/json', '-d', '{"Cmd":["true"]}'];
  const create = ['-fsS', '--unix-socket', host.socket, ...body, `http://host/containers/${id}/exec`];
  const waiting = () => leftovers(id).filter((line) => line.includes(' exec --detach '));
  await until(async () => (await run('curl', create)).code === 0 && waiting().length > 0);
  await host.stop('SIGKILL');
  await until(() => waiting().length === 0);
  await host.restart();
  assert.deepEqual(processes('sleep 31337'), []);
});

test('killed again and again during the start itself', async () => {
  await host.ok(['run', '-d', '--name', 'kept', 'busybox', 'sleep', '31337']);
  await host.stop('SIGKILL');
  for (const delay of [20, 60, 120, 200, 300]) {
    const starting = host.restart().catch(() => undefined);
    await sleep(delay);
    await run('sh', [
      '-c',
      `pid=$(cat ${join(host.dataRoot, 'lock')}); grep -q host.js /proc/$pid/cmdline && kill -9 $pid || true`,
    ]);
    await Promise.race([starting, sleep(3000)]);
    await host.stop('SIGKILL');
    await starting;
  }
  await host.restart();
  assert.deepEqual(processes('sleep 31337'), []);
  assert.match(await host.ok(['ps', '-a', '--format', '{{.Names}} {{.Status}}']), /^kept Exited/);
});

test('names and images that were confirmed are there after the crash', async () => {
  for (let round = 0; round < 5; round++) {
    const id = await host.build(`round:${round}`, `FROM busybox\nRUN echo ${round} > /round\n`, {}, ['-q']);
    await host.ok(['tag', `round:${round}`, `also:${round}`]);
    await crash();
    assert.equal(await host.inspect(`also:${round}`, '{{.Id}}'), id);
    assert.equal(await host.sh(`also:${round}`, 'cat /round'), String(round));
  }
});
