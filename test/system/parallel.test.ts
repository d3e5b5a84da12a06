/** Stages are solved at the same time, and what two builds both need is done once. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, startHost, type TestHost } from './harness.ts';

let host: TestHost;

before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(async () => await host[Symbol.asyncDispose]());

const SHARED = '--mount=type=cache,id=meet,target=/m';

test('four stages run at the same time', async () => {
  const names = ['a', 'b', 'c', 'd'];
  // Each waits until all four are there, and fails when they do not come.
  const wait = 'for i in $(seq 300); do [ $(ls /m | wc -l) = 4 ] && exit 0; sleep .1; done; exit 1';
  const stages = names.map((name) => `FROM busybox AS ${name}\nRUN ${SHARED} touch /m/${name}; ${wait}\n`);
  const copies = names.map((name) => `COPY --from=${name} /etc/group /${name}\n`);
  await host.build('four', [...stages, 'FROM scratch\n', ...copies].join(''));
});

test('the same step of builds that run at the same time runs once', async () => {
  const step = `RUN ${SHARED.replace('meet', 'log')} echo ran >> /m/log; sleep 1\n`;
  const contexts = ['one', 'two', 'three'].map((text) =>
    makeContext(host.folder, { Dockerfile: `FROM busybox\n${step}LABEL a=${text}\nCOPY file /\n`, file: text }),
  );
  await Promise.all(contexts.map((context) => host.ok(['build', '-q', context])));
  const log = await host.ok([
    'build',
    '--no-cache',
    makeContext(host.folder, { Dockerfile: `FROM busybox\nRUN ${SHARED.replace('meet', 'log')} wc -l < /m/log\n` }),
  ]);
  assert.match(log, /^1$/m);
});

test('a build that waits for the step of another takes it over when that is cancelled', async () => {
  const dockerfile = `FROM busybox\nRUN ${SHARED.replace('meet', 'first')} echo ran >> /m/log; sleep 2\n`;
  const context = makeContext(host.folder, { Dockerfile: dockerfile });
  const first = host.strake(['build', context], { timeout: 1_500 }).catch(() => 'killed');
  const second = host.ok(['build', '-q', context]);
  assert.match(await second, /^sha256:/);
  await first;
});
