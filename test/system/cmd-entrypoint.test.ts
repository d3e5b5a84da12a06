/** The twelve cells of CMD x ENTRYPOINT (mission row D2), and what overrides them at run. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

const ENTRYPOINTS = { none: '', shell: 'ENTRYPOINT echo entry', exec: 'ENTRYPOINT ["echo", "entry"]' };
const CMDS = { none: '', exec: 'CMD ["one", "two"]', parameters: 'CMD ["echo", "cmd"]', shell: 'CMD echo cmd' };

// https://docs.docker.com/reference/dockerfile/#understand-how-cmd-and-entrypoint-interact
const EXPECTED: Record<keyof typeof ENTRYPOINTS, Record<keyof typeof CMDS, string | RegExp>> = {
  none: { none: /no command specified/i, exec: /"one"/, parameters: 'cmd', shell: 'cmd' },
  shell: { none: 'entry', exec: 'entry', parameters: 'entry', shell: 'entry' },
  exec: { none: 'entry', exec: 'entry one two', parameters: 'entry echo cmd', shell: 'entry /bin/sh -c echo cmd' },
};

for (const [entrypoint, entryLine] of Object.entries(ENTRYPOINTS)) {
  for (const [cmd, cmdLine] of Object.entries(CMDS)) {
    test(`ENTRYPOINT ${entrypoint}, CMD ${cmd}`, async () => {
      const context = makeContext(host.folder, { Dockerfile: `FROM busybox\n${entryLine}\n${cmdLine}\n` });
      const name = `cell-${entrypoint}-${cmd}`;
      await host.ok(['build', '-q', '-t', name, context]);
      const expected = EXPECTED[entrypoint as keyof typeof ENTRYPOINTS][cmd as keyof typeof CMDS]; // keys of the same tables
      const result = await host.strake(['run', '--rm', name]);
      if (typeof expected === 'string')
        assert.deepEqual([result.code, result.stdout, result.stderr], [0, `${expected}\n`, '']);
      else {
        assert.match(result.stderr, expected);
        assert.ok([125, 127].includes(result.code), `exit ${result.code}`);
      }
    });
  }
}

test('the command line replaces CMD, --entrypoint replaces ENTRYPOINT and drops CMD', async () => {
  const context = makeContext(host.folder, { Dockerfile: 'FROM busybox\nENTRYPOINT ["echo", "entry"]\nCMD ["cmd"]\n' });
  await host.ok(['build', '-q', '-t', 'override', context]);
  assert.equal(await host.ok(['run', '--rm', 'override', 'mine']), 'entry mine');
  assert.equal(await host.ok(['run', '--rm', '--entrypoint', 'echo', 'override']), '');
  assert.equal(await host.ok(['run', '--rm', '--entrypoint', 'echo', 'override', 'x', 'y']), 'x y');
});

test('the last CMD and the last ENTRYPOINT win', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nENTRYPOINT ["false"]\nENTRYPOINT ["echo"]\nCMD ["first"]\nCMD ["last"]\n',
  });
  await host.ok(['build', '-q', '-t', 'last', context]);
  assert.equal(await host.ok(['run', '--rm', 'last']), 'last');
});

test('exec form of RUN and CMD expands nothing, shell form does', async () => {
  const context = makeContext(host.folder, {
    Dockerfile:
      'FROM busybox\nENV WHO=me\nRUN ["/bin/touch", "/$WHO"]\nRUN touch "/shell-$WHO"\nCMD ["ls", "-d", "/$WHO", "/shell-me"]\n',
  });
  await host.ok(['build', '-q', '-t', 'forms', context]);
  assert.equal(await host.ok(['run', '--rm', 'forms']), '/$WHO\n/shell-me');
});
