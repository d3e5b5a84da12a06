import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { makeScratchFolder } from '../lib/scratch.ts';
import { encodeLines } from './log-lines.ts';
import { logDetails, logLimits } from './log-options.ts';
import { type LogQuery, type LogSpan, readLog } from './log-reader.ts';
import { LogWriter } from './log-writer.ts';

const { signal } = new AbortController();
const ALL: LogQuery = {
  stdout: true,
  stderr: true,
  timestamps: false,
  since: undefined,
  until: undefined,
  tail: undefined,
};

async function withLog(work: (path: string) => Promise<void>): Promise<void> {
  await using scratch = makeScratchFolder(tmpdir(), 'log');
  await work(join(scratch.path, 'log'));
}

/** Everything as with a terminal: plain text. */
async function read(path: string, query: Partial<LogQuery> = {}, span?: LogSpan): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readLog(path, true, { ...ALL, ...query }, { signal, span })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('lines that come in pieces, characters that are split, a last line without end', () =>
  withLog(async (path) => {
    const log = new LogWriter(path);
    const text = Buffer.from('eins zwö\ndrei');
    for (const byte of text) await log.write('stdout', Buffer.from([byte]));
    await log.write('stderr', Buffer.from('err\n'));
    await log.end();
    const entries = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      entries.map(({ log, stream }) => [stream, log]),
      [
        ['stdout', 'eins zwö\n'],
        ['stderr', 'err\n'],
        ['stdout', 'drei'],
      ],
    );
  }));

test('a long line is logged in pieces that are whole characters', () =>
  withLog(async (path) => {
    const log = new LogWriter(path);
    const line = `${'ü'.repeat(50_000)}x\n`;
    const bytes = Buffer.from(line);
    for (let at = 0; at < bytes.length; at += 4001) await log.write('stdout', bytes.subarray(at, at + 4001));
    await log.end();
    assert.ok(readFileSync(path, 'utf8').split('\n').length > 5);
    assert.equal(await read(path), line);
  }));

test('tail, over many blocks', () =>
  withLog(async (path) => {
    const log = new LogWriter(path);
    for (let i = 0; i < 5000; i++) void log.write(i % 2 ? 'stdout' : 'stderr', Buffer.from(`line ${i}\n`));
    await log.end();
    assert.equal((await read(path)).split('\n').length, 5001);
    assert.equal((await read(path, { tail: 3000 })).split('\n')[0], 'line 2000');
    assert.equal(await read(path, { tail: 2 }), 'line 4998\nline 4999\n');
    assert.equal(await read(path, { tail: 2, stderr: false }), 'line 4999\n');
    assert.equal((await read(path, { tail: 9999 })).split('\n').length, 5001);
  }));

test('follow sees what comes later, from before the file exists until the end', () =>
  withLog(async (path) => {
    const log = new LogWriter(path);
    const all = read(path, {}, { writer: log, follow: true });
    for (let i = 0; i < 50; i++) {
      await log.write('stdout', Buffer.from(`${i}\n`));
      if (i % 10 === 0) await new Promise(setImmediate);
    }
    await log.end();
    assert.equal((await all).split('\n').length, 51);
  }));

test('the position divides the log exactly', () =>
  withLog(async (path) => {
    const first = new LogWriter(path);
    await first.write('stdout', Buffer.from('of the run before\n'));
    await first.end();
    const log = new LogWriter(path);
    void log.write('stdout', Buffer.from('a\n'));
    const position = log.position();
    void log.write('stdout', Buffer.from('b\n'));
    const end = await position;
    assert.equal(await read(path, {}, { writer: log, end }), 'of the run before\na\n');
    await log.end();
    assert.deepEqual(await new LogWriter(path).position(), { generation: 0, offset: readFileSync(path).length });
  }));

test('a line that a crash has cut is passed over', () =>
  withLog(async (path) => {
    const log = new LogWriter(path);
    await log.write('stdout', Buffer.from('a\n'));
    await log.end();
    appendFileSync(path, '{"log":"half');
    assert.equal(await read(path), 'a\n');
    appendFileSync(path, '\n{"log":"b\\n","stream":"stdout","time":"2026-01-01T00:00:00Z"}\n');
    assert.equal(await read(path), 'a\nb\n');
    assert.equal(await read(path, { since: Date.parse('2026-01-01T00:00:01Z') }), 'a\n');
  }));

