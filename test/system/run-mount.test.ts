/** RUN --mount: caches, tmpfs, and files bound from the context, a stage and an image. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, makeContext, startHost, type TestHost } from './harness.ts';

let host: TestHost;
before(async () => {
  host = await startHost();
  await importBusybox(host);
});
after(() => host[Symbol.asyncDispose]());

test('a cache keeps what earlier builds left, and is no part of the layer', async () => {
  const context = makeContext(host.folder, {
    Dockerfile:
      'FROM busybox\nRUN --mount=type=cache,target=/c,id=one echo "found $(cat /c/n 2>/dev/null)"; echo kept > /c/n\n',
  });
  assert.match(await host.ok(['build', '-t', 'cache', context]), /^found $/m);
  assert.match(await host.ok(['build', '--no-cache', '-t', 'cache', context]), /^found kept$/m);
  assert.equal((await host.strake(['run', '--rm', 'cache', 'ls', '/c'])).code, 1);
});

test('a bind decides by the content of its source, and nobody can write to it', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: `FROM busybox AS made
RUN echo from a stage > /made
FROM busybox
WORKDIR /w
RUN --mount=type=bind,source=in,target=in --mount=type=bind,from=made,source=/made,target=/g --mount=from=busybox,source=/etc/passwd,target=/p cat in/f /g > /out; head -n 1 /p >> /out; echo x > in/f || echo refused >> /out
`,
    'in/f': 'from the context\n',
    other: 'one',
  });
  await host.ok(['build', '-q', '-t', 'bound', context]);
  const out = await host.ok(['run', '--rm', 'bound', 'cat', '/out']);
  assert.equal(out, 'from the context\nfrom a stage\nroot:x:0:0:root:/root:/bin/sh\nrefused');
  assert.equal(await host.ok(['run', '--rm', 'bound', 'ls', '/w']), '');
  writeFileSync(join(context, 'other'), 'two');
  assert.doesNotMatch(await host.ok(['build', context]), /Running in/);
  writeFileSync(join(context, 'in/f'), 'changed\n');
  assert.match(await host.ok(['build', context]), /Step 5\/5[^\n]*\n ---> Running in/);
});

test('a tmpfs has its size, and leaves nothing', async () => {
  const context = makeContext(host.folder, {
    Dockerfile: 'FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=1m df -k /t | tail -n 1; echo x > /t/x\n',
  });
  assert.match(await host.ok(['build', '-t', 'tmp', context]), /^tmpfs +1024 /m);
  assert.equal((await host.strake(['run', '--rm', 'tmp', 'ls', '/t'])).code, 1);
});
