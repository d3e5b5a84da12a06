import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '../lib/error.ts';
import { silentLog } from '../lib/log.ts';
import { parseDiffId, parseDigest, parseImageId } from '../oci/digest.ts';
import { checkStore } from './check.ts';
import { parseContainerId } from './containers.ts';
import { openStore, type Store } from './open-store.ts';
import { runStoreProcess } from './store-process.ts';
import { gather } from './test-store.ts';

const never = new AbortController().signal;

interface StoreProcess {
  readonly child: ChildProcess;
  readonly lines: string[];
  readonly ended: Promise<unknown>;
}

function start(root: string, mode: 'hold' | 'write'): StoreProcess {
  const url = new URL('./store-process.ts', import.meta.url);
  const call = `import(${JSON.stringify(url)}).then((m) => m.${runStoreProcess.name}(${JSON.stringify(root)}, '${mode}'))`;
  const child = spawn(process.execPath, ['--eval', call], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  return { child, lines, ended: Promise.all([once(child, 'exit'), once(reader, 'close')]) };
}

async function firstLine(started: StoreProcess): Promise<string> {
  while (started.lines.length === 0) await sleep(5);
  return started.lines[0] ?? '';
}

function temporaryRoot(): string {
  return mkdtempSync(join(tmpdir(), 'strake-open-'));
}

async function problems(store: Store): Promise<string[]> {
  return (await gather(checkStore(store, { signal: never }))).map((problem) => problem.message);
}

test('a second opener is refused with the root and the pid of the holder; kill -9 frees the root', async () => {
  const root = temporaryRoot();
  const first = start(root, 'hold');
  try {
    assert.equal(await firstLine(first), 'open');
    await assert.rejects(
      openStore(root, { log: silentLog }),
      (error) =>
        isFailure(error, 'conflict') &&
        error.code === 'STORE_LOCKED' &&
        error.message === `the data root ${root} is in use by process ${first.child.pid}`,
    );
    first.child.kill('SIGKILL');
    await first.ended;
    await using store = await openStore(root, { log: silentLog });
    assert.deepEqual(await problems(store), []);
    await assert.rejects(openStore(root, { log: silentLog }), (error) => isFailure(error, 'conflict'));
  } finally {
    first.child.kill('SIGKILL');
    await first.ended;
    rmSync(root, { recursive: true });
  }
});

test('of six that open a new root at once exactly one gets it', async () => {
  const root = temporaryRoot();
  const processes = Array.from({ length: 6 }, () => start(root, 'hold'));
  try {
    const said = await Promise.all(processes.map(firstLine));
    assert.equal(said.filter((line) => line === 'open').length, 1, said.join('\n'));
    for (const line of said) assert.match(line, /^open$|in use by process/);
  } finally {
    for (const { child } of processes) child.kill('SIGKILL');
    await Promise.all(processes.map(({ ended }) => ended));
    rmSync(root, { recursive: true });
  }
});

test('kill -9 at any moment: the store opens clean and has all that was acknowledged', async () => {
  const root = temporaryRoot();
  try {
    let acknowledged = 0;
    for (let round = 0; round < 8; round++) {
      const writer = start(root, 'write');
      assert.equal(await firstLine(writer), 'open');
      await sleep(Math.random() * 120);
      writer.child.kill('SIGKILL');
      await writer.ended;

      await using store = await openStore(root, { log: silentLog });
      assert.deepEqual(readdirSync(store.scratch), []);
      assert.deepEqual(await problems(store), []);
      for (const line of writer.lines) {
        const [kind, id = ''] = line.split(' ');
        if (kind === 'blob') assert.ok(store.content.has(parseDigest(id)), line);
        if (kind === 'layer') assert.ok(store.layers.byDiffId(parseDiffId(id)), line);
        if (kind === 'image') assert.ok(store.images.has(parseImageId(id)), line);
        if (kind === 'container') assert.ok(store.containers.get(parseContainerId(id)), line);
      }
      acknowledged += writer.lines.length - 1;
      await store.trash.emptied();
      assert.deepEqual(readdirSync(join(root, 'trash')), []);
    }
    assert.ok(acknowledged > 0, 'no writer got far enough to acknowledge anything');
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('a database of a newer version and a damaged one are refused with the reason', async () => {
  const root = temporaryRoot();
  try {
    {
      await using store = await openStore(root, { log: silentLog });
      store.database.exec('PRAGMA user_version = 1000');
    }
    await assert.rejects(
      openStore(root, { log: silentLog }),
      (error) => isFailure(error, 'unsupported') && error.code === 'STORE_TOO_NEW',
    );
    writeFileSync(join(root, 'strake.db'), 'this is not a database, whatever its name says'.repeat(100));
    await assert.rejects(
      openStore(root, { log: silentLog }),
      (error) => isFailure(error, 'data-loss') && error.code === 'DATABASE_CORRUPT',
    );
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('metadata is for its owner alone, also under a data root that others may enter', async () => {
  const root = temporaryRoot();
  chmodSync(root, 0o755);
  {
    await using _store = await openStore(root, { log: silentLog });
    const files = readdirSync(root).filter((name) => name.startsWith('strake.db'));
    assert.ok(files.length > 0);
    for (const name of files) assert.equal(statSync(join(root, name)).mode & 0o077, 0, name);
  }
  rmSync(root, { recursive: true });
});

test('what a killed host was giving to a registry is taken back, and giving goes on', async () => {
  const root = temporaryRoot();
  try {
    const place = 'a'.repeat(32);
    const folder = join(root, 'handoff', place);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'b'.repeat(32)), 'left');
    await using store = await openStore(root, { log: silentLog });
    assert.deepEqual(readdirSync(folder), []);
    const { digest } = await store.content.write(Buffer.from('blob'), { limit: 100, signal: never });
    {
      await using handed = await store.content.handOver(digest, place);
      assert.deepEqual(readdirSync(folder), [handed?.name]);
    }
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(await store.content.handOver(digest, '../content'), undefined);
  } finally {
    rmSync(root, { recursive: true });
  }
});
