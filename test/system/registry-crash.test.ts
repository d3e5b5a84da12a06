/**
 * Pushes, pulls, mounts and deletions by many at once, while the registry collects without pause and is killed again and again: no
 * pull is ever short, missing or corrupt, and nothing that was acknowledged is lost. STRAKE_REGISTRY_OPERATIONS sets how many. Once
 * more with two nodes that share a database, which is killed too.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NO_POSTGRES, startPostgres } from '../../src/registry/test-postgres.ts';
import { run, STRAKE } from './harness.ts';
import { type StrakeRegistry, startStrakeRegistry } from './strake-registry.ts';

const OPERATIONS = Number(process.env['STRAKE_REGISTRY_OPERATIONS'] ?? 800);
const WORKERS = 8;
const KILL_EVERY_MS = 700;
const FLAGS = ['--collect-every', '5ms', '--grace', '0', '--lease'];
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

const folder = mkdtempSync(join(tmpdir(), 'strake-registry-crash-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The registry was killed while it worked, and what it did is not known; or an upload rested longer than its short lease. */
class Interrupted extends Error {}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

const digestOf = (bytes: string | Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
/** Few enough that all workers push, lose and mount the same ones. */
const BLOBS = Array.from({ length: 12 }, (_, index) => `blob ${index} `.repeat(1 + index * index * 300));

/** A generator of numbers below `limit` that is the same in every run. */
function randomOf(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

async function send(nodes: readonly StrakeRegistry[], method: string, path: string, body?: string): Promise<Answer> {
  const registry = nodes[next++ % nodes.length] ?? assert.fail();
  try {
    const headers = { accept: MANIFEST, ...(body !== undefined && { 'content-type': MANIFEST }) };
    const sent = { method, headers, ...(body !== undefined && { body }) };
    const answer = await fetch(`http://${registry.host}${path}`, sent);
    const { status } = answer;
    const received = { status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) };
    if (status === 503) throw new Error('the database was killed');
    return received;
  } catch (error) {
    throw new Interrupted('', { cause: error });
  }
}

let next = 0;

function stored({ status, body }: Answer, wanted: number): void {
  if (status === 404 && body.includes('BLOB_UPLOAD_UNKNOWN')) throw new Interrupted('');
  assert.equal(status, wanted, body.toString());
}

/** One repository of one worker, and what it knows of it: tags that were acknowledged, and those of which it cannot know. */
class Worker {
  readonly repository: string;
  readonly tags = new Map<string, string>();
  readonly unsure = new Set<string>();
  readonly #nodes: readonly StrakeRegistry[];
  readonly #random: (limit: number) => number;

  constructor(nodes: readonly StrakeRegistry[], index: number) {
    this.#nodes = nodes;
    this.#random = randomOf(index + 1);
    this.repository = `worker/${index}`;
  }

  /** False when the registry was killed meanwhile: that counts for none. */
  async step(): Promise<boolean> {
    const what = this.#random(10);
    const tag = `t${this.#random(6)}`;
    try {
      if (what < 4) await this.#push(tag);
      else if (what < 8) await this.#pull(`worker/${this.#random(WORKERS)}`, tag);
      else await this.#delete(tag);
      return true;
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      await sleep(20);
      return false;
    }
  }

  /** What is there is what was acknowledged. */
  async verify(): Promise<void> {
    for (const [tag, digest] of this.tags) {
      if (this.unsure.has(tag)) continue;
      const { status, headers } = await send(this.#nodes, 'HEAD', `/v2/${this.repository}/manifests/${tag}`);
      assert.deepEqual([status, headers.get('docker-content-digest')], [200, digest], `${this.repository}:${tag}`);
      await this.#pull(this.repository, tag);
    }
  }

  async #push(tag: string): Promise<void> {
    const blobs = Array.from({ length: 3 }, () => BLOBS[this.#random(BLOBS.length)] ?? '');
    for (const blob of blobs) await this.#pushBlob(blob);
    const [config, ...layers] = blobs.map((blob) => ({ mediaType: 'a/b', digest: digestOf(blob), size: blob.length }));
    const body = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers });
    this.unsure.add(tag);
    const { status, body: text } = await send(this.#nodes, 'PUT', `/v2/${this.repository}/manifests/${tag}`, body);
    if (status === 201) {
      this.tags.set(tag, digestOf(body));
      this.unsure.delete(tag);
    } else {
      assert.match(text.toString(), /MANIFEST_BLOB_UNKNOWN/); // collected before it was put: refused
      if (this.tags.has(tag)) this.unsure.delete(tag);
    }
  }

  async #pushBlob(blob: string): Promise<void> {
    const digest = digestOf(blob);
    const path = `/v2/${this.repository}/blobs`;
    if ((await send(this.#nodes, 'HEAD', `${path}/${digest}`)).status === 200) return;
    const begun = await send(
      this.#nodes,
      'POST',
      `${path}/uploads/?mount=${digest}&from=worker/${this.#random(WORKERS)}`,
    );
    if (begun.status === 201) return;
    assert.equal(begun.status, 202, begun.body.toString());
    const location = begun.headers.get('location') ?? '';
    if (this.#random(2) === 0) {
      const put = await send(this.#nodes, 'PUT', `${location}?digest=${digest}`, blob);
      stored(put, 201);
      return;
    }
    const half = blob.length >> 1;
    const patch = await send(this.#nodes, 'PATCH', location, blob.slice(0, half));
    stored(patch, 202);
    const put = await send(this.#nodes, 'PUT', `${location}?digest=${digest}`, blob.slice(half));
    stored(put, 201);
  }

  async #pull(repository: string, tag: string): Promise<void> {
    const manifest = await send(this.#nodes, 'GET', `/v2/${repository}/manifests/${tag}`);
    if (manifest.status === 404) return;
    assert.equal(manifest.status, 200, manifest.body.toString());
    const digest = digestOf(manifest.body);
    assert.equal(manifest.headers.get('docker-content-digest'), digest);
    const { config, layers } = JSON.parse(manifest.body.toString());
    for (const descriptor of [config, ...layers]) {
      const blob = await send(this.#nodes, 'GET', `/v2/${repository}/blobs/${descriptor.digest}`);
      if (blob.status === 404) {
        // Somebody may have deleted the image meanwhile; while it is there its blobs are.
        const still = await send(this.#nodes, 'HEAD', `/v2/${repository}/manifests/${digest}`);
        assert.equal(still.status, 404, `${repository}@${digest} lacks ${descriptor.digest}`);
        return;
      }
      assert.equal(blob.status, 200, blob.body.toString());
      assert.equal(digestOf(blob.body), descriptor.digest, 'a blob is corrupt');
    }
  }

  async #delete(tag: string): Promise<void> {
    const digest = this.tags.get(tag);
    if (digest === undefined || this.unsure.has(tag)) return;
    const same = [...this.tags].filter(([, other]) => other === digest).map(([name]) => name);
    for (const name of same) this.unsure.add(name);
    const { status } = await send(this.#nodes, 'DELETE', `/v2/${this.repository}/manifests/${digest}`);
    assert.ok(status === 202 || status === 404, `deletion: ${status}`);
    for (const name of same) this.tags.delete(name);
  }
}

test(`${OPERATIONS} operations under a collector that never rests and kill -9`, async () => {
  await using registry = await startStrakeRegistry(folder, { flags: [...FLAGS, '300ms'] });
  await storm([registry], OPERATIONS, async () => {
    await registry.stop('SIGKILL');
    await registry.restart();
  });
});

test(`${OPERATIONS / 4} of them on two nodes with one database, which is killed too`, {
  skip: NO_POSTGRES,
}, async () => {
  await using server = await startPostgres();
  const flags = [...FLAGS, '3s', '--data', join(folder, 'shared'), '--metadata', await server.makeDatabase()];
  await using first = await startStrakeRegistry(folder, { flags });
  await using second = await startStrakeRegistry(folder, { flags });
  await storm([first, second], OPERATIONS / 4, async (kill) => {
    const registry = [undefined, first, second][kill % 3];
    if (registry) await registry.stop('SIGKILL');
    else server.stop();
    await (registry ? registry.restart() : server.start());
  });
});

async function storm(
  nodes: readonly StrakeRegistry[],
  operations: number,
  kill: (count: number) => Promise<void>,
): Promise<void> {
  const workers = Array.from({ length: WORKERS }, (_, index) => new Worker(nodes, index));
  let left = operations;
  let kills = 0;
  const killer = (async () => {
    for (; left > 0; kills++) {
      await sleep(KILL_EVERY_MS);
      await kill(kills);
    }
  })();
  const ended = await Promise.allSettled(
    workers.map(async (worker) => {
      try {
        while (left > 0) if (await worker.step()) left--;
      } finally {
        left = 0; // where one fails the others end too
      }
    }),
  );
  await killer;
  for (const end of ended) if (end.status === 'rejected') throw end.reason;
  assert.ok(kills > 0, 'it was never killed');
  for (const worker of workers) await worker.verify();
  const check = await run(STRAKE, ['registry', 'check', '--repair', nodes[0]?.host ?? '']);
  assert.match(
    check.stdout,
    /: no problem$|^\d+ files belonged to nothing: repaired\nChecked .*: 1 problem, 1 repaired$/m,
  );
  assert.equal(check.code, 0, check.stdout);
  assert.ok(
    workers.some(({ tags }) => tags.size > 0),
    'nothing was pushed',
  );
}
