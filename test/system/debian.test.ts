/** The documents' own example on a real Debian: debootstrap, import, apt-get in RUN, cache, history, run (B1, D, C, L2). */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { after, before, test } from 'node:test';
import { debianTar, makeContext, run, STRAKE, startHost, type TestHost } from './harness.ts';

let host: TestHost;
let tar: string;
before(async () => {
  tar = debianTar();
  host = await startHost();
});
after(() => host[Symbol.asyncDispose]());

const DOCKERFILE = `FROM debian:bookworm
MAINTAINER Jane Doe <jane@example.org>
RUN apt-get update
RUN apt-get -y install ntpsec
EXPOSE 123/udp
CMD ["/usr/sbin/ntpd", "-n", "-V"]
`;

test('B1: a debootstrapped root through a pipe: the image ID, and Debian answers from it', async () => {
  const client = spawn(STRAKE, ['-H', `unix://${host.socket}`, 'import', '-', 'debian:bookworm'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let stdout = '';
  client.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  createReadStream(tar).pipe(client.stdin);
  assert.deepEqual(await once(client, 'close'), [0, null]);
  assert.match(stdout, /^sha256:[0-9a-f]{64}\n$/);
  assert.match(
    await host.ok(['run', '--rm', 'debian:bookworm', 'cat', '/etc/os-release']),
    /VERSION_CODENAME=bookworm/,
  );
  const sum = await run('sha256sum', [tar]);
  assert.equal(
    await host.inspect('debian:bookworm', '{{index .RootFS.Layers 0}}'),
    `sha256:${sum.stdout.slice(0, 64)}`,
  );
});

test('the example builds: apt-get has a network, and its output is shown', async () => {
  const output = await host.build('ntp', DOCKERFILE);
  assert.match(output, /Step 3\/6 : RUN apt-get update\n ---> Running in [0-9a-f]{12}\n/);
  assert.match(output, /Setting up ntpsec /);
  assert.match(output, /^Successfully tagged ntp:latest$/m);
});

test('the second build takes every step from the cache', async () => {
  const output = await host.build('ntp', DOCKERFILE);
  assert.equal(output.match(/ ---> Using cache\n/g)?.length, 5);
  assert.doesNotMatch(output, /Running in/);
});

test('history and sizes: what each step weighs; the sum is the size of the image', async () => {
  const rows = (
    await host.ok(['history', '--human=false', '--no-trunc', '--format', '{{.Size}} {{.CreatedBy}}', 'ntp'])
  ).split('\n');
  const sizes = rows.map((row) => Number.parseInt(row, 10));
  assert.deepEqual(
    rows.map((row) => row.replace(/^\d+ /, '')),
    [
      '/bin/sh -c #(nop)  CMD ["/usr/sbin/ntpd" "-n" "-V"]',
      '/bin/sh -c #(nop)  EXPOSE 123/udp',
      '/bin/sh -c apt-get -y install ntpsec',
      '/bin/sh -c apt-get update',
      '/bin/sh -c #(nop)  MAINTAINER Jane Doe <jane@example.org>',
      '',
    ],
  );
  const [cmd, expose, install = 0, update = 0, maintainer, base = 0] = sizes;
  assert.deepEqual([cmd, expose, maintainer], [0, 0, 0]);
  assert.ok(install > 5_000_000 && update > 5_000_000 && base > 100_000_000, `${sizes}`);
  assert.equal(Number(await host.inspect('ntp', '{{.Size}}')), install + update + base);
  assert.equal(
    await host.inspect('ntp', '{{.Author}} {{json .Config.ExposedPorts}} {{len .RootFS.Layers}}'),
    'Jane Doe <jane@example.org> {"123/udp":{}} 3',
  );
});

test('the result runs, with its own command and with another', async () => {
  assert.match(await host.ok(['run', '--rm', 'ntp']), /ntpd ntpsec-/);
  assert.match(await host.ok(['run', '--rm', 'ntp', 'dpkg', '-s', 'ntpsec']), /Status: install ok installed/);
  assert.match(
    await host.ok(['run', '--rm', '--network', 'host', 'ntp', 'sh', '-c', 'apt-get update >/dev/null && echo updated']),
    /updated/,
  );
});

test('file capabilities, hard links and owners of Debian packages survive layers', async () => {
  const dockerfile = `FROM ntp
RUN useradd -m worker && echo data > /home/worker/file && chown worker: /home/worker/file
RUN cp /usr/bin/id /usr/local/bin/plain-id && chmod 4755 /usr/local/bin/plain-id && ln /usr/local/bin/plain-id /usr/local/bin/other
USER worker
CMD ["sh", "-c", "stat -c '%U %a %h' /home/worker/file /usr/local/bin/other; /usr/local/bin/other -un"]
`;
  await host.ok(['build', '-q', '-t', 'worker', makeContext(host.folder, { Dockerfile: dockerfile })]);
  assert.equal(await host.ok(['run', '--rm', 'worker']), 'worker 644 1\nroot 4755 2\nroot');
});
