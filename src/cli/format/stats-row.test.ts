import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerStats } from '../../wire/container-details.ts';
import { statsRow } from './stats-row.ts';

const cpu = (total: number, system: number) => ({
  cpu_usage: { total_usage: total, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  system_cpu_usage: system,
  online_cpus: 2,
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
});
const SAMPLE: ContainerStats = {
  id: 'f'.repeat(64),
  name: '/box',
  read: '',
  preread: '',
  pids_stats: { current: 3 },
  blkio_stats: {
    io_service_bytes_recursive: [
      { major: 8, minor: 0, op: 'read', value: 1000 },
      { major: 8, minor: 0, op: 'Write', value: 2000 },
    ],
  },
  num_procs: 0,
  storage_stats: {},
  cpu_stats: cpu(300, 1000),
  precpu_stats: cpu(100, 200),
  memory_stats: { usage: 3 << 20, limit: 4 << 20, stats: { total_inactive_file: 1 << 20 } },
  networks: { eth0: { rx_bytes: 10, tx_bytes: 20 }, eth1: { rx_bytes: 5, tx_bytes: 0 } },
};

test('a sample in the words of the table', () => {
  assert.deepEqual(statsRow(SAMPLE, { whole: false }), {
    Container: 'ffffffffffff',
    ID: 'ffffffffffff',
    Name: 'box',
    CPUPerc: '50.00%',
    MemUsage: '2MiB / 4MiB',
    MemPerc: '50.00%',
    NetIO: '15B / 20B',
    BlockIO: '1kB / 2kB',
    PIDs: '3',
  });
});

test('a container that does not run has no numbers', () => {
  const { CPUPerc, MemUsage, PIDs } = statsRow({ ...SAMPLE, memory_stats: {} }, { whole: false });
  assert.deepEqual([CPUPerc, MemUsage, PIDs], ['--', '-- / --', '--']);
});