test('timestamps have nine digits after the point, however they were written', () =>
  withLog(async (path) => {
    const times = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.12Z', '2026-01-01T00:00:00.123456789Z'];
    for (const time of times) appendFileSync(path, `${JSON.stringify({ log: 'x\n', stream: 'stdout', time })}\n`);
    assert.equal(
      await read(path, { timestamps: true }),
      ['000000000', '120000000', '123456789'].map((digits) => `2026-01-01T00:00:00.${digits}Z x\n`).join(''),
    );
  }));

test('files are put aside at their size, and read as one log: whole, from the end, up to a place, while they are written', () =>
  withLog(async (path) => {
    const log = new LogWriter(path, { maxSize: 1000, maxFiles: 3, compress: false });
    const followed = read(path, {}, { writer: log, follow: true });
    const expected: string[] = [];
    for (let i = 0; i < 100; i++) {
      expected.push(`line ${i}\n`);
      await log.write('stdout', Buffer.from(`line ${i}\n`));
      if (i === 49) {
        const end = await log.position();
        const replay = await read(path, {}, { writer: log, end });
        assert.ok(expected.join('').endsWith(replay) && replay.split('\n').length > 20, replay);
      }
      await new Promise(setImmediate);
    }
    const writer = { writer: log };
    const kept = await read(path, {}, writer);
    assert.ok(kept.split('\n').length < 60, 'the oldest are gone');
    assert.ok(expected.join('').endsWith(kept));
    assert.equal(await read(path, { tail: 20 }, writer), expected.slice(-20).join(''));
    assert.equal(await read(path, { tail: 1 }, writer), 'line 99\n');
    assert.equal(await read(path, { tail: 0 }, writer), '');
    await log.end();
    assert.equal(await followed, expected.join(''));
    assert.equal(await read(path), kept, 'by a later host');
    assert.ok(existsSync(`${path}.2`) && !existsSync(`${path}.3`));
    for (const file of [path, `${path}.1`, `${path}.2`]) assert.ok(readFileSync(file).length < 1200);
  }));

test('many lines at once go to as many files as they need; one file begins anew', () =>
  withLog(async (path) => {
    const text = Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join('');
    const many = new LogWriter(path, { maxSize: 1000, maxFiles: 100, compress: false });
    await many.write('stdout', Buffer.from(text));
    await many.end();
    assert.equal(await read(path), text);
    const one = new LogWriter(`${path}-one`, { maxSize: 1000, maxFiles: 1, compress: false });
    await one.write('stdout', Buffer.from(text));
    await one.end();
    assert.ok(readFileSync(`${path}-one`).length <= 1100);
    assert.ok(text.endsWith(await read(`${path}-one`)));
    assert.ok(!existsSync(`${path}-one.1`));
  }));

test('files that were put aside are packed, and read as before', () =>
  withLog(async (path) => {
    const log = new LogWriter(path, { maxSize: 2000, maxFiles: 4, compress: true });
    const followed = read(path, {}, { writer: log, follow: true });
    let expected = '';
    for (let i = 0; i < 300; i++) {
      expected += `line ${i}\n`;
      await log.write('stdout', Buffer.from(`line ${i}\n`));
      await new Promise(setImmediate);
    }
    const running = await read(path, {}, { writer: log });
    assert.ok(expected.endsWith(running) && running.split('\n').length > 60, running);
    await log.end();
    assert.ok(expected.endsWith(await followed));
    assert.ok([1, 2, 3].every((number) => existsSync(`${path}.${number}.gz`) && !existsSync(`${path}.${number}`)));
    assert.ok(!existsSync(`${path}.4.gz`) && !existsSync(`${path}.packing`));
    const kept = await read(path);
    assert.equal(kept, running);
    const lines = kept.split('\n').length - 1;
    for (let tail = 0; tail <= lines + 1; tail++)
      assert.equal(
        await read(path, { tail }),
        kept
          .split('\n')
          .slice(-tail - 1, -1)
          .map((line) => `${line}\n`)
          .join(''),
      );
    const first = gunzipSync(readFileSync(`${path}.1.gz`)).toString();
    assert.ok(first.startsWith('{"log":"line ') && first.endsWith('}\n'));

    // What a crash left: a file that is not packed yet, and half of one.
    writeFileSync(`${path}.2`, gunzipSync(readFileSync(`${path}.2.gz`)));
    rmSync(`${path}.2.gz`);
    assert.equal(await read(path), kept);
    truncateSync(`${path}.3.gz`, 40);
    assert.ok(kept.endsWith(await read(path)));
  }));

