/** Why a step missed the cache (mission row C5): `strake why` and `build --explain`. */
import assert from 'node:assert/strict';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { BuildExplanation, BuildSummary } from '../../src/wire/build-explain.ts';
import { importBusybox, makeContext, run, startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

/** Builds, and gives the lines that `why` says of each step that missed. */
async function missesOf(context: string, ...flags: string[]): Promise<Record<string, string[]>> {
  await host.strake(['build', ...flags, context]);
  const { MissedSteps } = await explain();
  return Object.fromEntries(MissedSteps.map(({ Instruction, Text }) => [Instruction, Text]));
}

async function explain(...build: string[]): Promise<BuildExplanation> {
  return JSON.parse(await host.ok(['why', '--format', 'json', ...build]));
}

test('C5: the file, the argument, the variable, the instruction, the user, the base that changed', async () => {
  const lines = ['FROM busybox', 'ARG V', 'ENV MODE=a', 'COPY . /app', 'RUN echo one', 'RUN echo two'];
  const context = makeContext(host.folder, { Dockerfile: lines.join('\n'), 'src/a': 'a', 'src/b': 'b', 'src/c': 'c' });
  const file = (name: string) => join(context, name);
  const edit = (line: number, text: string) => {
    lines[line] = text;
    writeFileSync(file('Dockerfile'), lines.join('\n'));
  };
  writeFileSync(file('.dockerignore'), 'Dockerfile\n.dockerignore\n');
  assert.deepEqual(await missesOf(context), {
    'COPY . /app': ['nothing like it was built before'],
    'RUN echo one': ['nothing like it was built before'],
    'RUN echo two': ['nothing like it was built before'],
  });
  assert.deepEqual(await missesOf(context), {});
  writeFileSync(file('src/a'), 'other');
  writeFileSync(file('src/new'), '');
  rmSync(file('src/b'));
  chmodSync(file('src/c'), 0o600);
  assert.deepEqual(await missesOf(context), {
    'COPY . /app': [
      'file changed: src/a',
      'file with another mode: src/c',
      'file added: src/new',
      'file removed: src/b',
    ],
    'RUN echo one': ['step 4 before it has a new result'],
    'RUN echo two': ['step 5 before it has a new result'],
  });
  assert.deepEqual(await missesOf(context, '--build-arg', 'V=1'), {
    'RUN echo one': ['ARG V was not set, is "1"'],
    'RUN echo two': ['ARG V was not set, is "1"', 'step 5 before it has a new result too'],
  });
  edit(2, 'ENV MODE=b');
  assert.deepEqual((await missesOf(context))['RUN echo one'], ['ENV MODE was "a", is "b"']);
  edit(5, 'RUN echo three');
  assert.deepEqual(await missesOf(context), { 'RUN echo three': ['the instruction was: RUN echo two'] });
  edit(5, 'USER app\nRUN echo three');
  assert.deepEqual(await missesOf(context), { 'RUN echo three': ['user was "", is "app"'] });
  await host.build('busybox:other', 'FROM busybox\nRUN echo > /other\n');
  edit(0, 'FROM busybox:other');
  const [said] = (await missesOf(context))['COPY . /app'] ?? [];
  assert.match(
    said ?? '',
    /^the base image was busybox \(sha256:[0-9a-f]{12}\), is busybox:other \(sha256:[0-9a-f]{12}\)$/,
  );
});

test('C5: bind mounts, heredocs, stages; a build that failed; a cache that was pruned or not wanted', async () => {
  const dockerfile = (body: string) => `FROM busybox AS build
RUN --mount=type=bind,source=in,target=/in cat /in/* > /out
FROM busybox
COPY --from=build /out /out
RUN <<END
${body}
END
`;
  const context = makeContext(host.folder, { Dockerfile: dockerfile('echo 1\nexit 3'), 'in/f': '1' });
  await missesOf(context);
  assert.deepEqual(await missesOf(context), {
    'RUN <<END': [`it failed in build ${(await explain()).MissedSteps[0]?.Compared?.Build} and left no result`],
  });
  writeFileSync(join(context, 'Dockerfile'), dockerfile('echo 1\nexit 0'));
  assert.deepEqual(await missesOf(context), { 'RUN <<END': ['command was "exit 3", is "exit 0"'] });
  writeFileSync(join(context, 'in/f'), '2');
  const misses = await missesOf(context);
  assert.deepEqual(Object.values(misses), [
    ['file of mount /in changed: in/f'],
    ['file changed: out'],
    ['step 4 before it has a new result'],
  ]);
  assert.deepEqual(
    (await explain()).MissedSteps.map(({ Stage }) => Stage),
    ['build', undefined, undefined],
  );
  assert.deepEqual(
    [...new Set(Object.values(await missesOf(context, '--no-cache')).flat())],
    ['the build was told not to use the cache'],
  );
});

test('C5: the edit that would have kept the hit', async () => {
  const lines = ['FROM busybox', 'ARG STAMP=1', 'COPY . /app', 'RUN echo npm ci', 'RUN cat /app/main.js; echo $STAMP'];
  const context = makeContext(host.folder, { Dockerfile: lines.join('\n'), 'package.json': '{}', 'main.js': '1' });
  await host.ok(['build', '-t', 'advised', context]);
  writeFileSync(join(context, 'main.js'), '2');
  const live = await host.ok(['build', '--explain', '-t', 'advised', context]);
  assert.match(live, /Step 3\/5 : COPY \. \/app\n ---> Not in the cache: file changed: main.js\n/);
  assert.match(
    live,
    /Step 4\/5 : RUN echo npm ci\n ---> Not in the cache: step 3 before it has a new result\n ---> Running/,
  );
  const advice =
    'copy what RUN echo npm ci reads (package.json, package-lock.json) before it, and move COPY . /app below RUN echo npm ci';
  assert.ok(live.includes(`What would have kept more of the cache:\n  - ${advice} (for step 4)`), live);
  await host.ok(['build', '-q', '--build-arg', 'STAMP=2', context]);
  assert.deepEqual((await explain()).Advice, [
    { Step: 2, Keeps: [4], Text: 'move ARG STAMP=1 below RUN echo npm ci, which does not name it' },
  ]);
  writeFileSync(join(context, 'main.js'), '3');
  assert.match(await host.ok(['build', '-q', '--explain', context]), /^sha256:[0-9a-f]{64}$/);
  await host.ok(['build', '-q', '-t', 'advised', '--no-cache', context]);
  const text = await host.ok(['why', 'advised']);
  assert.match(
    text,
    /^Build [0-9a-f]{12} of advised:latest, .*: 0 of 3 cacheable steps were in the cache\n\nStep 3\/5 : COPY/,
  );
});

test('C5: builds of the docker command are remembered, by ID, tag and image; the history lists them', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nCOPY f /f\n', f: '1' });
  assert.equal((await host.docker(['build', '-t', 'by-docker', context])).code, 0);
  writeFileSync(join(context, 'f'), '2');
  assert.equal((await host.docker(['build', '-t', 'by-docker', context])).code, 0);
  const build = await explain('by-docker');
  assert.deepEqual(
    build.MissedSteps.map(({ Text }) => Text),
    [['file changed: f']],
  );
  assert.equal((await explain(build.Id.slice(0, 5))).Id, build.Id);
  assert.equal((await explain(await host.inspect('by-docker', '{{.Id}}'))).Id, build.Id);
  const answer = await run('curl', ['-fsS', '--unix-socket', host.socket, 'http://host/strake/builds']);
  const listed: BuildSummary[] = JSON.parse(answer.stdout);
  assert.deepEqual(
    [listed[0]?.Id, listed[0]?.Tags, listed[0]?.Cached, listed[0]?.Missed],
    [build.Id, ['by-docker:latest'], 0, 1],
  );
  assert.match(
    await host.ok(['builder', 'history']),
    new RegExp(`\\n${build.Id} +by-docker:latest +[0-9a-f]{12} +succeeded +2 +0/1 `),
  );
});

test('C5: values of secret arguments are neither told nor kept; wrong uses', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nARG API_TOKEN\nRUN echo x\n' });
  await missesOf(context, '--build-arg', 'API_TOKEN=correct-horse');
  assert.deepEqual(await missesOf(context, '--build-arg', 'API_TOKEN=battery-staple'), {
    'RUN echo x': ['ARG API_TOKEN has another value (not shown)'],
  });
  const nobody = await host.strake(['why', 'nobody']);
  assert.deepEqual(
    [nobody.code, nobody.stderr.split('\n')[0]],
    [1, 'Error response from daemon: No such build: nobody'],
  );
  assert.match((await host.strake(['why', '--format', 'xml'])).stderr, /invalid format "xml": expected text or json/);
});
