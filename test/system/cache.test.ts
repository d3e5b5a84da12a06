/** The build cache (mission rows C1 to C4): what hits, what misses, and that it never serves what is stale. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { importBusybox, makeContext, run, startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

// A test's steps are not those of another: an ENV counts for every step, a LABEL would not.
let salt = '';
beforeEach((context) => {
  salt = `ENV TEST="${context.name.replaceAll(/[^\w ]/g, '')}"`;
});

/** Numbers of the steps that came from the cache, of those that take work: RUN, COPY, ADD, WORKDIR. */
function cachedSteps(output: string): number[] {
  const steps = output
    .split(/^(?=Step \d+\/\d+ : )/m)
    .filter((part) => /^Step \d+\/\d+ : (?:RUN|COPY|ADD|WORKDIR)/.test(part));
  return steps.filter((part) => part.includes(' ---> Using cache\n')).map((part) => Number(/\d+/.exec(part)?.[0]));
}

/** Builds the context and gives the cached steps. */
async function rebuild(context: string, ...flags: string[]): Promise<number[]> {
  return cachedSteps(await host.ok(['build', '-t', 'cached', ...flags, context]));
}

const dockerfile = (...lines: string[]) => ['FROM busybox', salt, ...lines, ''].join('\n');

test('a second build takes every step from the cache and gives the same image', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: dockerfile('COPY f /f', 'RUN cat /f', 'WORKDIR /new', 'ADD f /g'),
    f: 'f',
  });
  assert.deepEqual(await rebuild(context), []);
  const id = await host.inspect('cached', '{{.Id}}');
  assert.deepEqual(await rebuild(context), [3, 4, 5, 6]);
  assert.equal(await host.inspect('cached', '{{.Id}}'), id);
});

test('C1: the first miss ends caching for what depends on it; what was built before stays cached', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: dockerfile('RUN echo 1', 'COPY f /f', 'RUN echo 2'),
    f: 'one',
  });
  await rebuild(context);
  writeFileSync(join(context, 'f'), 'two');
  assert.deepEqual(await rebuild(context), [3]);
  writeFileSync(join(context, 'f'), 'one');
  assert.deepEqual(await rebuild(context), [3, 4, 5]);
});

test('C1: two Dockerfiles share the steps that they begin with', async () => {
  await rebuild(makeContext(host.folder, { Dockerfile: dockerfile('RUN echo shared', 'RUN echo a') }));
  assert.deepEqual(
    await rebuild(makeContext(host.folder, { Dockerfile: dockerfile('RUN echo shared', 'RUN echo b') })),
    [3],
  );
});

test('C1: another base is another chain', async () => {
  await host.build('base', 'FROM busybox\nRUN echo 1 > /base\n');
  const context = makeContext(host.folder, { Dockerfile: 'FROM base\nRUN echo on base\n' });
  await rebuild(context);
  assert.deepEqual(await rebuild(context), [2]);
  await host.build('base', 'FROM busybox\nRUN echo 2 > /base\n');
  assert.deepEqual(await rebuild(context), []);
});

test('C1: the cache outlives the host', async () => {
  const context = makeContext(host.folder, { Dockerfile: dockerfile('RUN echo 1', 'COPY f /f'), f: 'f' });
  await rebuild(context);
  await host.stop();
  await host.restart();
  assert.deepEqual(await rebuild(context), [3, 4]);
});

