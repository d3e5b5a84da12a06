/**
 * Measures strake beside dockerd (classic builder and BuildKit) and buildah: same files, same run, wall time of the public
 * command, median of the rounds. `npm run bench -- [words of scenario names] [--peers=strake,buildkit]`. Needs root.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Invocation, type Peer, startBuildah, startDocker, startStrake } from './peers.ts';
import { type Phase, type Scenario, scenarios } from './scenarios.ts';

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const wanted = process.argv
  .find((word) => word.startsWith('--peers='))
  ?.slice('--peers='.length)
  .split(',');
const folder = mkdtempSync('/var/tmp/strake-bench-');

const isWanted = (name: string): boolean => wanted === undefined || wanted.includes(name);

interface Measured {
  readonly scenario: string;
  readonly phase: Phase;
  /** Milliseconds by peer. */
  readonly times: ReadonlyMap<string, number>;
  /** MiB. */
  readonly memory: number | undefined;
}

const peers: Peer[] = [];
const notes: string[] = [];
try {
  if (isWanted('strake')) peers.push(await startStrake(folder));
  if (isWanted('buildkit') || isWanted('docker')) peers.push(...(await startDocker(folder)));
  if (isWanted('buildah')) peers.push(startBuildah(folder));
  const measuredPeers = peers.filter((peer) => isWanted(peer.name));
  const base = makeBase();
  for (const peer of measuredPeers)
    if (peer.name !== 'docker' || !wanted || !wanted.includes('buildkit')) peer.importBase(base, 'base');
  const chosen = scenarios.filter((scenario) => words.every((word) => scenario.name.includes(word)));
  const rows: Measured[] = [];
  for (const scenario of chosen) for (const row of measure(scenario, measuredPeers)) rows.push(row);
  print(rows, measuredPeers);
  for (const note of notes) console.log(note);
  mkdirSync('bench/results', { recursive: true });
  const record = rows.map((row) => ({
    scenario: row.scenario,
    phase: row.phase.name,
    ms: Object.fromEntries(row.times),
    strakeMiB: row.memory,
  }));
  writeFileSync(`bench/results/${new Date().toISOString().slice(0, 19)}.json`, `${JSON.stringify(record, null, 1)}\n`);
} finally {
  for (const peer of peers) await peer.stop();
  spawnSync('sh', ['-c', `umount -l $(grep -o '${folder}[^ ]*' /proc/mounts) 2>/dev/null`]);
  rmSync(folder, { recursive: true, force: true });
}

function measure(scenario: Scenario, among: readonly Peer[]): Measured[] {
  const samples = new Map<string, number[]>();
  let memory = 0;
  for (let round = 0; round < scenario.rounds; round++) {
    for (const peer of among) {
      // Each peer gets a tree of its own with the same content: none profits from another's work.
      const context = join(folder, 'context');
      mkdirSync(context);
      scenario.prepare(context, round);
      spawnSync('sync');
      peer.resetMemory();
      for (const phase of scenario.phases) {
        const invocation = phase.invoke(peer, context, `bench-${round}`);
        if (!invocation) continue;
        phase.before?.(context, peer, `bench-${round}`);
        const key = `${phase.name} ${peer.name}`;
        samples.set(key, [...(samples.get(key) ?? []), timed(invocation)]);
        const note = phase.after?.(peer, `bench-${round}`);
        if (note !== undefined) notes.push(`${scenario.name}, ${phase.name}, ${peer.name}: ${note}`);
      }
      if (peer.name === 'strake') memory = Math.max(memory, peer.peakMemory() ?? 0);
      rmSync(context, { recursive: true });
    }
    process.stderr.write(`${scenario.name}: round ${round + 1} of ${scenario.rounds}\n`);
  }
  return scenario.phases.map((phase) => ({
    scenario: scenario.name,
    phase,
    times: new Map(
      among.flatMap((peer) => {
        const list = samples.get(`${phase.name} ${peer.name}`);
        return list ? [[peer.name, median(list)] as const] : [];
      }),
    ),
    memory: memory || undefined,
  }));
}

function timed(invocation: Invocation): number {
  const env: NodeJS.ProcessEnv = { ...process.env, ...invocation.env };
  delete env['NODE_EXTRA_CA_CERTS']; // would add 35 ms to every Node start, and nothing here speaks TLS
  const start = process.hrtime.bigint();
  const result = spawnSync(invocation.file, invocation.args, { env, encoding: 'utf8', maxBuffer: 64 << 20 });
  const elapsed = Number(process.hrtime.bigint() - start) / 1e6;
  if (result.status !== 0)
    throw new Error(`${invocation.file} ${invocation.args.join(' ')} failed:\n${result.stdout}\n${result.stderr}`);
  return elapsed;
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)] ?? Number.NaN;
}

function print(rows: readonly Measured[], among: readonly Peer[]): void {
  const names = among.map((peer) => peer.name);
  console.log(`${'scenario'.padEnd(46)}${names.map((name) => name.padStart(10)).join('')}     ratio  target  host MiB`);
  for (const { scenario, phase, times, memory } of rows) {
    const cells = names.map((name) => (times.has(name) ? `${Math.round(times.get(name) ?? 0)} ms` : '-').padStart(10));
    const ratio = (times.get('strake') ?? Number.NaN) / (times.get(phase.peer) ?? Number.NaN);
    const verdict = Number.isNaN(ratio) ? '' : ratio <= phase.target ? ' met' : ' MISSED';
    console.log(
      `${`${scenario}, ${phase.name}`.padEnd(46)}${cells.join('')}  ${ratio.toFixed(3).padStart(8)}  <= ${phase.target.toFixed(2)}  ${(memory ?? 0).toFixed(0).padStart(8)}${verdict}`,
    );
  }
}

/** A root of one static busybox. */
function makeBase(): string {
  const root = join(folder, 'base');
  mkdirSync(join(root, 'bin'), { recursive: true });
  for (const name of ['etc', 'tmp', 'proc', 'sys', 'dev']) mkdirSync(join(root, name));
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  const list = spawnSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).stdout.trim().split('\n');
  for (const name of list) if (name !== 'busybox') symlinkSync('busybox', join(root, 'bin', name));
  const tar = join(folder, 'base.tar');
  const packed = spawnSync('tar', ['-C', root, '-cf', tar, '.']);
  if (packed.status !== 0) throw new Error(`tar failed: ${packed.stderr}`);
  return tar;
}
