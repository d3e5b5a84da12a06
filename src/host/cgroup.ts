import { readdirSync, readFileSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../lib/error.ts';

/** How this machine has its control groups. `hybrid` is v1 controllers beside an unused v2 tree. */
export type CgroupMode = 'none' | 'v1' | 'hybrid' | 'v2';

export interface Cgroups {
  readonly mode: CgroupMode;
  /** Controllers that work, with the folder of each one's tree (the same one for all of v2). */
  readonly controllers: ReadonlyMap<string, string>;
  /** Folders of all trees. */
  readonly trees: readonly string[];
  /** In hybrid mode the folder of the v2 tree. */
  readonly unused?: string;
  /** Limits of memory with swap can be set. */
  readonly swap: boolean;
}

/** Looks at what is mounted. https://man7.org/linux/man-pages/man7/cgroups.7.html */
export function detectCgroups(): Cgroups {
  const controllers = new Map<string, string>();
  const trees: string[] = [];
  let unified: string | undefined;
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [place = '', kind = ''] = line.split(' - ');
    const folder = place.split(' ')[4] ?? '';
    const [type, , options = ''] = kind.split(' ');
    if (type === 'cgroup2') unified ??= folder;
    if (type !== 'cgroup' || trees.includes(folder)) continue;
    trees.push(folder);
    for (const option of options.split(','))
      if (V1_CONTROLLERS.has(option) && !controllers.has(option)) controllers.set(option, folder);
  }
  if (unified === undefined && trees.length === 0) return { mode: 'none', controllers, trees, swap: false };
  if (trees.length > 0) {
    if (unified !== undefined) trees.push(unified); // runtimes make groups there too
    const memory = controllers.get('memory');
    const swap = memory !== undefined && readText(join(memory, 'memory.memsw.limit_in_bytes')) !== undefined;
    return unified === undefined
      ? { mode: 'v1', controllers, trees, swap }
      : { mode: 'hybrid', controllers, trees, swap, unused: unified };
  }
  const root = unified ?? '';
  for (const name of (readText(join(root, 'cgroup.controllers')) ?? '').split(/\s+/))
    if (name) controllers.set(name, root);
  controllers.set('freezer', root);
  controllers.set('devices', root);
  return { mode: 'v2', controllers, trees: [root], swap: controllers.has('memory') };
}

const V1_CONTROLLERS = new Set(
  'blkio cpu cpuacct cpuset devices freezer hugetlb memory net_cls net_prio perf_event pids rdma'.split(' '),
);

/** Sizes in bytes, times in nanoseconds. A value is missing when its controller is. */
export interface CgroupStats {
  readonly memory?: {
    readonly usage: number;
    readonly limit: number | undefined;
    /** v1 only. */
    readonly highest?: number | undefined;
    readonly stats: Record<string, number>;
  };
  readonly cpu?: { readonly total: number; readonly user: number; readonly system: number; readonly perCpu?: number[] };
  readonly throttling?: { readonly periods: number; readonly throttled: number; readonly time: number };
  readonly pids?: { readonly current: number; readonly limit: number | undefined };
  /** Bytes read and written, by device. */
  readonly blockIo?: readonly DeviceCount[];
}

export interface DeviceCount {
  readonly major: number;
  readonly minor: number;
  readonly op: 'read' | 'write';
  readonly value: number;
}

/** What the processes of a group (`/strake/<id>`) use now. Groups that are gone have no values. */
export function readCgroupStats(cgroups: Cgroups, path: string): CgroupStats {
  const read = (controller: string, file: string) => {
    const tree = cgroups.controllers.get(controller);
    return tree === undefined ? undefined : readText(join(tree, path, file));
  };
  return cgroups.mode === 'v2' ? statsOfV2(read) : statsOfV1(read);
}

/** How often the kernel killed a process of the group because its memory limit was reached. */
export function countOutOfMemoryKills(cgroups: Cgroups, path: string): number {
  const tree = cgroups.controllers.get('memory');
  if (tree === undefined) return 0;
  const file = cgroups.mode === 'v2' ? 'memory.events' : 'memory.oom_control';
  return table(readText(join(tree, path, file)))['oom_kill'] ?? 0;
}

/** Process IDs in the group and in groups below it, as this process sees them. */
export function processesIn(cgroups: Cgroups, path: string): number[] {
  const tree = cgroups.controllers.get('pids') ?? cgroups.trees[0];
  if (tree === undefined) return [];
  const found = new Set<number>();
  for (const group of groupsBelow(join(tree, path)))
    for (const pid of (readText(join(group, 'cgroup.procs')) ?? '').split('\n')) if (pid) found.add(Number(pid));
  return [...found];
}

/** Removes the group and those below it in every tree. False when one of them still has processes. */
export async function removeCgroup(cgroups: Cgroups, path: string): Promise<boolean> {
  // Each may wait for the kernel a while: all at once, and not in this thread.
  const gone = await Promise.all(cgroups.trees.map((tree) => removeTree(join(tree, path))));
  return gone.every(Boolean);
}