type Change = (file: (name: string) => string) => void;
const KEEPS: Readonly<Record<string, Change>> = {
  'another modification time': (file) => utimesSync(file('tree/a'), 1, 1),
  'another modification time of a folder': (file) => utimesSync(file('tree'), 1, 1),
  'another owner': (file) => chownSync(file('tree/a'), 1234, 1234),
  'a rewritten file with the same content': (file) => {
    rmSync(file('tree/a'));
    writeFileSync(file('tree/a'), 'content a');
  },
  'a new file that is not copied': (file) => writeFileSync(file('other'), 'x'),
  'a new file that .dockerignore excludes': (file) => writeFileSync(file('tree/x.log'), 'x'),
};
const MISSES: Readonly<Record<string, Change>> = {
  'another content': (file) => writeFileSync(file('tree/a'), 'content b'),
  'another mode': (file) => chmodSync(file('tree/a'), 0o600),
  'another mode of a folder': (file) => chmodSync(file('tree/sub'), 0o700),
  'a new file': (file) => writeFileSync(file('tree/new'), ''),
  'a removed file': (file) => rmSync(file('tree/sub/b')),
  'another name': (file) => renameSync(file('tree/a'), file('tree/c')),
  'another link target': (file) => {
    rmSync(file('tree/link'));
    symlinkSync('sub', file('tree/link'));
  },
};
for (const [changes, hit] of [
  [KEEPS, true],
  [MISSES, false],
] as const)
  for (const [name, change] of Object.entries(changes))
    for (const instruction of ['COPY', 'ADD'])
      test(`C2: ${instruction} ${hit ? 'is cached in spite of' : 'misses with'} ${name}`, async () => {
        const context = makeContext(host.folder, {
          Dockerfile: dockerfile(`${instruction} tree /tree`),
          '.dockerignore': '**/*.log\n',
          'tree/a': 'content a',
          'tree/sub/b': 'b',
          'tree/link': '-> a',
        });
        await rebuild(context);
        change((path) => join(context, path));
        assert.deepEqual(await rebuild(context), hit ? [3] : []);
      });

test('C2: ADD of a URL asks again and is decided by what comes', async () => {
  let body = 'one';
  const server = createServer((_, answer) => answer.setHeader('Last-Modified', new Date().toUTCString()).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  try {
    const context = makeContext(host.folder, {
      Dockerfile: dockerfile(`ADD http://127.0.0.1:${address.port}/file /file`),
    });
    await rebuild(context);
    assert.deepEqual(await rebuild(context), [3]);
    body = 'two';
    assert.deepEqual(await rebuild(context), []);
    assert.equal(await host.sh('cached', 'cat /file'), 'two');
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('C2: COPY --from is decided by the files that it takes, not by how they were made', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: `FROM busybox\n${salt}\nARG NOISE\nRUN echo $NOISE > /noise; echo same > /out; touch -d @1000000000 /out\nFROM busybox\nCOPY --from=0 /out /out\nRUN cat /out\n`,
  });
  await rebuild(context, '--build-arg', 'NOISE=1');
  assert.deepEqual(await rebuild(context, '--build-arg', 'NOISE=2'), [6, 7]);
});

test('C3: RUN is decided by its text, never by what it would do', async () => {
  const context = makeContext(host.folder, { Dockerfile: dockerfile('RUN cat /proc/sys/kernel/random/uuid > /uuid') });
  await rebuild(context);
  const first = await host.sh('cached', 'cat /uuid');
  assert.deepEqual(await rebuild(context), [3]);
  assert.equal(await host.sh('cached', 'cat /uuid'), first);
  writeFileSync(join(context, 'Dockerfile'), dockerfile('RUN cat  /proc/sys/kernel/random/uuid > /uuid'));
  assert.deepEqual(await rebuild(context), []);
});

test('C3: an ARG counts for the RUNs after it, with its value; not before it', async () => {
  const context = makeContext(host.folder, { Dockerfile: dockerfile('RUN echo before', 'ARG A=1', 'RUN echo after') });
  await rebuild(context);
  assert.deepEqual(await rebuild(context, '--build-arg', 'A=1'), [3, 5]);
  assert.deepEqual(await rebuild(context, '--build-arg', 'A=2'), [3]);
  assert.deepEqual(await rebuild(context, '--build-arg', 'A=2'), [3, 5]);
});

test('C3: an ARG that an ENV of the same name overrides does not count', async () => {
  const context = makeContext(host.folder, { Dockerfile: dockerfile('ARG A', 'ENV A=fixed', 'RUN echo $A') });
  await rebuild(context, '--build-arg', 'A=1');
  assert.deepEqual(await rebuild(context, '--build-arg', 'A=2'), [5]);
});

test('C3: predefined ARGs (proxies) reach RUN and do not count', async () => {
  const context = makeContext(host.folder, { Dockerfile: dockerfile('RUN echo "proxy: $http_proxy"') });
  assert.match(
    await host.ok(['build', '-t', 'cached', '--build-arg', 'http_proxy=http://one', context]),
    /^proxy: http:\/\/one$/m,
  );
  assert.deepEqual(await rebuild(context, '--build-arg', 'http_proxy=http://two'), [3]);
});

test('C3: ENV, USER, WORKDIR and SHELL before a RUN count', async () => {
  const context = makeContext(host.folder, {});
  for (const line of ['ENV A=1', 'ENV A=2', 'USER app', 'WORKDIR /tmp', 'SHELL ["/bin/sh", "-ec"]']) {
    writeFileSync(join(context, 'Dockerfile'), dockerfile(line, 'RUN echo x'));
    assert.ok(!(await rebuild(context)).includes(4), line);
    assert.ok((await rebuild(context)).includes(4), line);
  }
});

test('metadata before a RUN that cannot reach it re-runs nothing: LABEL, EXPOSE, CMD, HEALTHCHECK', async () => {
  const context = makeContext(host.folder, {});
  const lines = [
    ['LABEL a=1', 'EXPOSE 1', 'CMD ["1"]', 'HEALTHCHECK NONE'],
    ['LABEL a=2', 'EXPOSE 2', 'CMD ["2"]', 'HEALTHCHECK CMD true'],
  ];
  for (const [round, group] of lines.entries()) {
    writeFileSync(join(context, 'Dockerfile'), dockerfile(...group, 'RUN echo after', 'COPY Dockerfile /x'));
    assert.deepEqual(await rebuild(context), round === 0 ? [] : [7]);
  }
  assert.equal(await host.inspect('cached', '{{index .Config.Labels "a"}} {{json .Config.Cmd}}'), '2 ["2"]');
});

test('C4: --no-cache works again and its results are what the next build finds', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: dockerfile('RUN cat /proc/sys/kernel/random/uuid > /uuid', 'COPY f /f'),
    f: 'f',
  });
  await rebuild(context);
  const first = await host.sh('cached', 'cat /uuid');
  assert.deepEqual(await rebuild(context, '--no-cache'), []);
  const second = await host.sh('cached', 'cat /uuid');
  assert.notEqual(second, first);
  assert.deepEqual(await rebuild(context), [3, 4]);
  assert.equal(await host.sh('cached', 'cat /uuid'), second);
});

