import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as change from './config-change.ts';

// The right-hand sides are what dockerd 20.10 writes into CREATED BY.
const rows: readonly [string, change.ConfigChange, string][] = [
  [
    'ENV',
    change.setEnv({}, [
      ['A', '1'],
      ['B', 'two words'],
    ]),
    ' ENV A=1 B=two words',
  ],
  [
    'LABEL',
    change.addLabels({}, [
      ['a', 'b'],
      ['c d', 'e'],
    ]),
    ' LABEL a=b c d=e',
  ],
  ['EXPOSE sorts', change.expose({}, ['80/tcp', '53/udp'], ['80', '53/udp']), ' EXPOSE 53/udp 80'],
  ['CMD', change.setCmd({}, ['a', 'b']), ' CMD ["a" "b"]'],
  ['ENTRYPOINT', change.setEntrypoint({}, ['/bin/sh', '-c', 'a b'], true), ' ENTRYPOINT ["/bin/sh" "-c" "a b"]'],
  ['VOLUME', change.addVolumes({}, ['/data', '/d2']), ' VOLUME [/data /d2]'],
  ['USER', change.setUser({}, 'nobody'), ' USER nobody'],
  ['WORKDIR has one space', change.setWorkdir({}, '/x/y'), 'WORKDIR /x/y'],
  ['STOPSIGNAL', change.setStopSignal({}, '9'), ' STOPSIGNAL 9'],
  ['SHELL', change.setShell({}, ['/bin/sh', '-c']), ' SHELL [/bin/sh -c]'],
  ['ONBUILD', change.addTrigger({}, 'RUN echo hi'), ' ONBUILD RUN echo hi'],
  [
    'HEALTHCHECK',
    change.setHealthcheck({}, { Test: ['CMD-SHELL', 'true'], Interval: 5e9 }),
    ` HEALTHCHECK &{["CMD-SHELL" "true"] "5s" "0s" "0s" "0s" '\\x00'}`,
  ],
];

for (const [name, { summary }, expected] of rows)
  test(`history text of ${name}`, () => assert.equal(summary, expected));

test('ENV replaces in place and appends what is new', () => {
  const { config } = change.setEnv({ Env: ['A=0', 'B=0'] }, [
    ['A', '1'],
    ['C', ''],
  ]);
  assert.deepEqual(config.Env, ['A=1', 'B=0', 'C=']);
});

test('ENV of many variables takes no long', () => {
  const pairs = Array.from({ length: 60_000 }, (_, index) => [`name${index % 50_000}`, `${index}`] as const);
  const start = performance.now();
  const { config } = change.setEnv({ Env: ['name7=old'] }, pairs);
  assert.ok(performance.now() - start < 20_000);
  assert.equal(config.Env?.length, 50_000);
  assert.deepEqual(config.Env?.slice(0, 2), ['name7=50007', 'name0=50000']);
});

test('ENTRYPOINT drops an inherited CMD and keeps one of the same stage', () => {
  assert.equal(change.setEntrypoint({ Cmd: ['x'] }, ['e'], true).config.Cmd, undefined);
  assert.deepEqual(change.setEntrypoint({ Cmd: ['x'] }, ['e'], false).config.Cmd, ['x']);
});

test('a change leaves the config that it began with alone', () => {
  const before = { Labels: { a: '1' }, ExposedPorts: { '1/tcp': {} }, Volumes: { '/v': {} }, OnBuild: ['RUN x'] };
  const copy = structuredClone(before);
  change.addLabels(before, [['a', '2']]);
  change.expose(before, ['2/tcp'], ['2']);
  change.addVolumes(before, ['/w']);
  change.addTrigger(before, 'RUN y');
  assert.deepEqual(before, copy);
});
