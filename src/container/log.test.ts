import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeScratchFolder } from '../lib/scratch.ts';
import { type LogQuery, readLog } from './log-reader.ts';
import { LogWriter } from './log-writer.ts';

const { signal } = new AbortController();
const ALL: LogQuery = {
  stdout: true,
  stderr: true,
  timestamps: false,
  since: undefined,
  until: undefined,
  tail: undefined,
  end: undefined,
  follow: undefined,
};

async function withLog(work: (path: string) => Promise<void>): Promise<void> {
  await using scratch = makeScratchFolder(tmpdir(), 'log');
  await work(join(scratch.path, 'log'));
}

/** Everything as with a terminal: plain text. */
async function read(path: string, query: Partial<LogQuery> = {}): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readLog(path, true, { ...ALL, ...query }, { signal })) chunks.push(chunk);
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
    const all = read(path, { follow: log });
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
    assert.equal(await read(path, { end: await position }), 'of the run before\na\n');
    await log.end();
    assert.equal(await new LogWriter(path).position(), readFileSync(path).length);
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
