import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestRegistry } from '../test-registry.ts';
import type { Pages } from './server.ts';

const ROWS: readonly [method: string, path: string, status: number, body: RegExp, location?: string][] = [
  ['GET', '/explore/', 200, /^page ""$/],
  ['GET', '/explore/a.js?x=1', 200, /^page "a.js"$/],
  ['GET', '/explore', 308, /^$/, '/explore/'],
  ['GET', '/explore/other', 404, /no such place/],
  ['GET', '/explorer', 404, /no such place/],
  ['POST', '/explore/', 405, /UNSUPPORTED/],
];
const pages: Pages = {
  answer(name, response) {
    if (name === 'other') return false;
    response.end(`page "${name}"`);
    return true;
  },
};

for (const [method, path, status, body, location] of ROWS)
  test(`${method} ${path}`, async () => {
    await using registry = await openTestRegistry({ pages });
    const answer = await registry.send(method, path);
    assert.deepEqual([answer.status, answer.headers['location']], [status, location]);
    assert.match(answer.body.toString(), body);
  });

test('a registry without pages has no such place', async () => {
  await using registry = await openTestRegistry();
  assert.equal((await registry.send('GET', '/explore/')).status, 404);
});
