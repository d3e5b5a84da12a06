import { findProgram } from '../host/find-program.ts';
import type { SpecMount } from '../host/spec.ts';
import { Failure } from '../lib/error.ts';
import type { Container } from './container.ts';

/** Programs that forward signals and reap orphans as a container's first process; linked statically, they run in any image. */
const PROGRAMS = ['docker-init', 'tini-static'];
/** Where a container that was made with `--init` has it. */
export const INIT_PATH = '/sbin/docker-init';

/** The mount that brings the init program of this machine into a container. */
export function initMount(): SpecMount {
  for (const name of PROGRAMS) {
    const source = findProgram(name);
    if (source !== undefined) return { destination: INIT_PATH, type: 'bind', source, options: ['bind', 'ro'] };
  }
  throw new Failure('unavailable', 'INIT_MISSING', `no init program is installed (${PROGRAMS.join(', ')})`, {
    hint: 'install it: apt-get install tini',
  });
}

/** Whether the container's program is started by an init. In process namespaces of others there is a first process already. */
export function hasInit({ record: { hostConfig } }: Container): boolean {
  return hostConfig.Init === true && ['', 'private'].includes(hostConfig.PidMode ?? '');
}
