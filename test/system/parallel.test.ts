/** Stages are solved at the same time, what two builds both need is done once, and requests that contest one container all have their answer. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
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

/** One request of the API, on a connection of its own: its status and its message. */
function ask(method: string, path: string, body?: unknown): Promise<{ status: number; message: string; Id: string }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const sent = request({ socketPath: host.socket, method, path, headers, agent: false }, async (answer) => {
      const { message = '', Id = '' } = (await json(answer).catch(() => ({}))) as { message?: string; Id?: string }; // the API's own
      resolve({ status: answer.statusCode ?? 0, message, Id });
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

test('a container that all pull at once: each request is done or refused, and nothing is left', async () => {
  const create = { Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig: { Init: true } };
  const made = await Promise.all(Array.from({ length: 20 }, () => ask('POST', '/containers/create?name=rope', create)));
  assert.deepEqual(made.map(({ status }) => status).sort(), [201, ...Array.from({ length: 19 }, () => 409)]);
  const verbs = ['start', 'stop?t=0', 'restart?t=0', 'pause', 'unpause', 'kill', 'exec'];
  const done = await Promise.all(
    Array.from({ length: 56 }, async (_, index) => {
      const verb = verbs[index % verbs.length];
      if (verb !== 'exec') return ask('POST', `/containers/rope/${verb}`);
      const exec = await ask('POST', '/containers/rope/exec', { Cmd: ['true'] });
      return exec.status === 201 ? ask('POST', `/exec/${exec.Id}/start`, { Detach: true }) : exec;
    }),
  );
  const wrong = done.filter(({ status }) => ![200, 204, 304, 404, 409].includes(status));
  assert.deepEqual(wrong, []);
  const gone = await Promise.all(Array.from({ length: 10 }, () => ask('DELETE', '/containers/rope?force=1')));
  assert.equal(gone.filter(({ status }) => status === 204).length, 1, JSON.stringify(gone));
  assert.equal(await host.ok(['ps', '-aq']), '');
});