test('a RUN that failed is not remembered', async () => {
  const context = makeContext(host.folder, { Dockerfile: dockerfile('RUN echo 1', 'RUN exit 5') });
  for (let round = 0; round < 2; round++) {
    const result = await host.strake(['build', context]);
    assert.equal(result.code, 5);
    assert.deepEqual(cachedSteps(result.stdout), round === 0 ? [] : [3]);
  }
});

test('the cache of an image that was removed is not used', async () => {
  const context = makeContext(host.folder, { Dockerfile: dockerfile('COPY f /f', 'RUN cat /f'), f: 'f' });
  for (let round = 0; round < 3; round++) {
    await rebuild(context);
    assert.deepEqual(await rebuild(context), [3, 4]);
    assert.equal(await host.sh('cached', 'cat /f'), 'f');
    assert.equal(await host.inspect('cached', '{{len .RootFS.Layers}}'), '2');
    await host.ok(['rmi', 'cached']);
  }
});

test('a file rewritten with the same size and time right after a build is never served from the cache, 20 times', async () => {
  const context = makeContext(host.folder, { Dockerfile: dockerfile('COPY data /data'), data: 'content 00' });
  const data = join(context, 'data');
  assert.equal((await run('touch', ['-d', '2020-01-01', data])).code, 0);
  assert.equal((await run('cp', ['-p', data, `${context}-reference`])).code, 0);
  for (let round = 0; round < 20; round++) {
    const content = `content ${String(round).padStart(2, '0')}`;
    writeFileSync(data, content);
    assert.equal((await run('touch', ['-r', `${context}-reference`, data])).code, 0);
    await rebuild(context);
    assert.equal(await host.sh('cached', 'cat /data'), content);
  }
});

test('such a file is noticed among a thousand others that are unchanged', async () => {
  const files = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`tree/${n}`, `file ${n}`]));
  const context = makeContext(host.folder, { Dockerfile: dockerfile('COPY tree /tree'), ...files });
  const data = join(context, 'tree/500');
  for (const content of ['file 50X', 'file 50Y', 'file 500']) {
    assert.equal((await run('cp', ['-p', data, `${context}-reference`])).code, 0);
    await rebuild(context);
    writeFileSync(data, content);
    assert.equal((await run('touch', ['-r', `${context}-reference`, data])).code, 0);
    await rebuild(context);
    assert.equal(await host.sh('cached', 'cat /tree/500'), content);
  }
});
