import { withoutMount } from './mount-view.ts';

/** An OCI runtime that works on this machine. */
export interface RuntimeProgram {
  readonly name: 'crun' | 'runc';
  readonly path: string;
  /** What `--version` says first, without the name. */
  readonly version: string;
  /** A mount that it must not see: crun refuses to work with v1 controllers beside a v2 tree, though that one is unused. */
  readonly hidden?: string;
}

/** Starts the runtime by `start`, which may not wait, so that it sees what it is to see. */
export function startRuntime<T>(program: Pick<RuntimeProgram, 'hidden'>, start: () => T): T {
  return program.hidden === undefined ? start() : withoutMount(program.hidden, start);
}
