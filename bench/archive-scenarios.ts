/** Images as files: import, save and load of one layer, many files and large ones, beside docker. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noise } from './noise.ts';
import type { ArchiveCommands, Invocation, Peer } from './peers.ts';
import type { Phase, Scenario } from './scenarios.ts';

const MIB = 1 << 20;

export const archiveScenarios: readonly Scenario[] = [
  archive('200 MB in 5,000 files', { rounds: 3, large: 16, small: 5000 }),
  archive('1 GB in 2,000 files', { rounds: 1, large: 96, small: 2000 }),
];

/** `large` files of 10 MiB and `small` ones of 8 KiB. */
function archive(
  name: string,
  size: { readonly rounds: number; readonly large: number; readonly small: number },
): Scenario {
  return {
    name: `archive of ${name}`,
    rounds: size.rounds,
    prepare(context, seed) {
      const root = join(context, 'root');
      mkdirSync(join(root, 'large'), { recursive: true });
      for (let i = 0; i < size.large; i++)
        writeFileSync(join(root, 'large', `f${i}`), noise(10 * MIB, seed * 1000 + i));
      const bytes = noise(MIB, seed + 1);
      for (let i = 0; i < size.small; i++) {
        const folder = join(root, `d${Math.floor(i / 100)}`);
        if (i % 100 === 0) mkdirSync(folder);
        const from = (i * 104_729) % (bytes.length - 8192);
        writeFileSync(join(folder, `f${i % 100}`), bytes.subarray(from, from + 8192));
      }
      const packed = spawnSync('tar', ['-C', root, '-cf', join(context, 'root.tar'), '.'], { encoding: 'utf8' });
      if (packed.status !== 0) throw new Error(`tar failed: ${packed.stderr}`);
      rmSync(root, { recursive: true });
    },
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

function phase(name: string, command: (archives: ArchiveCommands, context: string, tag: string) => Invocation): Phase {
  return {
    name,
    target: 0.5,
    peer: 'docker',
    invoke: (peer: Peer, context, tag) => peer.archives && command(peer.archives, context, tag),
  };
}
