/** The explorer in a real browser: images, layers and files as a person sees them, whatever their names are. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hashSync } from 'bcryptjs';
import { type Explorer, startBrowser, startExplorer, type Tab, type TestBrowser } from './browser.ts';
import { importBusybox, run, STRAKE, startHost, type TestHost, until } from './harness.ts';
import { startStrakeRegistry } from './strake-registry.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';

let host: TestHost;
let browser: TestBrowser;
let explorer: Explorer;
let tab: Tab;

before(async () => {
  [host, browser] = await Promise.all([startHost(), startBrowser()]);
  await importBusybox(host);
  await host.build(
    'app:1',
    [
      'FROM busybox',
      `LABEL note="${HOSTILE}"`,
      'RUN mkdir -p /srv/many /gone && for i in $(seq 1 1200); do echo $i > /srv/many/file-$i; done; head -c 50000 /dev/urandom > /gone/big',
      `RUN echo hostile > "/srv/${HOSTILE}" && printf odd > "$(printf '/srv/odd-\\377')" && printf '\\000\\001binary' > /srv/binary && ln -s ../etc/passwd /srv/link && rm -r /gone`,
      'RUN echo more >> /etc/passwd && printf "two\\nlines" > "/srv/text"',
    ].join('\n'),
  );
  explorer = await startExplorer(`unix://${host.socket}`);
  tab = await browser.open(explorer.url);
});
after(async () => {
  await explorer?.[Symbol.asyncDispose]();
  await browser?.[Symbol.asyncDispose]();
  await host[Symbol.asyncDispose]();
});

test('from the list of images to one image and what made it', async () => {
  await tab.see('2 images');
  await tab.see('linux/');
  await tab.click('main a', 'app:1');
  await tab.see('What made it');
  await tab.see(`note=${HOSTILE}`);
  await tab.see('RUN echo more >> /etc/passwd');
  await tab.see('also in 1 image');
  assert.equal(await tab.count('main table tbody tr'), 5);
  assert.equal(await tab.evaluate('location.hash.includes("key")'), false);
});

test('into folders, and what is in a file; names are text, whatever is in them', async () => {
  await tab.click('main nav a', 'Files');
  await tab.click('.files summary', 'srv/');
  await tab.see(HOSTILE);
  assert.equal(await tab.count('main img, main script'), 0);
  await tab.click('.row a', HOSTILE);
  await tab.holds('pre.content', 'hostile\n');
  await tab.click('.row a', 'odd-\\xff');
  await tab.holds('pre.content', 'odd');
  await tab.click('.row a', 'binary');
  await tab.see('00 01 62 69 6e 61 72 79');
  await tab.click('section button', 'Download');
  const saved = join(browser.downloads, 'binary');
  await until(() => existsSync(saved) && readFileSync(saved, 'latin1') === '\0\x01binary');
  await tab.click('.row a', 'link');
  await tab.click('dd a', '../etc/passwd');
  await tab.holds('section h2', '/etc/passwd');
  await tab.holds('pre.content', 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\nmore\n');
  assert.equal(await tab.count('details[open]'), 1); // the tree stayed as it was
});

test('a folder of many files is drawn in parts', async () => {
  await tab.click('.files summary', 'many/');
  await tab.click('button', 'Show 500 more of 700');
  await tab.see('Show 200 more of 200');
  assert.ok((await tab.count('.row')) < 1100);
});

test('what one layer did: marks, and bytes that it hid', async () => {
  await tab.go('#/image/app%3A1/files?step=4&path=%2Fgone%2Fbig', 'The image does not show it');
  await tab.see('deleted with /gone');
  const row = String(await tab.evaluate("document.querySelector('summary.row').innerText")).replace(/\s+/g, ' ');
  assert.match(row, /D gone\/ −50kB/);
});

test('the tree of layers, waste, comparison and search', async () => {
  await tab.go('#/tree', '2 images on 4 layers');
  await tab.go('#/image/app%3A1/waste', 'are of no use');
  await tab.go('#/image/busybox/compare?with=app%3A1', '/srv/text');
  await tab.see('1 changed, 0 removed');
  await tab.go('#/find?pattern=etc%2Fpasswd', '2 files found');
  await tab.go('#/find?pattern=*.nothing', '0 files found');
});

test('nothing left the origin, no script failed, no policy was broken', () => {
  assert.deepEqual(tab.complaints, []);
});

test('a download has the bytes of the file', async () => {
  const answer = await explorer.ask('/api/strake/images/app:1/file?path=/srv/odd-%FF');
  assert.deepEqual([answer.status, await answer.text()], [200, 'odd']);
  assert.equal(answer.headers.get('content-type'), 'application/octet-stream');
  assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/);
});

test('without the key, under another name, or for more than reading: refused, with what to do', async () => {
  const anonymous = await browser.open(explorer.url.replace(/#.*/, '').replace('127.0.0.1', 'localhost'));
  await anonymous.see('open the whole address that "strake explore" printed');
  const refused: readonly [path: string, headers: Record<string, string>, status: number, message: RegExp][] = [
    ['/about.json', { Authorization: '' }, 403, /without the key/],
    ['/api/images/json', { Authorization: 'Bearer wrong' }, 403, /without the key/],
    ['/api/containers/json', {}, 404, /explorer has no/],
    ['/api/images/x%2fy/json', {}, 404, /explorer has no/],
    ['/api/images/nope/json', {}, 404, /No such image: nope:latest/],
  ];
  for (const [path, headers, status, message] of refused) {
    const answer = await explorer.ask(path, headers);
    assert.match(await answer.text(), message);
    assert.equal(answer.status, status, path);
  }
  // fetch would not send another name or an unread path.
  const socket = connect(Number(new URL(explorer.url).port), '127.0.0.1');
  socket.end(`GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'close');
  assert.match(text, /^HTTP\/1\.1 403 .*not served as/s);
  assert.equal((await fetch(new URL('/api/images/json', explorer.url), { method: 'DELETE' })).status, 405);
});

test('an image that is removed meanwhile, a host that stops and comes back: the page says so', async () => {
  await host.ok(['tag', 'app:1', 'going']);
  await tab.go('#/image/going', 'What made it');
  await host.ok(['rmi', 'going']);
  await tab.click('main nav a', 'Waste');
  await tab.see('No such image: going:latest');
  await host.stop();
  await tab.go('#/tree', 'Cannot connect to the Docker daemon');
  await host.restart();
  await tab.see('2 images on 4 layers');
});

test('a registry: what somebody may pull, once he has said who he is', async () => {
  const folder = join(host.folder, 'registry');
  mkdirSync(folder);
  writeFileSync(join(folder, 'users'), ['me', 'you'].map((name) => `${name}:${hashSync('secret', 4)}\n`).join(''));
  writeFileSync(join(folder, 'rights'), 'me team/** pull,push\nyou hidden pull,push\n- team/public pull\n');
  const flags = ['--htpasswd', join(folder, 'users'), '--rights', join(folder, 'rights'), '--explorer'];
  await using registry = await startStrakeRegistry(folder, { flags });
  const env = { DOCKER_CONFIG: folder };
  for (const [user, repository] of [
    ['me', 'team/app'],
    ['me', 'team/public'],
    ['you', 'hidden'],
  ] as const) {
    await host.ok(['login', '-u', user, '--password-stdin', registry.host], { env, input: 'secret' });
    await host.ok(['tag', 'app:1', `${registry.host}/${repository}:1`]);
    await host.ok(['push', `${registry.host}/${repository}:1`], { env });
  }
  const page = await browser.open(`http://${registry.host}/explore/`);
  const signIn = async (password: string) => {
    await page.see('Password');
    await page.evaluate(
      `{ const [name, password] = document.querySelectorAll('main input'); name.value = 'me'; password.value = '${password}'; }`,
    );
    await page.click('main button', 'Sign in');
  };
  await page.see('This registry wants to know who asks.');
  await signIn('wrong');
  await page.see('Not this name with this password.');
  await signIn('secret');
  await page.see('2 repositories');
  await page.click('main a', 'team/app');
  await page.see('1 tag');
  await page.click('main td a', '1');
  await page.see(`note=${HOSTILE}`);
  await page.see('RUN echo more >> /etc/passwd');
  await page.go('#/repository/hidden/1', 'denied');
  await page.go('#/repository/team%2Fapp/2', 'manifest unknown');
  await page.click('header button', 'Sign out');
  await page.go('#/repository/team%2Fpublic/1', 'What made it');
  const refusals = page.complaints.filter((text) => !/status of 40[134] /.test(text));
  assert.deepEqual(refusals, []);
});

test('a registry serves the page only when it is told to', async () => {
  await using registry = await startStrakeRegistry(host.folder);
  assert.equal((await fetch(`http://${registry.host}/explore/`)).status, 404);
});

test('an image that does not exist, and a port that is taken, are said at once', async () => {
  const flags = ['-H', `unix://${host.socket}`, 'explore'];
  const unknown = await run(STRAKE, [...flags, 'nope']);
  assert.deepEqual([unknown.code, unknown.stderr], [1, 'Error response from daemon: No such image: nope:latest\n']);
  const taken = await run(STRAKE, [...flags, '--port', new URL(explorer.url).port]);
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /cannot serve the explorer on 127\.0\.0\.1:\d+: the port is in use/);
});