test('any bytes are logged as JSON: what is not UTF-8 as U+FFFD for each byte', () => {
  const tail = Buffer.from('","stream":"stdout"}\n');
  const logged = (text: Buffer) => {
    const { bytes, ends } = encodeLines(text, tail);
    const lines = bytes.toString('utf8').split('\n').slice(0, -1);
    assert.deepEqual(ends.length, lines.length);
    assert.equal(ends.at(-1) ?? 0, bytes.length);
    return lines.map((line): string => JSON.parse(line).log).join('');
  };
  for (const [hex, expected] of [
    ['', ''],
    ['0a0a', '\n\n'],
    ['610a62', 'a\nb'],
    ['22 5c 00 1f 7f 09 0d', '"\\\0\x1f\x7f\t\r'],
    ['c3bc e282ac f09f9880', 'ü€😀'],
    ['c3', '\ufffd'],
    ['c328', '\ufffd('],
    ['c0af', '\ufffd\ufffd'],
    ['e080af', '\ufffd\ufffd\ufffd'],
    ['eda080', '\ufffd\ufffd\ufffd'],
    ['f4908080', '\ufffd\ufffd\ufffd\ufffd'],
    ['e282 0a', '\ufffd\ufffd\n'],
    ['f09f98', '\ufffd\ufffd\ufffd'],
    ['ff80', '\ufffd\ufffd'],
  ] as const)
    assert.equal(logged(Buffer.from(hex.replaceAll(' ', ''), 'hex')), expected, hex);
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 300 }),
      (text) => logged(Buffer.from(text)) === text.toWellFormed(),
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = logged(Buffer.from(bytes));
      return text.replaceAll('\ufffd', '') === Buffer.from(bytes).toString('utf8').replaceAll('\ufffd', '');
    }),
  );
  const long = Buffer.from('ü'.repeat(20_000));
  assert.equal(logged(long), long.toString());
});

test('options of a log: sizes, numbers, details', () => {
  const limits = (Config: Record<string, string>, Type = 'json-file') => logLimits({ Type, Config });
  assert.deepEqual(limits({}), { maxSize: undefined, maxFiles: 1, compress: false });
  assert.deepEqual(limits({ 'max-size': '1.5k', 'max-file': '3' }), { maxSize: 1500, maxFiles: 3, compress: false });
  assert.deepEqual(limits({ 'max-size': '10m' }), { maxSize: 10_000_000, maxFiles: 1, compress: false });
  assert.deepEqual(limits({}, 'local'), { maxSize: 20_000_000, maxFiles: 5, compress: true });
  assert.equal(limits({ compress: 'true', 'max-size': '1m', 'max-file': '2' }).compress, true);
  assert.equal(limits({ compress: 'F' }, 'local').compress, false);
  for (const [config, type, message] of [
    [
      { compress: 'true', 'max-size': '1m' },
      'json-file',
      'failed to initialize logging driver: compress cannot be true when max-file is less than 2 or max-size is not set',
    ],
    [
      { compress: 'yes' },
      'json-file',
      'failed to initialize logging driver: strconv.ParseBool: parsing "yes": invalid syntax',
    ],
    [{ nope: '1' }, 'json-file', "unknown log opt 'nope' for json-file log driver"],
    [{}, 'nope', 'error looking up logging plugin nope: plugin "nope" not found'],
    [{}, 'constructor', 'error looking up logging plugin constructor: plugin "constructor" not found'],
    [{ 'max-size': 'bad' }, 'json-file', "failed to initialize logging driver: invalid size: 'bad'"],
    [{ 'max-size': '0' }, 'json-file', 'failed to initialize logging driver: max-size must be a positive number'],
    [{ 'max-file': '0' }, 'json-file', 'failed to initialize logging driver: max-file cannot be less than 1'],
    [
      { 'max-file': 'x' },
      'json-file',
      'failed to initialize logging driver: strconv.Atoi: parsing "x": invalid syntax',
    ],
  ] as const)
    assert.throws(() => limits(config, type), { kind: 'invalid', message });
  const container = { Labels: { lb: '1', other: 'x' }, Env: ['EV=a b', 'X=y'] };
  const Config = { labels: 'lb', env: 'EV', tag: '{{.ID}}' };
  assert.equal(
    logDetails(container, { Type: 'json-file', Config }, 'f'.repeat(64)),
    `EV=a+b,lb=1,tag=${'f'.repeat(12)} `,
  );
  assert.equal(logDetails(container, { Type: 'json-file', Config: {} }, 'x'), ' ');
});
