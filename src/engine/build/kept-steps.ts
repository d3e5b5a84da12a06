import { chmodSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildRecord } from '../../build/explain/build-record.ts';
import type { RunMount } from '../../build/needs.ts';
import type { Containers } from '../../container/containers.ts';
import { isAlive } from '../../container/record.ts';
import { Failure, isFailure } from '../../lib/error.ts';
import { runProgram } from '../../lib/run-program.ts';
import type { Store } from '../../store/open-store.ts';
import { treeSize } from '../containers/tree-size.ts';

/** Builds of which the container of the failed step and the files that it had bound are kept. */
const KEPT_FAILURES = 10;
/** Most that is copied of a writable bind. */
const COPIED_BYTES = 256 << 20;
const COPY_MS = 60_000;
const CLEANUP_MS = 30_000;

/** What failed steps leave behind, to be looked into: `<root>/debug/<build>/`, and a stopped container each. */
export class KeptSteps {
  readonly #store: Store;
  readonly #containers: Containers;

  constructor(parts: { readonly store: Store; readonly containers: Containers }) {
    this.#store = parts.store;
    this.#containers = parts.containers;
  }

  /**
   * What of a mount can be seen after the step: caches and tmpfs as they are, and of a failed step the files that it had
   * bound, which are taken over from the scratch folder. Never secrets and agents.
   */
  async takeOver(build: string, mount: RunMount, hasFailed: boolean): Promise<RunMount | undefined> {
    if (mount.kind === 'tmpfs' || mount.source.startsWith(`${this.#store.cacheMounts.root}/`)) return mount;
    if (!hasFailed || !mount.source.startsWith(`${this.#store.scratch}/`)) return undefined;
    const folder = this.folder(build);
    const source = join(folder, `mount-${readdirSync(folder).length}`);
    if (mount.readOnly) renameSync(mount.source, source);
    else {
      if (treeSize(mount.source) > COPIED_BYTES) return undefined;
      await copyTree(mount.source, source); // it lies in a mount that ends
    }
    return { ...mount, source };
  }

  /** An executable file that runs a command. */
  script(build: string, step: number, argv: readonly string[]): string {
    const path = join(this.folder(build), `retry-${step}`);
    const words = argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    writeFileSync(path, `#!/bin/sh\nexec ${words}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** Forgets all but the last failures among `builds`, newest first, and what `forgotten` builds left. */
  async prune(builds: readonly BuildRecord[], forgotten: readonly BuildRecord[]): Promise<void> {
    const kept = new Set<string>();
    const old: BuildRecord[] = [];
    for (const build of builds) {
      if (!build.steps.some(({ run }) => run?.container !== undefined)) continue;
      if (kept.size < KEPT_FAILURES) kept.add(build.id);
      else old.push(build);
    }
    for (const { steps } of [...old, ...forgotten])
      for (const { run } of steps) if (run?.container !== undefined) await this.#remove(run.container);
    const known = new Set(builds.slice(0, KEPT_FAILURES).map(({ id }) => id));
    for (const name of readdirSync(this.#store.debugFolder))
      if (!kept.has(name) && !known.has(name)) this.#store.trash.discard(join(this.#store.debugFolder, name));
  }

  folder(build: string): string {
    const folder = join(this.#store.debugFolder, build);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  async #remove(id: string): Promise<void> {
    try {
      if (isAlive(this.#containers.find(id).record.phase)) return; // somebody works with it
      await this.#containers.remove(id, { force: false, volumes: true, signal: AbortSignal.timeout(CLEANUP_MS) });
    } catch (error) {
      if (!isFailure(error, 'not-found', 'conflict')) throw error;
    }
  }
}

async function copyTree(from: string, to: string): Promise<void> {
  const { exitCode, stderr } = await runProgram('cp', ['-a', '--', from, to], { signal: AbortSignal.timeout(COPY_MS) });
  if (exitCode !== 0) throw new Failure('internal', 'MOUNT_KEEP', `cannot keep the files of a mount: ${stderr.trim()}`);
}
