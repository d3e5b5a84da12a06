import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeLog, silentLog } from '../lib/log.ts';
import { Reserve } from '../lib/reserve.ts';
import { Trash } from './trash.ts';

const noRoot = process.getuid?.() === 0 ? false : 'needs root to mount';

const partsIn = (folder: string, log = silentLog) => ({ log, reserve: new Reserve(join(folder, 'reserve')) });

function withFolder(work: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), 'strake-trash-'));
    try {
      await work(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

test(
  'trees of any shape go, and what their links point to stays',
  withFolder(async (folder) => {
    await using trash = new Trash(join(folder, 'trash'), partsIn(folder));
    const tree = join(folder, 'tree');
    const outside = join(folder, 'outside');
    mkdirSync(join(tree, 'closed'), { recursive: true });
    mkdirSync(outside);
    writeFileSync(join(outside, 'kept'), '');
    symlinkSync(outside, join(tree, 'link'));
    for (let index = 0; index < 300; index++) writeFileSync(join(tree, `file ${index}`), '');
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/closed/`), Buffer.from([0xff, 0xfe])]), 'no UTF-8');
    execFileSync('chmod', ['000', join(tree, 'closed')]);
    trash.discard(tree);
    trash.discard(join(folder, 'not there'));
    assert.ok(!existsSync(tree));
    await trash.emptied();
    assert.deepEqual(readdirSync(join(folder, 'trash')), []);
    assert.deepEqual(readdirSync(outside), ['kept']);
  }),
);

test(
  'a tree deeper than a path may be long goes',
  withFolder(async (folder) => {
    await using trash = new Trash(join(folder, 'trash'), partsIn(folder));
    const deep = 'import os,sys\nos.chdir(sys.argv[1])\nfor i in range(2500):\n os.mkdir("deep");os.chdir("deep")\n';
    const made = join(folder, 'tree');
    mkdirSync(made);
    execFileSync('python3', ['-c', deep, made]);
    trash.discard(made);
    await trash.emptied();
    assert.deepEqual(readdirSync(join(folder, 'trash')), []);
  }),
);

test(
  'a mount inside is not entered',
  { skip: noRoot },
  withFolder(async (folder) => {
    const warnings: string[] = [];
    const tree = join(folder, 'a tree');
    const precious = join(folder, 'precious');
    const trashFolder = join(folder, 'trash');
    mkdirSync(join(tree, 'point'), { recursive: true });
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), '');
    execFileSync('mount', ['--bind', precious, join(tree, 'point')]);
    try {
      await using trash = new Trash(
        trashFolder,
        partsIn(
          folder,
          makeLog((line) => warnings.push(line)),
        ),
      );
      trash.discard(tree);
      await trash.emptied();
      assert.deepEqual(readdirSync(precious), ['file']);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /is mounted/);
    } finally {
      const [name = ''] = readdirSync(trashFolder);
      execFileSync('umount', [join(trashFolder, name, 'point')]);
    }
    await using trash = new Trash(trashFolder, partsIn(folder));
    await trash.emptied();
    assert.deepEqual(readdirSync(trashFolder), []);
    assert.deepEqual(readdirSync(precious), ['file']);
  }),
);
