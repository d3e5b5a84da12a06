import type { ContainerStats } from '../../wire/container-details.ts';
import { binarySize, humanSize } from './human.ts';
import type { Row } from './rows.ts';

/** A sample as a row of `stats`. One of a container that does not run has no numbers. */
export function statsRow(sample: ContainerStats, { whole }: { readonly whole: boolean }): Row {
  const { usage, limit = 0 } = sample.memory_stats;
  const isRunning = usage !== undefined;
  const used = Math.max(0, (usage ?? 0) - cacheOf(sample));
  const networks = Object.values(sample.networks ?? {});
  const network = (name: string) => networks.reduce((sum, counters) => sum + (counters[name] ?? 0), 0);
  const devices = sample.blkio_stats['io_service_bytes_recursive'] ?? [];
  const device = (op: string) =>
    devices.filter((row) => row.op.toLowerCase().startsWith(op)).reduce((sum, row) => sum + row.value, 0);
  const shown = (text: string) => (isRunning ? text : '--');
  const id = whole ? sample.id : sample.id.slice(0, 12);
  return {
    Container: id,
    ID: id,
    Name: sample.name.replace(/^\//, ''),
    CPUPerc: shown(percent(cpuShare(sample))),
    MemUsage: isRunning ? `${binarySize(used)} / ${binarySize(limit)}` : '-- / --',
    MemPerc: shown(percent(limit > 0 ? used / limit : 0)),
    NetIO: shown(`${humanSize(network('rx_bytes'), 3)} / ${humanSize(network('tx_bytes'), 3)}`),
    BlockIO: shown(`${humanSize(device('r'), 3)} / ${humanSize(device('w'), 3)}`),
    PIDs: shown(String(sample.pids_stats.current ?? 0)),
  };
}

/** Memory that the kernel can take back at any time does not count. */
function cacheOf({ memory_stats: { stats = {} } }: ContainerStats): number {
  return stats['total_inactive_file'] ?? stats['inactive_file'] ?? 0;
}

/** Of one processor, since the sample before: 2 is two of them whole. */
function cpuShare({ cpu_stats: now, precpu_stats: before }: ContainerStats): number {
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  return used > 0 && passed > 0 ? (used / passed) * (now.online_cpus ?? 1) : 0;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}
