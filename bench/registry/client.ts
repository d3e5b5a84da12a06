/** A client of registries that costs little itself. */
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:http';

export interface Client {
  /** Sends one request and lets the body of the answer pass; the status must be the one expected. */
  send(method: string, path: string, expect: number, options?: Sent): Promise<Received>;
  pushBlob(repository: string, bytes: Buffer): Promise<string>;
  pushManifest(repository: string, tag: string, manifest: string): Promise<string>;
}

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

interface Received {
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly size: number;
}

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

export function connectTo(port: number, connections: number, authorization?: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const send: Client['send'] = (method, path, expect, { headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const length = body === undefined ? { accept: MANIFEST } : { 'content-length': Buffer.byteLength(body) };
      const options = {
        agent,
        port,
        method,
        path,
        headers: { ...length, ...headers, ...(authorization && { authorization }) },
      };
      const sent = request(options, (answer) => {
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
        });
        answer.on('end', () => {
          if (answer.statusCode === expect) resolve({ headers: answer.headers, size });
          else reject(new Error(`${method} ${path}: ${answer.statusCode}`));
        });
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  return {
    send,
    async pushBlob(repository, bytes) {
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      const { headers } = await send('POST', `/v2/${repository}/blobs/uploads/`, 202);
      const place = new URL(String(headers['location']), `http://127.0.0.1:${port}`);
      place.searchParams.set('digest', digest);
      const type = { 'content-type': 'application/octet-stream' };
      await send('PUT', `${place.pathname}${place.search}`, 201, { headers: type, body: bytes });
      return digest;
    },
    async pushManifest(repository, tag, manifest) {
      const headers = { 'content-type': MANIFEST };
      const answer = await send('PUT', `/v2/${repository}/manifests/${tag}`, 201, { headers, body: manifest });
      return String(answer.headers['docker-content-digest']);
    },
  };
}

/** Runs `task` for 0 to `count` - 1, so many at once. */
export async function times(count: number, width: number, task: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await task(next++);
    }),
  );
}
