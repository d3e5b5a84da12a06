import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, systemCode } from '../lib/error.ts';
import { runProgram } from '../lib/run-program.ts';
import { makeScratchFolder } from '../lib/scratch.ts';
import { type Cgroups, detectCgroups, removeCgroup } from './cgroup.ts';
import { findProgram } from './find-program.ts';
import type { Cover } from './mount-view.ts';
import { fileVersion, type RuntimeProgram, startRuntime } from './runtime-program.ts';
import { runtimeSpec } from './spec.ts';

const CANDIDATES = ['crun', 'runc'] as const;

/**
 * The OCI runtime of this machine: crun when it works here, being the faster one, else runc. Whether one works is tried
 * once with a container without a program, and remembered in `memory`: a folder that a boot empties, since it depends on
 * the kernel too. None at all is a Failure with code RUNTIME_MISSING.
 */
export async function findRuntime(memory: string, options: { readonly signal: AbortSignal }): Promise<RuntimeProgram> {
  const reasons: string[] = [];
  for (const name of CANDIDATES) {
    const path = findProgram(name);
    if (path === undefined) continue;
    const trial = remembered(memory, name, path) ?? (await tryOut(memory, name, path, options.signal));
    const { works, version, cover } = trial;
    if (works) return { name, path, version, ...(cover && { cover }) };
    reasons.push(`${name}: ${trial.reason}`);
  }
  const why =
    reasons.length === 0 ? 'no OCI runtime is installed' : `no OCI runtime works here (${reasons.join('; ')})`;
  throw new Failure('unavailable', 'RUNTIME_MISSING', why, { hint: 'install it: apt-get install runc' });
}

interface Trial {
  readonly works: boolean;
  readonly reason: string;
  readonly version: string;
  readonly cover?: Cover;
  /** Which file was tried: another one is tried again. */
  readonly tried: string;
}

async function tryOut(memory: string, name: string, path: string, signal: AbortSignal): Promise<Trial> {
  mkdirSync(memory, { recursive: true });
  await using scratch = makeScratchFolder(memory, 'try');
  const cgroups = detectCgroups();
  const asItIs = await complaint(scratch.path, path, cgroups, undefined, signal);
  const { unused, trees } = cgroups;
  const cover = asItIs !== undefined && unused && trees[0] ? { path: unused, shown: trees[0] } : undefined;
  const reason = cover ? await complaint(scratch.path, path, cgroups, cover, signal) : asItIs;
  const version = await runProgram(path, ['--version'], { signal });
  const trial: Trial = {
    works: reason === undefined,
    reason: reason ?? '',
    version: /version (\S+)/.exec(version.stdout)?.[1] ?? '',
    ...(cover && { cover }),
    tried: fileVersion(path),
  };
  writeFileSync(join(memory, `${name}.json`), JSON.stringify(trial));
  return trial;
}

/** Runs a program that does not exist: a runtime that complains about exactly that has done all the rest. */
async function complaint(
  bundle: string,
  path: string,
  cgroups: Cgroups,
  cover: Cover | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  const root = join(bundle, 'root');
  mkdirSync(root, { recursive: true });
  const program = '/strake-trial';
  const id = `strake-trial-${process.pid}`;
  const spec = runtimeSpec({
    process: {
      args: [program],
      env: [],
      cwd: '/',
      user: { uid: 0, gid: 0, additionalGids: [] },
      terminal: false,
      ulimits: [],
      noNewPrivileges: false,
      oomScoreAdj: 0,
    },
    root,
    readonlyRoot: false,
    hostname: undefined,
    domainname: undefined,
    namespaces: { network: 'new', pid: 'new', ipc: 'new', uts: 'new', cgroup: 'host' },
    cgroupsPath: `/${id}`,
    cgroupMode: cgroups.mode,
    resources: {},
    shmSize: 1 << 20,
    mounts: [],
    devices: [],
    deviceRules: [],
    privileged: false,
    capAdd: [],
    capDrop: [],
    seccomp: 'default',
    sysctls: {},
    maskedPaths: [],
    readonlyPaths: [],
  });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
  const args = ['--root', join(bundle, 'state'), 'run', '--bundle', bundle, id];
  const start = () => runProgram(path, args, { signal });
  const run = await startRuntime(cover ? { cover } : {}, start);
  await removeCgroup(cgroups, `/${id}`);
  return run.stderr.includes(program) ? undefined : run.stderr.trim().slice(0, 300);
}

function remembered(memory: string, name: string, path: string): Trial | undefined {
  try {
    const trial = JSON.parse(readFileSync(join(memory, `${name}.json`), 'utf8')) as Trial; // written by tryOut
    return trial.tried === fileVersion(path) ? trial : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
