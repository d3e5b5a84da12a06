import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from '../../lib/duration.ts';
import { messageOf } from '../../lib/error.ts';
import { parseBytes } from './bytes.ts';
import { bytes, duration, integer, list, text, toggle } from './flag.ts';
import { describeFlags } from './help-text.ts';
import { parseFlags } from './parse-flags.ts';
import { timestampQuery } from './timestamp.ts';

const FLAGS = {
  interactive: toggle('keep stdin', { short: 'i' }),
  tty: toggle('terminal', { short: 't' }),
  rm: toggle('remove'),
  sigProxy: toggle('signals', { initial: true }),
  publish: list('ports', { short: 'p' }),
  name: text('name'),
  memory: bytes('memory', { short: 'm' }),
  cpuShares: integer('shares', { short: 'c' }),
  healthInterval: duration('interval'),
};

const good: readonly [argv: string, expected: object, rest: string][] = [
  ['-it img', { interactive: true, tty: true }, 'img'],
  ['-itp 80:80 img', { interactive: true, tty: true, publish: ['80:80'] }, 'img'],
  ['-p80:80 -p=81 --publish 82 --publish=83 img', { publish: ['80:80', '81', '82', '83'] }, 'img'],
  ['--name=x --name y img', { name: 'y' }, 'img'],
  ['--name= img', { name: '' }, 'img'],
  ['--rm=false --rm img', { rm: true }, 'img'],
  ['--rm --rm=F img', { rm: false }, 'img'],
  ['--sig-proxy=0 img', { sigProxy: false }, 'img'],
  ['-t=true img', { tty: true }, 'img'],
  ['-m 64m -c 0x10 img', { memory: 64 << 20, cpuShares: 16 }, 'img'],
  ['--health-interval 1m30s img', { healthInterval: 90e9 }, 'img'],
  ['img -t --name z', {}, 'img -t --name z'],
  ['-- -t', {}, '-t'],
  ['- -t', {}, '- -t'],
];
for (const [argv, expected, rest] of good) {
  test(`flags end at the first argument: ${argv}`, () => {
    const parsed = parseFlags(FLAGS, argv.split(' '), { interspersed: false });
    const defaults = Object.fromEntries(Object.entries(FLAGS).map(([key, flag]) => [key, flag.initial]));
    assert.deepEqual(parsed.values, { ...defaults, ...expected });
    assert.equal(parsed.rest.join(' '), rest);
  });
}

test('flags may follow arguments where a command allows it', () => {
  const parsed = parseFlags(FLAGS, ['a', '-t', 'b', '--', '-i'], { interspersed: true });
  assert.deepEqual(parsed.rest, ['a', 'b', '-i']);
  assert.equal(parsed.values.tty, true);
  assert.equal(parsed.values.interactive, false);
  assert.deepEqual([...parsed.given], ['tty']);
});

const bad: readonly [argv: string, message: string][] = [
  ['--bogus x', 'unknown flag: --bogus'],
  ['--bogus=1', 'unknown flag: --bogus'],
  ['-z', "unknown shorthand flag: 'z' in -z"],
  ['-itz', "unknown shorthand flag: 'z' in -itz"],
  ['--name', 'flag needs an argument: --name'],
  ['-p', "flag needs an argument: 'p' in -p"],
  ['-m zz', `invalid argument "zz" for "-m, --memory" flag: invalid size: 'zz'`],
  ['--rm=maybe', 'invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax'],
  ['-c abc', 'invalid argument "abc" for "-c, --cpu-shares" flag: strconv.ParseInt: parsing "abc": invalid syntax'],
  ['--health-interval 5', 'invalid argument "5" for "--health-interval" flag: time: missing unit in duration "5"'],
  ['--=x', 'bad flag syntax: --=x'],
];
for (const [argv, message] of bad) {
  test(`refused: ${argv}`, () => {
    assert.throws(() => parseFlags(FLAGS, argv.split(' '), { interspersed: false }), { message });
  });
}

test('--help and -h ask for help', () => {
  for (const argv of [['--help'], ['-h'], ['-ih']])
    assert.equal(parseFlags(FLAGS, argv, { interspersed: false }).help, true);
});

test('help texts have two columns and fit the width', () => {
  const lines = describeFlags(FLAGS, 60).split('\n');
  assert.equal(lines[0], '  -c, --cpu-shares int             shares');
  assert.ok(lines.includes('      --sig-proxy                  signals (default true)'));
  assert.ok(lines.every((line) => line.length <= 60));
});

const sizes: readonly [text: string, bytes: number | 'invalid'][] = [
  ['512', 512],
  ['64m', 64 << 20],
  ['64M', 64 << 20],
  ['1.5g', 1.5 * 2 ** 30],
  ['1kb', 1024],
  ['2KiB', 2048],
  ['1 g', 2 ** 30],
  ['0', 0],
  ['-1', 'invalid'],
  ['m', 'invalid'],
  ['1x', 'invalid'],
  ['', 'invalid'],
  ['1e3', 'invalid'],
];
for (const [text, expected] of sizes) {
  test(`size ${text || 'of nothing'}`, () => {
    if (expected === 'invalid') assert.throws(() => parseBytes(text), { message: `invalid size: '${text}'` });
    else assert.equal(parseBytes(text), expected);
  });
}

const durations: readonly [text: string, nanoseconds: number | 'invalid'][] = [
  ['0', 0],
  ['1s', 1e9],
  ['1h2m3.5s', 3723.5e9],
  ['300ms', 3e8],
  ['-5s', -5e9],
  ['1us', 1e3],
  ['.5m', 3e10],
  ['5', 'invalid'],
  ['', 'invalid'],
  ['1d', 'invalid'],
  ['s', 'invalid'],
];
for (const [text, expected] of durations) {
  test(`duration ${text || 'of nothing'}`, () => {
    if (expected === 'invalid') assert.throws(() => parseDuration(text), /duration/);
    else assert.equal(parseDuration(text), expected);
  });
}

const NOW = Date.parse('2026-11-21T12:00:00Z');
const times: readonly [text: string, expected: string | undefined][] = [
  ['', undefined],
  ['1700000000', '1700000000'],
  ['1700000000.5', '1700000000.5'],
  ['42m', `${NOW / 1000 - 42 * 60}.000000000`],
  ['2026-11-21T11:59:59Z', `${NOW / 1000 - 1}.000000000`],
  ['2026-11-21T11:59:59.25Z', `${NOW / 1000 - 1}.250000000`],
  ['2026-11-21T12:59:59+01:00', `${NOW / 1000 - 1}.000000000`],
  ['yesterday', 'invalid'],
];
for (const [text, expected] of times) {
  test(`time ${text}`, () => {
    let actual: string | undefined;
    try {
      actual = timestampQuery(text, NOW);
    } catch (error) {
      assert.match(messageOf(error), /failed to parse/);
      actual = 'invalid';
    }
    assert.equal(actual, expected);
  });
}
