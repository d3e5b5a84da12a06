import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cgroups, processesIn, readCgroupStats } from '../host/cgroup.ts';
import { Failure, systemCode } from '../lib/error.ts';
import { runProgram } from '../lib/run-program.ts';
import type { ContainerStats, ProcessTable } from '../wire/container-details.ts';
import type { Container } from './container.ts';
import { isAlive } from './record.ts';

const SAMPLE_MS = 1000;
const NO_TIME = '0001-01-01T00:00:00Z';
const NO_CPU = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

const NO_BLOCK_IO = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

/** The processes of a running container, as `ps` of this machine shows them. `psArgs` must ask for a PID column. */
export async function processTable(
  container: Container,
  cgroups: Cgroups,
  options: { readonly psArgs: string; readonly signal: AbortSignal },
): Promise<ProcessTable> {
  container.running();
  const own = new Set(processesIn(cgroups, container.cgroupsPath).map(String));
  const args = (options.psArgs || '-ef').split(/\s+/).filter(Boolean);
  // Without -q, ps leaves out what it does not think to be of its caller; some options do not go with it.
  const chosen = await runProgram('ps', [...args, `-q${[...own].join(',')}`], { signal: options.signal });
  const shown = chosen.exitCode === 0 ? chosen : await runProgram('ps', args, { signal: options.signal });
  const { exitCode, stdout, stderr } = shown;
  if (exitCode !== 0)
    throw new Failure('invalid', 'PS_FAILED', `ps: ${stderr.trim().split('\n', 1)[0]?.slice(0, 500)}`);
  const [header = '', ...lines] = stdout.trimEnd().split('\n');
  const Titles = header.trim().split(/\s+/);
  const pid = Titles.indexOf('PID');
  if (pid === -1) throw new Failure('invalid', 'PS_NO_PID', "Couldn't find PID field in ps output");
  const Processes = lines.map((line) => columns(line, Titles.length)).filter((row) => own.has(row[pid] ?? ''));
  return { Titles, Processes };
}

/**
 * Samples what a container uses, once a second while it exists. Without `stream` one sample, with the one before it unless
 * `oneShot`. A container that is not running gives one empty sample.
 */
export async function* containerStats(
  container: Container,
  cgroups: Cgroups,
  options: { readonly stream: boolean; readonly oneShot: boolean; readonly signal: AbortSignal },
): AsyncGenerator<ContainerStats> {
  let before: ContainerStats | undefined;
  while (!options.signal.aborted && !container.removing) {
    const now = sample(container, cgroups, before);
    const isFirst = before === undefined;
    before = now;
    const alone = options.oneShot || !isAlive(container.record.phase);
    if (options.stream || !isFirst || alone) yield now;
    if (!options.stream && (!isFirst || alone)) return;
    await sleep(SAMPLE_MS, undefined, { signal: options.signal }).catch(() => {});
  }
}

/** The last column takes what is left, spaces and all. */
function columns(line: string, count: number): string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, count - 1), words.slice(count - 1).join(' ')];
}

function sample(container: Container, cgroups: Cgroups, before: ContainerStats | undefined): ContainerStats {
  const { memory, cpu, throttling, pids, blockIo } = readCgroupStats(cgroups, container.cgroupsPath);
  const { phase } = container.record;
  return {
    id: container.id,
    name: `/${container.name}`,
    read: isAlive(phase) ? new Date().toISOString() : NO_TIME,
    preread: before?.read ?? NO_TIME,
    pids_stats: { ...(pids ? { current: pids.current, ...(pids.limit ? { limit: pids.limit } : {}) } : {}) },
    blkio_stats: { ...NO_BLOCK_IO, ...(blockIo ? { io_service_bytes_recursive: [...blockIo] } : {}) },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpu
      ? {
          cpu_usage: {
            total_usage: cpu.total,
            ...(cpu.perCpu ? { percpu_usage: cpu.perCpu } : {}),
            usage_in_kernelmode: cpu.system,
            usage_in_usermode: cpu.user,
          },
          system_cpu_usage: systemCpuTime(),
          online_cpus: availableParallelism(),
          throttling_data: {
            periods: throttling?.periods ?? 0,
            throttled_periods: throttling?.throttled ?? 0,
            throttled_time: throttling?.time ?? 0,
          },
        }
      : NO_CPU,
    precpu_stats: before?.cpu_stats ?? NO_CPU,
    memory_stats: memory
      ? {
          usage: memory.usage,
          ...(memory.highest === undefined ? {} : { max_usage: memory.highest }),
          limit: memory.limit ?? totalmem(),
          stats: memory.stats,
        }
      : {},
    ...(isAlive(phase) ? { networks: networkCounters(phase.pid) } : {}),
  };
}

/** Nanoseconds that all processors together have spent, idle or not. */
function systemCpuTime(): number {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
  // user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user time
  const ticks = first.trim().split(/\s+/).slice(1, 9).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) * 10_000_000;
}

const COUNTERS = ['bytes', 'packets', 'errors', 'dropped'] as const;

/** Counters of the interfaces that the process sees, but for loopback. */
function networkCounters(pid: number): Record<string, Record<string, number>> {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/net/dev`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EINVAL'].includes(systemCode(error) ?? '')) return {}; // it has just ended
    throw error;
  }
  const interfaces: Record<string, Record<string, number>> = {};
  for (const line of text.split('\n').slice(2)) {
    const [name = '', rest = ''] = line.trim().split(/:\s*/);
    if (name === '' || name === 'lo') continue;
    const numbers = rest.split(/\s+/).map(Number);
    interfaces[name] = {};
    for (const [index, counter] of COUNTERS.entries()) {
      interfaces[name][`rx_${counter}`] = numbers[index] ?? 0;
      interfaces[name][`tx_${counter}`] = numbers[index + 8] ?? 0;
    }
  }
  return interfaces;
}
