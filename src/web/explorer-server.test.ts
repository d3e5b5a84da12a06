import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Failure } from '../lib/error.ts';
import { ExplorerPage } from './explorer-page.ts';
import { type ExplorerOptions, ExplorerServer } from './explorer-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-explorer-'));
after(() => rmSync(folder, { recursive: true }));
for (const name of ['index.html', 'explorer.js', 'explorer.css', 'icon.svg']) writeFileSync(join(folder, name), name);
const page = new ExplorerPage(pathToFileURL(`${folder}/`));

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Starts a server that answers with `ask`, and asks it: status and body. */
async function exchange(ask: ExplorerOptions['ask'], { method = 'GET', path, headers = KEY }: Asked) {
  const about = async () => ({ kind: 'host', address: 'unix:///s', isStrake: true }) as const;
  await using server = new ExplorerServer({ page, token: 'secret', about, ask });
  const port = await server.listen(0);
  return await new Promise<{ status: number | undefined; type: string | undefined; body: string }>(
    (resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
        const type = response.headers['content-type'];
        text(response).then((body) => resolve({ status: response.statusCode, type, body }), reject);
      });
      sent.on('error', reject);
      sent.end();
    },
  );
}

const KEY = { Authorization: 'Bearer secret' };
const answerOf = (type: string, body: string): ExplorerOptions['ask'] => {
  async function* pieces() {
    yield Buffer.from(body);
  }
  return async () => ({ headers: new Map([['content-type', type]]), body: pieces() });
};
const never: ExplorerOptions['ask'] = async (path) => assert.fail(`asked for ${path}`);

test('the files of the page need no key; they say what they are', async () => {
  for (const [path, name, type] of [
    ['/', 'index.html', 'text/html; charset=utf-8'],
    ['/explorer.js?x', 'explorer.js', 'text/javascript; charset=utf-8'],
  ] as const)
    assert.deepEqual(await exchange(never, { path, headers: {} }), { status: 200, type, body: name });
});

test('a question goes to the host as it is, and its answer is never a document', async () => {
  let asked = '';
  const ask: ExplorerOptions['ask'] = async (path, signal) => {
    asked = path;
    return answerOf('text/html', '<script>')(path, signal);
  };
  const path = '/strake/images/a/b:1/file?path=/x%FF';
  const answer = await exchange(ask, { path: `/api${path}` });
  assert.deepEqual(answer, { status: 200, type: 'application/octet-stream', body: '<script>' });
  assert.equal(asked, path);
  const json = await exchange(answerOf('application/json; charset=x', '{}'), { path: '/api/images/json' });
  assert.deepEqual(json, { status: 200, type: 'application/json', body: '{}' });
});

const REFUSED: readonly [name: string, asked: Asked, status: number, code: string][] = [
  ['no key', { path: '/api/images/json', headers: {} }, 403, 'TOKEN_MISSING'],
  ['a wrong key', { path: '/about.json', headers: { Authorization: 'Bearer secre' } }, 403, 'TOKEN_MISSING'],
  ['another scheme', { path: '/about.json', headers: { Authorization: 'Basic secret' } }, 403, 'TOKEN_MISSING'],
  ['another name', { path: '/', headers: { Host: 'evil.example:80' } }, 403, 'NAME_REFUSED'],
  ['a name that begins alike', { path: '/', headers: { Host: '127.0.0.1.evil.example' } }, 403, 'NAME_REFUSED'],
  ['another method', { method: 'DELETE', path: '/api/images/app' }, 405, 'READ_ONLY'],
  ['another question', { path: '/api/containers/json' }, 404, 'NO_SUCH_PLACE'],
  ['a way out', { path: '/api/images/../containers/json' }, 404, 'NO_SUCH_PLACE'],
];
for (const [name, asked, status, code] of REFUSED)
  test(`refused: ${name}`, async () => {
    const answer = await exchange(never, asked);
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], [status, code]);
  });

test('what the host refuses is told with its status and hint; what breaks off later is cut', async () => {
  const missing = async () => {
    throw new Failure('not-found', 'HTTP_404', 'no such image', { hint: 'pull it' });
  };
  const refused = await exchange(missing, { path: '/api/images/x/json' });
  assert.equal(refused.status, 404);
  assert.deepEqual(JSON.parse(refused.body), { code: 'HTTP_404', message: 'no such image', hint: 'pull it' });
  async function* broken() {
    yield Buffer.from('start');
    throw new Failure('unavailable', 'HOST_LOST', 'gone');
  }
  const cut = exchange(async () => ({ headers: new Map(), body: broken() }), { path: '/api/images/json' });
  await assert.rejects(cut, /aborted/);
});

test('a missing page is told before anything is served', () => {
  assert.throws(() => new ExplorerPage(pathToFileURL(join(folder, 'nope/'))), /the explorer's page is not there/);
});
