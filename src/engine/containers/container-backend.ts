import type { Containers } from '../../container/containers.ts';
import { containerStats, processTable } from '../../container/monitor.ts';
import type { Cgroups } from '../../host/cgroup.ts';
import type { ContainerCases } from './container-cases.ts';

interface CallOptions {
  readonly signal: AbortSignal;
}

/** Containers as the Engine API's door asks for them. */
export function containerBackend(containers: Containers, cases: ContainerCases) {
  return {
    create: cases.create.bind(cases),
    list: cases.list.bind(cases),
    inspect: cases.inspect.bind(cases),
    prune: cases.prune.bind(cases),
    start: containers.start.bind(containers),
    stop: containers.stop.bind(containers),
    restart: containers.restart.bind(containers),
    rename: containers.rename.bind(containers),
    update: containers.update.bind(containers),
    remove: containers.remove.bind(containers),
    kill: (ref: string, options: CallOptions & { readonly signalName: string | undefined }) =>
      containers.kill(ref, options.signalName, options),
    async wait(
      ref: string,
      options: CallOptions & { readonly condition: 'not-running' | 'next-exit' | 'removed' },
    ): Promise<{ exit: Promise<{ exitCode: number; error: string | undefined }> }> {
      const { exit } = containers.wait(ref, options.condition, options);
      const result = exit.then((exitCode) => ({ exitCode, error: undefined }));
      result.catch(() => {}); // the client may have gone before it looks
      return { exit: result };
    },
    attach: async (ref: string, options: CallOptions & Parameters<Containers['attach']>[1]) =>
      containers.attach(ref, options, options),
    resize: async (ref: string, size: { readonly width: number; readonly height: number }) =>
      containers.resize(ref, size),
  };
}

export function pauseBackend(containers: Containers) {
  return { pause: containers.pause.bind(containers), unpause: containers.unpause.bind(containers) };
}

export function monitorBackend(containers: Containers, cgroups: Cgroups) {
  return {
    async top(ref: string, options: Parameters<typeof processTable>[2]) {
      const container = containers.find(ref);
      const table = await processTable(container, cgroups, options);
      containers.emit(container, 'top');
      return table;
    },
    stats: async (ref: string, options: Parameters<typeof containerStats>[2]) =>
      containerStats(containers.find(ref), cgroups, options),
  };
}

export function logBackend(containers: Containers) {
  return {
    logs: async (ref: string, options: CallOptions & Parameters<Containers['logs']>[1]) =>
      containers.logs(ref, options, options),
  };
}

export function execBackend(containers: Containers) {
  const { execs } = containers;
  return {
    create: async (ref: string, body: Parameters<typeof execs.create>[1]) => ({
      Id: execs.create(containers.find(ref), body),
    }),
    start: execs.start.bind(execs),
    attach: execs.attach.bind(execs),
    inspect: async (id: string) => execs.inspect(id),
    resize: async (id: string, size: { readonly width: number; readonly height: number }) => execs.resize(id, size),
  };
}
