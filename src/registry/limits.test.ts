/** Immutable tags, quotas, retention, and putting back what was deleted. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { RegistryPruned, RegistryPruneRules } from '../wire/registry-admin.ts';
import { collect } from './collect.ts';
import { limitsOf } from './limits.ts';
import { prune, tagsToGo } from './prune.ts';
import { openTestRegistry, type TestAnswer, type TestRegistry } from './test-registry.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const { signal } = new AbortController();
const digestOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const descriptor = (content: string, mediaType = 'a/b') => ({
  mediaType,
  digest: digestOf(content),
  size: content.length,
});
const imageOf = (content: string) =>
  JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config: descriptor(content), layers: [] });

const pushBlob = ({ send }: TestRegistry, repository: string, body: string) =>
  send('POST', `/v2/${repository}/blobs/uploads/?digest=${digestOf(body)}`, { body });
const put = ({ send }: TestRegistry, repository: string, reference: string, body: string, type = MANIFEST) =>
  send('PUT', `/v2/${repository}/manifests/${reference}`, { headers: { 'content-type': type }, body });

async function pushImage(
  registry: TestRegistry,
  repository: string,
  tag: string,
  content: string,
): Promise<TestAnswer> {
  assert.equal((await pushBlob(registry, repository, content)).status, 201);
  return await put(registry, repository, tag, imageOf(content));
}

const statusOf = async ({ send }: TestRegistry, method: string, path: string) => (await send(method, path)).status;
const ask = ({ send }: TestRegistry, path: string, body: object) =>
  send('POST', `/_strake/${path}`, { body: JSON.stringify(body) });

test('an immutable tag is pushed once, and stays', async () => {
  await using registry = await openTestRegistry({ policy: limitsOf(['team/**:v*'], []) });
  assert.equal((await pushImage(registry, 'team/app', 'v1', 'one')).status, 201);
  assert.equal((await pushImage(registry, 'team/app', 'v1', 'one')).status, 201);
  const changed = await pushImage(registry, 'team/app', 'v1', 'two');
  assert.equal(changed.status, 403);
  assert.match(changed.body.toString(), /"DENIED","message":"tag \\"v1\\" is immutable/);
  assert.equal(await statusOf(registry, 'DELETE', '/v2/team/app/manifests/v1'), 403);
  assert.equal(await statusOf(registry, 'DELETE', `/v2/team/app/manifests/${digestOf(imageOf('one'))}`), 403);
  assert.equal((await pushImage(registry, 'team/app', 'latest', 'one')).status, 201);
  assert.equal((await pushImage(registry, 'team/app', 'latest', 'two')).status, 201);
  assert.equal(await statusOf(registry, 'DELETE', '/v2/team/app/'), 403);
  assert.equal(await statusOf(registry, 'DELETE', '/v2/team/app/manifests/latest'), 202);
  assert.equal(await statusOf(registry, 'GET', '/v2/team/app/manifests/v1'), 200);
});

test('a quota counts what a repository has, each blob once, and a refused blob leaves nothing', async () => {
  const quotas = [
    { repositories: 'small/**', bytes: 10 },
    { repositories: '**', bytes: 1000 },
  ];
  await using registry = await openTestRegistry({ policy: limitsOf([], quotas) });
  assert.equal((await pushBlob(registry, 'small/a', '12345678')).status, 201);
  assert.equal((await pushBlob(registry, 'small/a', '12345678')).status, 201);
  const refused = await pushBlob(registry, 'small/a', 'abcdefgh');
  assert.equal(refused.status, 403);
  assert.match(refused.body.toString(), /quota exceeded: the repository may have 10 bytes, has 8, and this blob has 8/);
  assert.equal((await pushBlob(registry, 'large', 'abcdefgh')).status, 201);
  const mount = `/v2/small/a/blobs/uploads/?mount=${digestOf('abcdefgh')}&from=large`;
  assert.equal(await statusOf(registry, 'POST', mount), 403);
  assert.equal(await statusOf(registry, 'HEAD', `/v2/small/a/blobs/${digestOf('abcdefgh')}`), 404);
  const place = (await registry.send('POST', '/v2/small/a/blobs/uploads/')).headers['location'] ?? '';
  assert.equal((await registry.send('PATCH', place, { body: '1234567' })).status, 202);
  const early = await registry.send('PATCH', place, { body: '8901', chunked: true });
  assert.equal(early.status, 403);
  assert.match(
    early.body.toString(),
    /"DENIED","message":"quota exceeded: the repository may have 10 bytes, and this blob has more/,
  );
  assert.equal(await statusOf(registry, 'GET', place), 404);
  assert.deepEqual(await registry.registry.metadata.doomedKeys(10), []);
});

test('what was deleted comes back while its time of grace lasts', async () => {
  await using registry = await openTestRegistry({ policy: { grace: 3_600_000 } });
  await pushImage(registry, 'a', '1', 'one');
  await pushImage(registry, 'a', 'latest', 'one');
  await pushImage(registry, 'a', '2', 'two');
  const digest = digestOf(imageOf('one'));
  assert.equal(await statusOf(registry, 'DELETE', `/v2/a/manifests/${digest}`), 202);
  assert.equal(await statusOf(registry, 'DELETE', '/v2/a/manifests/2'), 202);
  await pushImage(registry, 'a', 'latest', 'three');
  await collect(registry.registry, { signal });
  const answer = await ask(registry, 'restore', { repository: 'a', reference: `@${digest}` });
  assert.deepEqual(JSON.parse(answer.body.toString()), { restored: [`@${digest}`, ':1'] });
  assert.equal((await registry.send('GET', '/v2/a/manifests/1')).headers['docker-content-digest'], digest);
  assert.equal(
    (await registry.send('GET', '/v2/a/manifests/latest')).headers['docker-content-digest'],
    digestOf(imageOf('three')),
  );
  assert.equal(await statusOf(registry, 'GET', `/v2/a/blobs/${digestOf('one')}`), 200);
  const tag = await ask(registry, 'restore', { repository: 'a', reference: ':2' });
  assert.deepEqual(JSON.parse(tag.body.toString()), { restored: [':2'] });
  assert.equal((await ask(registry, 'restore', { repository: 'a', reference: ':none' })).status, 404);
  await collect(registry.registry, { leaseTime: Date.now() + 7_200_000, signal });
  assert.deepEqual(await registry.registry.metadata.listDeleted('a' as never), []); // a well-formed name
});

test('retention: the newest stay, what is young stays, other tags stay', () => {
  const tag = (name: string, updated: number) =>
    ({ digest: '', pushed: 0, isEntry: false, refers: false, tags: [{ name, updated }] }) as never; // as the store gives them
  const holdings = [tag('v1', 10), tag('v2', 20), tag('v3', 30), tag('v4', 40), tag('latest', 5)];
  const rules: RegistryPruneRules = { tags: 'v*', keepLast: 2, olderThan: 0, untagged: false, dryRun: true };
  assert.deepEqual(tagsToGo(holdings, rules, 100), ['v1', 'v2']);
  assert.deepEqual(tagsToGo(holdings, { ...rules, olderThan: 85 }, 100), ['v1']);
  assert.deepEqual(tagsToGo(holdings, { ...rules, keepLast: 9 }, 100), []);
  assert.deepEqual(tagsToGo(holdings, { ...rules, tags: '*', keepLast: 0 }, 100), ['latest', 'v1', 'v2', 'v3', 'v4']);
  assert.deepEqual(tagsToGo(holdings, { ...rules, tags: undefined }, 100), []);
});

test('untagged images go, entries of an index and what refers to something stay', async () => {
  await using registry = await openTestRegistry({ policy: limitsOf(['**:keep'], []) });
  await pushImage(registry, 'a', '1', 'loose');
  await pushImage(registry, 'a', '1', 'entry');
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: [descriptor(imageOf('entry'), MANIFEST)],
  });
  await put(registry, 'a', '1', index, INDEX);
  await pushImage(registry, 'a', 'keep', 'kept');
  const referrer = imageOf('kept').replace('{', `{"subject":${JSON.stringify(descriptor(imageOf('kept'), MANIFEST))},`);
  await put(registry, 'a', digestOf(referrer), referrer);
  const run = async (rules: Partial<RegistryPruneRules>) => {
    const lines: RegistryPruned[] = [];
    const all = { keepLast: 0, olderThan: 0, untagged: true, dryRun: false, ...rules };
    for await (const line of prune(registry.registry, all)) lines.push(line);
    return lines.map(({ reference }) => reference);
  };
  const loose = `@${digestOf(imageOf('loose'))}`;
  assert.deepEqual(await run({ dryRun: true }), [loose]);
  assert.deepEqual(await run({ olderThan: 60_000 }), []);
  assert.deepEqual(await run({}), [loose]);
  assert.deepEqual(await run({}), []);
  const gone = [':1', `@${digestOf(index)}`, `@${digestOf(imageOf('entry'))}`];
  assert.deepEqual(await run({ tags: '*' }), gone);
  assert.equal(await statusOf(registry, 'GET', `/v2/a/manifests/${digestOf(referrer)}`), 200);
});

test('rules that are none are refused', async () => {
  await using registry = await openTestRegistry();
  for (const body of ['', '{', '[]', 'null', '{"keepLast":-1}', '{"olderThan":"1h"}', '{"tags":1}'])
    assert.equal((await registry.send('POST', '/_strake/prune', { body })).status, 400, body);
  assert.equal((await registry.send('GET', '/_strake/prune')).status, 405);
  const fromPage = await registry.send('POST', '/_strake/gc', { headers: { origin: 'https://somewhere' } });
  assert.equal(fromPage.status, 403);
});