async function removeTree(group: string): Promise<boolean> {
  for (const folder of groupsBelow(group).reverse()) {
    try {
      await rmdir(folder);
    } catch (error) {
      if (systemCode(error) === 'EBUSY') return false;
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
  return true;
}

/** The folder itself and all below it, parents first. */
function groupsBelow(folder: string): string[] {
  return [folder, ...childFolders(folder).flatMap((name) => groupsBelow(join(folder, name)))];
}

function childFolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

type ReadFile = (controller: string, file: string) => string | undefined;

function statsOfV1(read: ReadFile): CgroupStats {
  const usage = number(read('memory', 'memory.usage_in_bytes'));
  const limit = number(read('memory', 'memory.limit_in_bytes'));
  const total = number(read('cpuacct', 'cpuacct.usage'));
  const halves = table(read('cpuacct', 'cpuacct.stat'));
  const perCpu = read('cpuacct', 'cpuacct.usage_percpu')?.trim().split(/\s+/).map(Number);
  const throttling = read('cpu', 'cpu.stat');
  return {
    ...(usage === undefined
      ? {}
      : {
          memory: {
            usage,
            limit: limit !== undefined && limit < NO_LIMIT ? limit : undefined,
            highest: number(read('memory', 'memory.max_usage_in_bytes')),
            stats: table(read('memory', 'memory.stat')),
          },
        }),
    ...(total === undefined
      ? {}
      : {
          cpu: {
            total,
            user: (halves['user'] ?? 0) * TICK,
            system: (halves['system'] ?? 0) * TICK,
            ...(perCpu ? { perCpu } : {}),
          },
        }),
    ...(throttling === undefined ? {} : { throttling: throttlingOf(throttling, 'throttled_time', 1) }),
    ...pidsOf(read),
    ...blockIoOfV1(read('blkio', 'blkio.throttle.io_service_bytes')),
  };
}

function statsOfV2(read: ReadFile): CgroupStats {
  const usage = number(read('memory', 'memory.current'));
  const cpu = read('cpu', 'cpu.stat');
  const times = table(cpu);
  return {
    ...(usage === undefined
      ? {}
      : {
          memory: { usage, limit: number(read('memory', 'memory.max')), stats: table(read('memory', 'memory.stat')) },
        }),
    ...(cpu === undefined
      ? {}
      : {
          cpu: {
            total: (times['usage_usec'] ?? 0) * 1000,
            user: (times['user_usec'] ?? 0) * 1000,
            system: (times['system_usec'] ?? 0) * 1000,
          },
          throttling: throttlingOf(cpu, 'throttled_usec', 1000),
        }),
    ...pidsOf(read),
    ...blockIoOfV2(read('io', 'io.stat')),
  };
}

/** v1 says "no limit" as the largest multiple of the page size. */
const NO_LIMIT = 2 ** 62;
/** cpuacct.stat counts in hundredths of a second (USER_HZ, fixed on Linux). */
const TICK = 10_000_000;

function throttlingOf(text: string, timeKey: string, nanoseconds: number) {
  const rows = table(text);
  return {
    periods: rows['nr_periods'] ?? 0,
    throttled: rows['nr_throttled'] ?? 0,
    time: (rows[timeKey] ?? 0) * nanoseconds,
  };
}

/** Lines of `8:0 Read 4096`. */
function blockIoOfV1(text: string | undefined): Pick<CgroupStats, 'blockIo'> {
  if (text === undefined) return {};
  const rows = [...text.matchAll(/^(\d+):(\d+) (Read|Write) (\d+)$/gm)];
  return { blockIo: rows.map(([, major, minor, op, value]) => deviceCount(major, minor, op === 'Read', value)) };
}

/** Lines of `8:0 rbytes=4096 wbytes=0 rios=1 ...`. */
function blockIoOfV2(text: string | undefined): Pick<CgroupStats, 'blockIo'> {
  if (text === undefined) return {};
  const rows = [...text.matchAll(/^(\d+):(\d+) .*?rbytes=(\d+) wbytes=(\d+)/gm)];
  return {
    blockIo: rows.flatMap(([, major, minor, read, written]) => [
      deviceCount(major, minor, true, read),
      deviceCount(major, minor, false, written),
    ]),
  };
}

function deviceCount(major = '', minor = '', isRead: boolean, value = ''): DeviceCount {
  return { major: Number(major), minor: Number(minor), op: isRead ? 'read' : 'write', value: Number(value) };
}

function pidsOf(read: ReadFile): Pick<CgroupStats, 'pids'> {
  const current = number(read('pids', 'pids.current'));
  return current === undefined ? {} : { pids: { current, limit: number(read('pids', 'pids.max')) } };
}

/** Lines of `name number`. */
function table(text: string | undefined): Record<string, number> {
  const rows: Record<string, number> = {};
  for (const line of (text ?? '').split('\n')) {
    const [name, value] = line.split(' ');
    if (name && value) rows[name] = Number(value);
  }
  return rows;
}

/** Undefined for a missing file and for `max`. */
function number(text: string | undefined): number | undefined {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENODEV') return undefined;
    throw error;
  }
}
