/** Containers beside docker: exec, many one after the other and at once, and a large stream through attach and logs. */
import { complete, type Footprint, type Invocation, type Peer } from './peers.ts';
import type { Phase, Scenario } from './scenarios.ts';

/** Size of the stream. */
const MIB = Number(process.env['STRAKE_BENCH_MIB'] ?? 1024);
const LINE = `${'x'.repeat(99)}\n`;
const LINES = Math.ceil((MIB << 20) / LINE.length);
const WRITER = ['sh', '-c', `yes ${LINE.trim()} | head -n ${LINES}`];

export const containerScenarios: readonly Scenario[] = [
  {
    name: 'exec of true in a running container',
    rounds: 10,
    prepare: () => {},
    phases: [
      {
        name: 'own command',
        target: 0.5,
        peer: 'docker',
        before: (_, peer, tag) =>
          fill(peer, ['run', '-d', '--network', 'none', '--name', tag, 'base', 'sleep', '1000']),
        invoke: (peer, _, tag) => peer.command(['exec', tag, 'true']),
      },
      {
        name: "Docker's client",
        target: 0.5,
        peer: 'docker',
        invoke: (peer, _, tag) => peer.dockerCommand(['exec', tag, 'true']),
        after: (peer, tag) => fill(peer, ['rm', '-f', tag]),
      },
    ],
  },
  {
    name: 'containers on the bridge',
    rounds: 1,
    prepare: () => {},
    phases: [
      growing('50 after each other', 'for i in $(seq 50); do "$@" || exit 1; done', ['run', '--rm', 'base', 'true']),
      growing(
        '20 at once',
        'for i in $(seq 20); do "$@" & all="$all $!"; done; for one in $all; do wait $one || exit 1; done',
        ['run', '--rm', 'base', 'sleep', '1'],
      ),
    ],
  },
  {
    name: `stream of ${MIB} MiB in lines`,
    rounds: 1,
    prepare: () => {},
    phases: [
      counted('attach', () => ['run', '--rm', '--network', 'none', '--log-driver', 'none', 'base', ...WRITER]),
      counted('attach and log', (tag) => ['run', '--network', 'none', '--name', tag, 'base', ...WRITER]),
      { ...counted('logs', (tag) => ['logs', tag]), after: (peer, tag) => fill(peer, ['rm', '-f', tag]) },
    ],
  },
];

function fill(peer: Peer, args: readonly string[]): undefined {
  const invocation = peer.command(args);
  if (invocation) complete(invocation);
}

/** A shell script that runs the peer's command as `"$@"`. */
function scripted(peer: Peer, script: string, args: readonly string[]): Invocation | undefined {
  const invocation = peer.command(args);
  return invocation && { ...invocation, file: 'sh', args: ['-c', script, 'sh', invocation.file, ...invocation.args] };
}

/** A phase that tells what the peer holds more than before, when it has had a moment to clear up. */
function growing(name: string, script: string, args: readonly string[]): Phase {
  let before: Footprint | undefined;
  return {
    name,
    target: 1,
    peer: 'docker',
    before(_, peer) {
      fill(peer, ['run', '--rm', 'base', 'true']); // the bridge is there from now on
      before = settled(peer);
    },
    invoke: (peer) => scripted(peer, script, args),
    after: (peer) => before && `growth ${growth(before, settled(peer))}`,
  };
}

function settled(peer: Peer): Footprint {
  complete({ file: 'sleep', args: ['2'], env: {} });
  return peer.footprint();
}

function growth(before: Footprint, after: Footprint): string {
  const names = ['processes', 'mounts', 'interfaces', 'files'] as const;
  return names.map((name) => `${name} ${after[name] - before[name]}`).join(', ');
}

/** A phase in which every byte of the stream must arrive. */
function counted(name: string, args: (tag: string) => readonly string[]): Phase {
  const script = `test "$("$@" | wc -c)" -eq ${LINES * LINE.length}`;
  return { name, target: 1, peer: 'docker', invoke: (peer, _, tag) => scripted(peer, script, args(tag)) };
}
