import type { Observer } from './http/observer.ts';

/** Upper bounds of the times of requests, in seconds. */
const BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60];

export interface Metrics {
  readonly observe: Observer;
  /** In the text format of Prometheus. https://prometheus.io/docs/instrumenting/exposition_formats/ */
  render(): string;
}

interface Times {
  readonly counts: number[];
  sum: number;
  total: number;
}

/** Counts requests, their bytes and times, and says what the process takes. */
export function makeMetrics(): Metrics {
  const requests = new Map<string, number>();
  const bytes = new Map<string, number>();
  const times = new Map<string, Times>();

  return {
    observe({ method, route, status, bytes: size, milliseconds }) {
      add(requests, `method="${known(method)}",route="${route}",status="${status}"`, 1);
      add(bytes, `route="${route}"`, size);
      let own = times.get(route);
      if (!own) {
        own = { counts: BUCKETS.map(() => 0), sum: 0, total: 0 };
        times.set(route, own);
      }
      const seconds = milliseconds / 1000;
      const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
      if (bucket >= 0) own.counts[bucket] = (own.counts[bucket] ?? 0) + 1;
      own.sum += seconds;
      own.total++;
    },
    render() {
      const cpu = process.cpuUsage();
      return [
        ...family('registry_http_requests_total', 'counter', 'Requests that were answered.', requests),
        ...family('registry_http_response_bytes_total', 'counter', 'Bytes of answers.', bytes),
        ...histogram('registry_http_request_seconds', 'Time until an answer ended.', times),
        ...family('process_cpu_seconds_total', 'counter', 'CPU time.', new Map([['', (cpu.user + cpu.system) / 1e6]])),
        ...family('process_resident_memory_bytes', 'gauge', 'Memory.', new Map([['', process.memoryUsage.rss()]])),
        '',
      ].join('\n');
    },
  };
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE']);

/** Clients may invent methods; each would be a row for ever. */
const known = (method: string) => (METHODS.has(method) ? method : 'other');

function add(counter: Map<string, number>, labels: string, amount: number): void {
  counter.set(labels, (counter.get(labels) ?? 0) + amount);
}

function family(name: string, type: string, help: string, values: ReadonlyMap<string, number>): string[] {
  const rows = [...values].map(([labels, value]) => `${name}${labels === '' ? '' : `{${labels}}`} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...rows];
}

function histogram(name: string, help: string, times: ReadonlyMap<string, Times>): string[] {
  const rows = [...times].flatMap(([route, { counts, sum, total }]) => {
    let below = 0;
    const buckets = BUCKETS.map((bound, index) => {
      below += counts[index] ?? 0;
      return `${name}_bucket{route="${route}",le="${bound}"} ${below}`;
    });
    const last = [
      `_bucket{route="${route}",le="+Inf"} ${total}`,
      `_sum{route="${route}"} ${sum}`,
      `_count{route="${route}"} ${total}`,
    ];
    return [...buckets, ...last.map((row) => `${name}${row}`)];
  });
  return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...rows];
}
