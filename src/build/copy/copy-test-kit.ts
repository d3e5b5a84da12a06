/** What the tests of copying share: trees from a few words, a copy in this thread, and a check of the layer it made. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { statFile } from '../../host/file-system-calls.ts';
import { verifyTree } from '../../snapshot/verify-tree.ts';
import type { LayerEntry } from '../../tar/layer-entry.ts';
import { readLayerIndex } from '../../tar/layer-index.ts';
import { pathInFolder } from '../../tar/names.ts';
import { packPieces } from '../../tar/pack-layer.ts';
import type { BuildContext } from '../context/build-context.ts';
import { copyTask } from './copy-files.ts';
import type { CopiedLayer } from './copy-request.ts';
import type { LocalRequest, LocalSource } from './gather-sources.ts';
import { makeRing } from './write-ring.ts';

export const SKIP_UNLESS_ROOT = process.getuid?.() === 0 ? {} : { skip: 'needs root: it makes files of other owners' };

export function makeTestRoot(): string {
  return mkdtempSync(join(tmpdir(), 'strake-copy-'));
}

/** Makes a tree: values are content, `-> target` for a symlink; names ending in a slash are folders. */
export function makeTree(root: string, tree: Readonly<Record<string, string>>): void {
  mkdirSync(root, { recursive: true });
  for (const [name, value] of Object.entries(tree)) {
    const path = join(root, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (name.endsWith('/')) continue;
    if (value.startsWith('-> ')) symlinkSync(value.slice(3), path);
    else writeFileSync(path, value);
  }
}

export function setAttributes(path: string, mode: number, uid = 0, gid = 0): void {
  chownSync(path, uid, gid);
  chmodSync(path, mode);
}

export function requestOf(
  context: Partial<BuildContext> & { folder: string },
  words: string,
  more: Partial<LocalRequest> = {},
): LocalRequest {
  const list = words.split(' ');
  const sources: LocalSource[] = list.slice(0, -1).map((path) => ({ kind: 'path', path }));
  return {
    instruction: 'COPY',
    sources,
    destination: list.at(-1) ?? '',
    workdir: '/',
    from: { kind: 'context', context: { ignore: undefined, memo: undefined, index: undefined, ...context } },
    chown: undefined,
    chmod: undefined,
    excludes: [],
    parents: false,
    unpack: false,
    base: [],
    ...more,
  };
}

/** Copies in this thread, without a helper, and checks that tree, index and diffID of the layer tell the same. */
export async function copyHere(request: LocalRequest, folder: string): Promise<CopiedLayer> {
  mkdirSync(folder);
  const task = { request, target: { folder, time: 1_000_000_000 }, ring: makeRing() };
  const copied = await copyTask(task, { signal: new AbortController().signal, post: () => {} });
  checkLayer(folder, copied);
  return copied;
}

export function checkLayer(folder: string, { facts }: CopiedLayer): void {
  const tree = join(folder, 'diff');
  const index = join(folder, 'index');
  const signal = new AbortController().signal;
  assert.deepEqual(verifyTree({ tree, index, limit: 10 }, { signal }), []);
  const hash = createHash('sha256');
  for (const piece of packPieces(index, tree)) hash.update(piece);
  assert.equal(`sha256:${hash.digest('hex')}`, facts.diffId);
  const { entries } = readLayerIndex(index);
  assert.equal(entries.length, facts.entries);
  for (const { path, type, mtime, mtimeNsec } of entries) {
    if (type === 'opaque') continue;
    const { modified } = statFile(pathInFolder(tree, path));
    assert.deepEqual(modified, { seconds: mtime, nanoseconds: mtimeNsec }, `time of ${path}`);
  }
}

/** The rows of a layer, one line each: `path type mode uid:gid`, and the target of a link. */
export function rowsOf(folder: string): string[] {
  return readLayerIndex(join(folder, 'index')).entries.map(lineOf);
}

function lineOf({ path, type, mode, uid, gid, linkTarget }: LayerEntry): string {
  const target = linkTarget === undefined ? '' : ` -> ${linkTarget}`;
  return `${path} ${type} ${mode.toString(8)} ${uid}:${gid}${target}`;
}
