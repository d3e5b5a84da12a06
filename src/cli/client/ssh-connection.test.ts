/** A stand-in for `ssh` joins its streams with a socket, as `system dial-stdio` on the other machine does. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { frame, startTestHost } from '../test-host.ts';
import { parseEndpoint } from './endpoint.ts';
import { EngineClient } from './engine-client.ts';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'strake-ssh-'));
const calls = join(folder, 'calls');
process.env['PATH'] = `${folder}:${process.env['PATH']}`;
after(() => rmSync(folder, { recursive: true }));

function ssh(body: string): void {
  const script = `#!${process.execPath}\nrequire('node:fs').appendFileSync(${JSON.stringify(calls)}, JSON.stringify(process.argv.slice(2)) + '\\n');\n${body}`;
  writeFileSync(calls, '');
  writeFileSync(join(folder, 'ssh'), script);
  chmodSync(join(folder, 'ssh'), 0o755);
}

function called(): string[][] {
  const lines = readFileSync(calls, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line));
}

test('requests and raw connections through ssh', async () => {
  await using host = await startTestHost({
    routes: { 'GET /info': { Name: 'far' } },
    onUpgrade: (_url, socket, head) => {
      socket.write('HTTP/1.1 101 UPGRADED\r\n\r\n');
      socket.write(frame(1, `${head}`));
      socket.on('data', (chunk) => socket.write(frame(1, `${chunk}`)));
      socket.on('end', () => socket.end(frame(1, 'end')));
    },
  });
  assert.equal(host.endpoint.kind, 'unix');
  const path = host.endpoint.text.slice('unix://'.length);
  ssh(
    `const s = require('node:net').connect(${JSON.stringify(path)}); process.stdin.pipe(s); s.pipe(process.stdout); s.on('close', () => process.stdin.destroy());`,
  );
  const client = await EngineClient.connect(parseEndpoint("ssh://me@far:2222/run/o'dd.sock", {}), signal);
  assert.deepEqual(await client.json('GET', '/info', { signal }), { Name: 'far' });
  const [first] = called();
  assert.deepEqual(first?.slice(0, -1), ['-o', 'ConnectTimeout=30', '-T', '-l', 'me', '-p', '2222', '--', 'far']);
  assert.match(first?.at(-1) ?? '', /^sh -c '.*exec strake .*unix:\/\/\/run\/o.*dd\.sock.* system dial-stdio.*'$/);
  const { socket } = await client.hijack('/containers/x/attach', { signal });
  socket.write('typed');
  socket.end();
  let said = '';
  for await (const chunk of socket) said += chunk;
  assert.match(said, /typed.*end$/s);
});

test('what ssh complains about is the reason', async () => {
  ssh("process.stderr.write('me@far: Permission denied (publickey).\\n'); process.exit(255);");
  const connect = EngineClient.connect(parseEndpoint('ssh://far', {}), signal);
  await assert.rejects(connect, {
    code: 'SSH_FAILED',
    message: 'cannot reach the host at ssh://far: me@far: Permission denied (publickey).',
  });
  assert.deepEqual(called()[0]?.slice(2, -1), ['-T', '--', 'far']);
  ssh('process.exit(3);');
  await assert.rejects(EngineClient.connect(parseEndpoint('ssh://far', {}), signal), /ssh ended with exit status 3$/);
});

test('a command that is interrupted ends its ssh', async () => {
  ssh("process.on('SIGTERM', () => process.exit(7)); process.stdin.resume(); setInterval(() => {}, 1000);");
  const controller = new AbortController();
  const connect = EngineClient.connect(parseEndpoint('ssh://far', {}), controller.signal);
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(connect, { kind: 'cancelled' });
});
