/**
 * Measures `strake registry serve` beside Debian's docker-registry: same requests, same run, CPU time of the server's process.
 * `node bench/registry.ts [words of scenario names]`.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Client, connectTo, MANIFEST, times } from './registry/client.ts';
import { type Server, startServer } from './registry/servers.ts';

const words = process.argv.slice(2);
const folder = mkdtempSync('/var/tmp/strake-registry-bench-');
const MB = 1e6;
const SMALL = 3_000;
const IMAGES = 2_000;
const FEW = 300;

interface Scenario {
  readonly name: string;
  readonly unit: string;
  /** Ours divided by theirs, at most. */
  readonly target?: number;
  /** Ours, at most. */
  readonly most?: number;
  readonly users?: true;
  /** How often the servers take turns: what disturbs the machine for a while then disturbs both. The numbers are added. */
  readonly turns?: number;
  /** One number for each server that can do it. */
  measure(server: Server, client: Client, turn: number): Promise<number | undefined>;
}

const layer = randomBytes(100 * MB);
const config = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}');

async function cpuOf(server: Server, work: () => Promise<unknown>): Promise<number> {
  const before = server.cpu();
  await work();
  return server.cpu() - before;
}

async function perRequest(server: Server, count: number, task: () => Promise<unknown>): Promise<number> {
  await times(200, 4, task); // warm
  return ((await cpuOf(server, () => times(count, 4, task))) / count) * 1e6;
}

async function pushImage(client: Client, repository: string, tag: string, index: number): Promise<string> {
  const bytes = Buffer.from(`layer ${index} of ${repository}`);
  const [configDigest, digest] = [await client.pushBlob(repository, config), await client.pushBlob(repository, bytes)];
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: config.length },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: bytes.length }],
  };
  return await client.pushManifest(repository, tag, JSON.stringify(manifest));
}

const scenarios: readonly Scenario[] = [
  {
    name: 'manifest GET by tag',
    unit: 'CPU us',
    target: 0.25,
    async measure(server, client) {
      await pushImage(client, 'bench/get', 'latest', 0);
      return await perRequest(server, SMALL, () => client.send('GET', '/v2/bench/get/manifests/latest', 200));
    },
  },
  {
    name: 'blob HEAD',
    unit: 'CPU us',
    target: 0.25,
    async measure(server, client) {
      const digest = await client.pushBlob('bench/head', config);
      return await perRequest(server, SMALL, () => client.send('HEAD', `/v2/bench/head/blobs/${digest}`, 200));
    },
  },
  {
    name: 'manifest GET with a password',
    unit: 'CPU us',
    target: 0.01,
    users: true,
    async measure(server, client) {
      await pushImage(client, 'bench/get', 'latest', 0);
      const get = () => client.send('GET', '/v2/bench/get/manifests/latest', 200);
      await get();
      const count = server.name === 'strake' ? SMALL : 50;
      return ((await cpuOf(server, () => times(count, 4, get))) / count) * 1e6;
    },
  },
  {
    name: 'blob PUT',
    unit: 'CPU s/GB',
    target: 1,
    async measure(server, client) {
      const cpu = await cpuOf(server, async () => {
        for (let round = 0; round < 5; round++) {
          layer.writeUInt32LE(round, 0);
          await client.pushBlob('bench/large', layer);
        }
      });
      return cpu * 2;
    },
  },
  {
    name: 'blob GET',
    unit: 'CPU s/GB',
    target: 1,
    async measure(server, client) {
      const digest = await client.pushBlob('bench/large', layer);
      return await cpuOf(server, () => times(10, 1, () => client.send('GET', `/v2/bench/large/blobs/${digest}`, 200)));
    },
  },
  {
    name: 'memory in 16 pulls of 100 MB at once',
    unit: 'MiB',
    most: 150,
    async measure(server, client) {
      const digest = await client.pushBlob('bench/large', layer);
      server.resetMemory();
      await times(16, 16, () => client.send('GET', `/v2/bench/large/blobs/${digest}`, 200));
      return server.peakMemory();
    },
  },
  {
    name: `${IMAGES} tiny images pushed`,
    unit: 's',
    target: 0.33,
    turns: 10,
    async measure(_server, client, turn) {
      const push = (index: number) => pushImage(client, `bench/tiny-${index % 20}`, `t${index}`, index);
      const start = performance.now();
      await times(IMAGES / 10, 8, (index) => push(turn * (IMAGES / 10) + index));
      return (performance.now() - start) / 1000;
    },
  },
  {
    name: 'tiny image pushed',
    unit: 'CPU us',
    target: 0.33,
    async measure(server, client) {
      const push = (index: number) => pushImage(client, `bench/few-${index % 20}`, `t${index}`, index);
      return ((await cpuOf(server, () => times(FEW, 8, push))) / FEW) * 1e6;
    },
  },
  {
    name: `${IMAGES} deleted images collected while serving`,
    unit: 's',
    most: 1,
    async measure(server, client) {
      if (server.name !== 'strake') return undefined; // collects only while it does not serve
      const digests: string[] = [];
      await times(IMAGES, 8, async (index) => {
        digests[index] = await pushImage(client, `bench/gone-${index % 20}`, `t${index}`, IMAGES + index);
      });
      await times(IMAGES, 8, (index) =>
        client.send('DELETE', `/v2/bench/gone-${index % 20}/manifests/${digests[index]}`, 202),
      );
      const start = performance.now();
      await client.send('POST', '/_strake/gc', 200);
      return (performance.now() - start) / 1000;
    },
  },
  {
    name: 'start with 100,000 tags',
    unit: 'ms',
    most: 500,
    async measure(server, client) {
      if (server.name !== 'strake') return undefined; // keeps nothing that a start would read
      await pushImage(client, 'bench/many', 'first', 0);
      const { headers } = await client.send('HEAD', '/v2/bench/many/manifests/first', 200);
      const digest = String(headers['docker-content-digest']);
      const answer = await fetch(`http://127.0.0.1:${server.port}/v2/bench/many/manifests/first`);
      const manifest = await answer.text();
      for (let from = 0; from < 100_000; from += 500) {
        const tags = Array.from({ length: 500 }, (_, index) => `tag=t${from + index}`).join('&');
        await client.pushManifest('bench/many', `${digest}?${tags}`, manifest);
      }
      await server.stop();
      return await server.restart();
    },
  },
];

