/** Shapes of the Docker Engine API for what a container does and holds. https://docs.docker.com/reference/api/engine/ */

/** GET /containers/{id}/top */
export interface ProcessTable {
  Titles: string[];
  Processes: string[][];
}

/** One row of GET /containers/{id}/changes. Kind: 0 modified, 1 added, 2 deleted. */
export interface ChangeRow {
  Path: string;
  Kind: 0 | 1 | 2;
}

/** Header X-Docker-Container-Path-Stat, base64 JSON. `mode` is Go's FileMode (dir 1<<31, symlink 1<<27, sticky 1<<20). */
export interface PathStat {
  name: string;
  size: number;
  mode: number;
  /** RFC 3339. */
  mtime: string;
  linkTarget: string;
}

interface CpuStats {
  cpu_usage: {
    total_usage: number;
    percpu_usage?: number[];
    usage_in_kernelmode: number;
    usage_in_usermode: number;
  };
  system_cpu_usage?: number;
  online_cpus?: number;
  throttling_data: { periods: number; throttled_periods: number; throttled_time: number };
}

/** One line of GET /containers/{id}/stats. Times in nanoseconds, sizes in bytes. */
export interface ContainerStats {
  id: string;
  name: string;
  read: string;
  preread: string;
  pids_stats: { current?: number; limit?: number };
  blkio_stats: Record<string, { major: number; minor: number; op: string; value: number }[] | null>;
  num_procs: number;
  storage_stats: Record<string, never>;
  cpu_stats: CpuStats;
  precpu_stats: CpuStats;
  memory_stats: { usage?: number; max_usage?: number; limit?: number; stats?: Record<string, number> };
  networks?: Record<string, Record<string, number>>;
}
