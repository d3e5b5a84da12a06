import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { gatherBytes, peekBytes } from './byte-stream.ts';
import { httpGet } from './http-get.ts';
import { withoutLogin } from './url-password.ts';

const server = createServer((request, response) => {
  if (request.url === '/missing') response.writeHead(404).end();
  else response.end(request.headers.authorization ?? 'nobody');
}).listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => server.close());
const host = `127.0.0.1:${(server.address() as AddressInfo).port}`; // of a server that listens on TCP
const options = { failed: 'cannot have', code: 'NONE', signal: new AbortController().signal };

async function answer(url: string): Promise<string> {
  const { body } = await httpGet(url, options);
  return (await gatherBytes(body, 1000, () => new Error('too long'))).toString('latin1');
}

test('the login of a URL is sent, and decoded before', async () => {
  assert.equal(await answer(`http://${host}/`), 'nobody');
  assert.equal(await answer(`http://me:p%40ss@${host}/`), `Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  assert.equal(await answer(`http://token@${host}/`), `Basic ${Buffer.from('token:').toString('base64')}`);
});

test('a failure names the URL without its login', async () => {
  await assert.rejects(answer(`http://me:secret@${host}/missing`), {
    kind: 'not-found',
    message: `cannot have http://${host}/missing with status 404 Not Found`,
  });
  await assert.rejects(answer('http://me:secret@127.0.0.1:1/'), /^Failure: cannot have http:\/\/127\.0\.0\.1:1\/: /);
  await assert.rejects(answer('http://me:secret@127.0.0.1:1/'), (error) => !String(error).includes('secret'));
});

for (const [url, shown] of [
  ['https://u:p@h/x@y', 'https://h/x@y'],
  ['https://u:p@q@h/x', 'https://h/x'],
  ['ssh://git@h:22/r', 'ssh://h:22/r'],
  ['git@h:x/r', 'git@h:x/r'],
  ['https://h/?a=//u@b', 'https://h/?a=//u@b'],
] as const)
  test(`${url} is shown as ${shown}`, () => assert.equal(withoutLogin(url), shown));

async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
  try {
    for (const text of texts) yield Buffer.from(text);
  } finally {
    closed++;
  }
}
let closed = 0;

test('bytes that were looked at come again, and who stops early closes the source', async () => {
  const { head, rest } = await peekBytes(chunks('a', 'bc', 'd', 'e'), 2);
  assert.equal(head.toString(), 'abc');
  assert.equal((await gatherBytes(rest, 5, () => new Error('too long'))).toString(), 'abcde');
  const short = await peekBytes(chunks('a'), 5);
  assert.equal(short.head.toString(), 'a');
  closed = 0;
  const { rest: left } = await peekBytes(chunks('a', 'b'), 1);
  for await (const _ of left) break;
  assert.equal(closed, 1);
  await assert.rejects(
    gatherBytes(chunks('ab', 'c'), 2, () => new Error('too long')),
    /too long/,
  );
});
