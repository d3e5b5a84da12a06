import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRegistryAuth } from './credentials.ts';
import { DetachScanner, parseDetachKeys } from './detach-keys.ts';
import { flagFilter, readFilters } from './filters.ts';
import { Query } from './query.ts';
import { joinReference, targetReference } from './reference.ts';
import { createBody } from './shape/create-body.ts';
import { shapeImageInspect } from './shape/image.ts';
import { parseTime } from './time.ts';

test('booleans as Docker reads them', () => {
  const rows: readonly [string, boolean][] = [
    ['a=1', true],
    ['a=true', true],
    ['a=True', true],
    ['a=yes', true],
    ['a=', false],
    ['a', false],
    ['a=0', false],
    ['a=no', false],
    ['a=False', false],
    ['a=none', false],
    ['b=1', false],
  ];
  for (const [text, expected] of rows) assert.equal(new Query(text).flag('a'), expected, text);
  assert.equal(new Query('').flag('a', true), true);
  assert.equal(new Query('a=0').flag('a', true), false);
});

test('filters in both forms', () => {
  const rows: readonly [string, Record<string, string[]>][] = [
    ['{"label":{"a=b":true,"c":true}}', { label: ['a=b', 'c'] }],
    ['{"label":["a=b","c"]}', { label: ['a=b', 'c'] }],
    ['{"label":{"a":false}}', { label: [] }],
    ['{}', {}],
    ['null', {}],
    ['', {}],
  ];
  for (const [text, expected] of rows) {
    const query = new Query(new URLSearchParams({ filters: text }).toString());
    assert.deepEqual(readFilters(query, ['label']), expected, text);
  }
  for (const text of ['{"bogus":["1"]}', '["label"]', '{"label":"x"}', '{', '5'])
    assert.throws(() => readFilters(new Query(new URLSearchParams({ filters: text }).toString()), ['label']), {
      kind: 'invalid',
    });
  assert.equal(flagFilter({ dangling: ['true'] }, 'dangling'), true);
  assert.equal(flagFilter({ dangling: ['0'] }, 'dangling'), false);
  assert.equal(flagFilter({}, 'dangling'), undefined);
  assert.throws(() => flagFilter({ dangling: ['maybe'] }, 'dangling'), {
    message: "invalid filter 'dangling=[maybe]'",
  });
});

test('times', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  const rows: readonly [string, number | undefined][] = [
    ['', undefined],
    ['0', undefined],
    ['1700000000', 1_700_000_000_000],
    ['1700000000.5', 1_700_000_000_500],
    ['2026-01-31T11:00:00Z', now - 3_600_000],
    ['2026-01-31T13:00:00+02:00', now - 3_600_000],
    ['1h30m', now - 5_400_000],
    ['1.5s', now - 1500],
    ['300ms', now - 300],
  ];
  for (const [text, expected] of rows) assert.equal(parseTime(text, now), expected, text);
  for (const text of ['x', '5 minutes', '1h30', '2026-99-01', '--1'])
    assert.throws(() => parseTime(text, now), { kind: 'invalid' });
});

test('detach keys', () => {
  assert.deepEqual([...parseDetachKeys('')], [16, 17]);
  assert.deepEqual([...parseDetachKeys('ctrl-a,b,ctrl-\\,ctrl-@')], [1, 98, 28, 0]);
  for (const text of ['ctrl-', 'ctrl-1', 'ab', 'a,', 'é'])
    assert.throws(() => parseDetachKeys(text), { kind: 'invalid' });
  const rows: readonly [string[], string, boolean][] = [
    [['hello'], 'hello', false],
    [['he\x10\x11llo'], 'he', true],
    [['he\x10', '\x11'], 'he', true],
    [['\x10\x10\x11'], '\x10', true],
    [['\x10', 'x'], '\x10x', false],
    [['\x11\x10'], '\x11', false],
  ];
  for (const [chunks, passed, detached] of rows) {
    const scanner = new DetachScanner(parseDetachKeys(''));
    const seen = chunks.map((chunk) => scanner.scan(Buffer.from(chunk)));
    assert.equal(seen.map(({ pass }) => pass.toString()).join(''), passed, JSON.stringify(chunks));
    assert.equal(seen.at(-1)?.detached, detached, JSON.stringify(chunks));
  }
});

test('names from repo and tag', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  assert.equal(joinReference('docker.io/library/x', '1').tag, '1');
  assert.equal(joinReference('x:2', '').tag, '2');
  assert.equal(joinReference('x', digest).digest, digest);
  assert.equal(targetReference('x', '').tag, 'latest');
  assert.throws(() => joinReference('x', 'a b'), { kind: 'invalid' });
  assert.throws(() => joinReference('Upper', ''), {
    message: 'invalid reference format: repository name (library/Upper) must be lowercase',
  });
  assert.throws(() => targetReference('x', digest), { kind: 'invalid' });
});

test('credentials in either base64, and what cannot be read is anonymous', () => {
  const auth = { username: 'ü?>', password: 'p' };
  const json = Buffer.from(JSON.stringify(auth));
  assert.deepEqual(readRegistryAuth(json.toString('base64')), auth);
  assert.deepEqual(readRegistryAuth(json.toString('base64url')), auth);
  for (const header of [undefined, '', 'e30=', 'bnVsbA==', '123', '{}'])
    assert.equal(readRegistryAuth(header), undefined);
});

test('what clients send for "not set" is not there', () => {
  const body = createBody(
    {
      Image: 'x',
      Cmd: 'one',
      Entrypoint: null,
      HostConfig: {
        MemorySwappiness: -1,
        PidsLimit: 0,
        ConsoleSize: [0, 0],
        Binds: null,
        OomKillDisable: false,
        Memory: 5,
      },
      NetworkingConfig: { EndpointsConfig: { default: {}, other: null } },
    },
    '',
  );
  assert.deepEqual(body, {
    Image: 'x',
    Cmd: ['one'],
    HostConfig: { OomKillDisable: false, Memory: 5 },
    NetworkingConfig: { EndpointsConfig: { default: {}, other: null } },
  });
  const hostile = createBody(JSON.parse('{"Labels":{"__proto__":"x"},"__proto__":{"Image":"y"}}'), '');
  assert.equal(Object.getPrototypeOf(hostile), Object.prototype);
  assert.deepEqual(Object.keys(hostile), ['Labels']);
  assert.ok(Object.hasOwn(hostile.Labels ?? {}, '__proto__'));
});

test('an inspected image by version', () => {
  const image = {
    Id: 'sha256:x',
    RepoTags: [],
    RepoDigests: [],
    Parent: '',
    Comment: '',
    Created: '',
    DockerVersion: '',
    Author: '',
    Config: { Cmd: ['sh'] },
    Architecture: 'amd64',
    Os: 'linux',
    Size: 5,
    GraphDriver: { Name: 'overlay2', Data: {} },
    RootFS: { type: 'layers', Type: 'layers' as const },
    Metadata: { LastTagTime: '' },
  };
  const at41 = shapeImageInspect(image, 41);
  assert.deepEqual([at41.Container, at41.VirtualSize, at41.Config.Hostname, at41.Config.Cmd], ['', 5, '', ['sh']]);
  assert.ok(at41.ContainerConfig);
  const at45 = shapeImageInspect(image, 45);
  assert.deepEqual([at45.Container, at45.VirtualSize, at45.Config.Hostname], [undefined, undefined, '']);
  assert.deepEqual(shapeImageInspect(image, 50), image);
});
