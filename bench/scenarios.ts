/** What is measured. A scenario prepares a context once a round; its phases are timed in order, for every peer alike. */
import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveScenarios } from './archive-scenarios.ts';
import { containerScenarios } from './container-scenarios.ts';
import { noise } from './noise.ts';
import type { Invocation, Peer } from './peers.ts';
import { transferScenarios } from './transfer-scenarios.ts';

export interface Phase {
  readonly name: string;
  /** Highest ratio strake / buildkit (docker for runs) that the project allows itself. */
  readonly target: number;
  readonly peer: 'buildkit' | 'docker';
  /** Untimed. */
  before?(context: string, peer: Peer, tag: string): void;
  invoke(peer: Peer, context: string, tag: string): Invocation | undefined;
  /** Untimed. What it returns is printed below the table. */
  after?(peer: Peer, tag: string): string | undefined;
}

export interface Scenario {
  readonly name: string;
  readonly rounds: number;
  /** Fills the context. `seed` differs from round to round, so that a cold build finds nothing in a cache. */
  prepare(context: string, seed: number): void;
  readonly phases: readonly Phase[];
}

const build = (name: string, target: number, before?: (context: string) => void): Phase => ({
  name,
  target,
  peer: 'buildkit',
  ...(before ? { before } : {}),
  invoke: (peer, context, tag) => peer.build(context, tag),
});

const dockerfile = (context: string, lines: readonly string[]) =>
  writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);

const buildScenarios: readonly Scenario[] = [
  {
    name: '20 trivial RUN steps',
    rounds: 3,
    prepare: (context, seed) =>
      dockerfile(context, ['FROM base', ...Array.from({ length: 20 }, (_, i) => `RUN echo ${seed} ${i} > /file-${i}`)]),
    phases: [build('cold', 0.25), build('warm', 1)],
  },
  {
    name: 'RUN that writes 20,000 files',
    rounds: 2,
    prepare: (context, seed) =>
      dockerfile(context, [
        'FROM base',
        `RUN mkdir /many && cd /many && awk 'BEGIN { for (i = 0; i < 20000; i++) { f = "f" i; print "${seed}", i > f; close(f) } }'`,
      ]),
    phases: [build('cold', 1)],
  },
  {
    name: 'COPY of 50,000 files, 270 MB',
    rounds: 2,
    prepare(context, seed) {
      dockerfile(context, ['FROM base', 'COPY tree /tree']);
      fillTree(join(context, 'tree'), 50_000, seed);
    },
    phases: [
      build('cold', 1 / 3),
      build('warm', 1 / 5),
      build('one file changed', 1 / 3, (context) =>
        writeFileSync(join(context, 'tree/d250/f33'), `changed ${Date.now()}`),
      ),
    ],
  },
  {
    name: 'COPY of 1 GB in 20 files',
    rounds: 1,
    prepare(context, seed) {
      dockerfile(context, ['FROM base', 'COPY big /big']);
      mkdirSync(join(context, 'big'));
      for (let i = 0; i < 20; i++) writeFileSync(join(context, 'big', `f${i}`), noise(50 << 20, seed * 100 + i));
    },
    phases: [build('cold', 1), build('warm', 1)],
  },
  {
    name: 'ten-step build',
    rounds: 5,
    prepare(context, seed) {
      writeFileSync(join(context, 'app.txt'), `${seed}`);
      dockerfile(context, [
        'FROM base',
        'ENV A=1',
        'WORKDIR /srv',
        'COPY app.txt .',
        ...Array.from({ length: 5 }, (_, i) => `RUN echo ${seed} ${i} > step-${i}`),
        'CMD ["cat", "app.txt"]',
      ]);
    },
    phases: [build('cold', 1), build('warm', 1)],
  },
  {
    name: 'two stages that wait 3 s',
    rounds: 2,
    prepare: (context, seed) =>
      dockerfile(context, [
        'FROM base AS one',
        `RUN sleep 3; echo ${seed} > /one`,
        'FROM base AS two',
        `RUN sleep 3; echo ${seed} > /two`,
        'FROM base',
        'COPY --from=one /one /',
        'COPY --from=two /two /',
      ]),
    phases: [build('cold', 1), build('warm', 1)],
  },
];

/** The same builds by Docker's client, which sends a Strake host what it sends a dockerd. */
const byDockersClient = ({ name, phases, ...rest }: Scenario): Scenario => ({
  ...rest,
  name: `Docker's client: ${name}`,
  phases: phases.map((phase) => ({
    ...phase,
    target: 1,
    invoke: (peer, context, tag) => peer.dockerBuild(context, tag),
  })),
});

export const scenarios: readonly Scenario[] = [
  ...buildScenarios,
  ...buildScenarios.map(byDockersClient),
  {
    name: 'run --rm true',
    rounds: 10,
    prepare: () => {},
    phases: [{ name: 'bridge', target: 0.25, peer: 'docker', invoke: (peer) => peer.run('base', ['true']) }],
  },
  ...containerScenarios,
  ...archiveScenarios,
  ...transferScenarios,
];

/** `count` files of 1 to 10 KiB in folders of 100. */
function fillTree(root: string, count: number, seed: number): void {
  const bytes = noise(1 << 20, seed);
  for (let i = 0; i < count; i++) {
    const folder = join(root, `d${Math.floor(i / 100)}`);
    if (i % 100 === 0) mkdirSync(folder, { recursive: true });
    const size = 1024 + ((i * 7919) % 9216);
    const from = (i * 104_729) % (bytes.length - size);
    writeFileSync(join(folder, `f${i % 100}`), bytes.subarray(from, from + size));
  }
  // as after a checkout some minutes ago
  const past = Date.now() / 1000 - 600;
  utimesSync(root, past, statSync(root).mtimeMs / 1000);
}
