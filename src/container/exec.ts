import type { PassThrough } from 'node:stream';
import type { ExecCreateBody, ExecInspect } from '../wire/exec.ts';
import type { Container } from './container.ts';
import type { OutputHub } from './output-hub.ts';
import type { StartedProcess } from './process-streams.ts';

export type ExecPhase =
  | { readonly status: 'created' }
  | { readonly status: 'starting' }
  | { readonly status: 'running'; readonly process: StartedProcess; readonly carried: Promise<void> }
  | { readonly status: 'exited'; readonly exitCode: number; readonly at: number };

/** A further process of a container, before, in and after its run. */
export interface Exec {
  readonly id: string;
  readonly container: Container;
  readonly body: ExecCreateBody;
  readonly hub: OutputHub;
  readonly input: PassThrough | undefined;
  readonly ended: PromiseWithResolvers<number>;
  /** Goes on without this host. */
  readonly survives: boolean;
  phase: ExecPhase;
  /** Asked for while it was being started. */
  size: ExecSize | undefined;
}

export interface ExecSize {
  readonly width: number;
  readonly height: number;
}

/** What the keeper has of an exec, for the next host. */
export interface ExecNote {
  readonly container: string;
  readonly body: ExecCreateBody;
}

export function inspectExec({ id, container, body, phase }: Exec): ExecInspect {
  const [entrypoint = '', ...args] = body.Cmd ?? [];
  return {
    ID: id,
    Running: phase.status === 'running' || phase.status === 'starting',
    ExitCode: phase.status === 'exited' ? phase.exitCode : null,
    ProcessConfig: {
      tty: body.Tty ?? false,
      entrypoint,
      arguments: args,
      privileged: body.Privileged ?? false,
      ...(body.User ? { user: body.User } : {}),
    },
    OpenStdin: body.AttachStdin ?? false,
    OpenStdout: body.AttachStdout ?? false,
    OpenStderr: body.AttachStderr ?? false,
    CanRemove: false,
    ContainerID: container.id,
    DetachKeys: body.DetachKeys ?? '',
    Pid: phase.status === 'running' ? phase.process.pid : 0,
  };
}
