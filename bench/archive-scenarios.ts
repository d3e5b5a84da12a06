/** Images as files: import, save and load of one layer, many files and large ones; lists of many images; beside docker. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '../src/oci/digest.ts';
import { hostPlatform } from '../src/oci/platform.ts';
import { TarWriter } from '../src/tar/tar-writer.ts';
import { noise } from './noise.ts';
import { type ArchiveCommands, complete, type Invocation, type Peer } from './peers.ts';
import type { Phase, Scenario } from './scenarios.ts';

const MIB = 1 << 20;

export const archiveScenarios: readonly Scenario[] = [
  archive('200 MB in 5,000 files', { rounds: 3, large: 16, small: 5000 }),
  archive('1 GB in 2,000 files', { rounds: 1, large: 96, small: 2000 }),
  {
    name: '1,000 images',
    rounds: 3,
    prepare: (context, seed) => writeManyImages(join(context, 'many.tar'), 1000, seed),
    phases: [
      {
        ...listing('images', 'images'),
        before: (context, peer) => fill(peer, ['load', '-q', '-i', join(context, 'many.tar')]),
      },
      listing('images -a -q', 'images', '-a', '-q'),
      listing('images of one name', 'images', 'many:7'),
      listing('history', 'history', 'many:7'),
      listing('system df', 'system', 'df'),
    ],
  },
  {
    name: 'commit of 3 files of 20,000',
    rounds: 1,
    prepare(context, seed) {
      const bytes = noise(MIB, seed);
      for (let i = 0; i < 20_000; i++) {
        const folder = join(context, 'tree', `d${Math.floor(i / 100)}`);
        if (i % 100 === 0) mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, `f${i % 100}`), bytes.subarray(i, i + 2048));
      }
      writeFileSync(join(context, 'Dockerfile'), 'FROM base\nCOPY tree /tree\n');
    },
    phases: [
      {
        name: 'commit',
        target: 1,
        peer: 'docker',
        before(context, peer, tag) {
          const change = 'for f in d0/f0 d100/f50 d199/f99; do echo changed > /tree/$f; done';
          fill(peer, ['build', '-q', '-t', tag, context]);
          fill(peer, ['run', '--network', 'none', '--name', tag, tag, 'sh', '-c', change]);
        },
        invoke: (peer, _, tag) => peer.command(['commit', tag, `${tag}:committed`]),
      },
    ],
  },
];

/** `large` files of 10 MiB and `small` ones of 8 KiB. */
function archive(
  name: string,
  size: { readonly rounds: number; readonly large: number; readonly small: number },
): Scenario {
  return {
    name: `archive of ${name}`,
    rounds: size.rounds,
    prepare: (context, seed) => packTree(context, seed, size),
    phases: [
      phase('import', (archives, context, tag) => archives.importTar(join(context, 'root.tar'), tag)),
      phase('save', (archives, context, tag) => archives.save(tag, join(context, 'saved.tar'))),
      {
        ...phase('load', (archives, context) => archives.load(join(context, 'saved.tar'))),
        before: (_, peer, tag) => peer.archives?.remove(tag),
      },
      phase('load of what is there', (archives, context) => archives.load(join(context, 'saved.tar'))),
    ],
  };
}

function listing(name: string, ...args: string[]): Phase {
  return { name, target: 1, peer: 'docker', invoke: (peer) => peer.command(args) };
}

function fill(peer: Peer, args: readonly string[]): void {
  const invocation = peer.command(args);
  if (invocation) complete(invocation);
}

/** An archive for `load`: so many images of one small layer, with a name and a setting each. */
function writeManyImages(path: string, count: number, seed: number): void {
  const layer = tarOf([['file', Buffer.from(`content ${seed}`)]]);
  const files: [string, Buffer][] = [['layer.tar', layer]];
  const manifest = [];
  for (let i = 0; i < count; i++) {
    const config = {
      architecture: hostPlatform().architecture,
      os: 'linux',
      created: new Date(1_700_000_000_000 + i * 1000).toISOString(),
      config: { Env: [`NUMBER=${seed}.${i}`], Cmd: ['true'] },
      history: [{ created_by: 'COPY file /' }, { created_by: `ENV NUMBER=${seed}.${i}`, empty_layer: true }],
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    };
    files.push([`${i}.json`, Buffer.from(JSON.stringify(config))]);
    manifest.push({ Config: `${i}.json`, RepoTags: [`many:${i}`], Layers: ['layer.tar'] });
  }
  files.push(['manifest.json', Buffer.from(JSON.stringify(manifest))]);
  writeFileSync(path, tarOf(files));
}

function tarOf(files: readonly (readonly [path: string, content: Buffer])[]): Buffer {
  const pieces: Buffer[] = [];
  const writer = new TarWriter((bytes) => pieces.push(Buffer.from(bytes)));
  for (const [path, content] of files) {
    const owner = { mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
    writer.begin({ path, type: 'file', size: content.length, ...owner });
    writer.data(content);
  }
  writer.end();
  return Buffer.concat(pieces);
}

/** Makes `root.tar` in the context. */
export function packTree(
  context: string,
  seed: number,
  { large, small }: { readonly large: number; readonly small: number },
): void {
  const root = join(context, 'root');
  mkdirSync(join(root, 'large'), { recursive: true });
  for (let i = 0; i < large; i++) writeFileSync(join(root, 'large', `f${i}`), noise(10 * MIB, seed * 1000 + i));
  const bytes = noise(MIB, seed + 1);
  for (let i = 0; i < small; i++) {
    const folder = join(root, `d${Math.floor(i / 100)}`);
    if (i % 100 === 0) mkdirSync(folder);
    const from = (i * 104_729) % (bytes.length - 8192);
    writeFileSync(join(folder, `f${i % 100}`), bytes.subarray(from, from + 8192));
  }
  const packed = spawnSync('tar', ['-C', root, '-cf', join(context, 'root.tar'), '.'], { encoding: 'utf8' });
  if (packed.status !== 0) throw new Error(`tar failed: ${packed.stderr}`);
  rmSync(root, { recursive: true });
}

function phase(name: string, command: (archives: ArchiveCommands, context: string, tag: string) => Invocation): Phase {
  return {
    name,
    target: 0.5,
    peer: 'docker',
    invoke: (peer: Peer, context, tag) => peer.archives && command(peer.archives, context, tag),
  };
}