const servers: Server[] = [];
const rows: object[] = [];
try {
  for (const users of [false, true])
    for (const name of ['strake', 'docker-registry'] as const) servers.push(await startServer(name, folder, users));
  console.log(`${'scenario'.padEnd(48)}${'strake'.padStart(10)}${'docker'.padStart(10)}  unit        ratio  target`);
  for (const scenario of scenarios.filter(({ name }) => words.every((word) => name.includes(word)))) {
    const pair = scenario.users ? servers.slice(2) : servers.slice(0, 2);
    const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    const clients = pair.map((server) => connectTo(server.port, 16, scenario.users && basic));
    const found: (number | undefined)[] = [];
    for (let turn = 0; turn < (scenario.turns ?? 1); turn++)
      for (const [at, server] of pair.entries()) {
        const client = clients[at];
        const number = client && (await scenario.measure(server, client, turn));
        if (number !== undefined) found[at] = (found[at] ?? 0) + number;
      }
    const [ours = Number.NaN, theirs] = found;
    const ratio = ours / (theirs ?? Number.NaN);
    const met = scenario.most === undefined ? ratio <= (scenario.target ?? 1) : ours <= scenario.most;
    const target = scenario.most === undefined ? `<= ${scenario.target}` : `<= ${scenario.most} ${scenario.unit}`;
    const cells = [ours, theirs]
      .map((value) => (value === undefined ? '-' : value.toPrecision(4)).padStart(10))
      .join('');
    console.log(
      `${scenario.name.padEnd(48)}${cells}  ${scenario.unit.padEnd(9)}${(Number.isNaN(ratio) ? '-' : ratio.toFixed(3)).padStart(8)}  ${target}${met ? ' met' : ' MISSED'}`,
    );
    rows.push({ scenario: scenario.name, unit: scenario.unit, strake: ours, docker: theirs ?? null });
  }
  mkdirSync('bench/results', { recursive: true });
  const name = new Date().toISOString().slice(0, 19);
  writeFileSync(`bench/results/registry-${name}.json`, `${JSON.stringify(rows, null, 1)}\n`);
} finally {
  for (const server of servers) await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
