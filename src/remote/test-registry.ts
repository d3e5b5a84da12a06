/** A registry in memory for tests, which can be told to misbehave. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { ImageManifest } from '../oci/manifest.ts';
import { Registries } from './registries.ts';

type Misbehaviour = (request: IncomingMessage, response: ServerResponse, registry: TestRegistry) => boolean;

export class TestRegistry implements AsyncDisposable {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  readonly blobs = new Map<string, Buffer>();
  /** By `path:tag` and by digest. */
  readonly manifests = new Map<string, { readonly type: string; readonly bytes: Buffer }>();
  /** `METHOD path` of all requests but pings. */
  readonly log: string[] = [];
  /** Returns true when it has dealt with the request. */
  misbehave: Misbehaviour | undefined;
  readonly #server;
  readonly #uploads = new Map<string, Buffer[]>();
  #begun = 0;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    const { port } = server.address() as AddressInfo; // it listens on TCP
    this.host = `127.0.0.1:${port}`;
    server.on('request', (request, response) => {
      if (request.url !== '/v2/') this.log.push(`${request.method} ${request.url?.replace(/\?.*/, '')}`);
      if (!this.misbehave?.(request, response, this)) this.serve(request, response).catch(() => {}); // the client left
    });
  }

  static async start(): Promise<TestRegistry> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new TestRegistry(server);
  }

  /** Uploads that were begun and neither ended nor cancelled. */
  get openUploads(): number {
    return this.#uploads.size;
  }

  addBlob(bytes: Buffer): { digest: Digest; size: number } {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  }

  addManifest(name: string, { mediaType, bytes }: Pick<ImageManifest, 'mediaType' | 'bytes'>): Digest {
    const digest = digestOf(bytes);
    for (const key of [name, digest]) this.manifests.set(key, { type: mediaType, bytes });
    return digest;
  }

  /** Answers as a well-behaved registry does. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', `http://${this.host}`);
    const answer = (status: number, headers: Record<string, string> = {}, body: Buffer | string = '') =>
      response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(body);
    const refuse = (status: number, code: string) =>
      answer(status, {}, JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] }));
    if (url.pathname === '/v2/') return void answer(200, {}, '{}');
    const [, path = '', kind, rest = ''] = /^\/v2\/(.+)\/(manifests|blobs|tags)\/(.*)$/.exec(url.pathname) ?? [];
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk);
    const bytes = Buffer.concat(body);
    if (kind === 'tags') {
      const tags = [...this.manifests.keys()].filter((name) => name.startsWith(`${path}:`));
      return void answer(200, {}, JSON.stringify({ tags: tags.map((name) => name.slice(path.length + 1)) }));
    }
    if (kind === 'manifests' && request.method === 'PUT') {
      const digest = this.addManifest(`${path}:${rest}`, { mediaType: request.headers['content-type'] ?? '', bytes });
      return void answer(201, { 'docker-content-digest': digest });
    }
    if (kind === 'manifests') {
      const found = this.manifests.get(rest.startsWith('sha256:') ? rest : `${path}:${rest}`);
      if (!found) return void refuse(404, 'MANIFEST_UNKNOWN');
      const headers = { 'content-type': found.type, 'docker-content-digest': digestOf(found.bytes) };
      return void answer(200, headers, request.method === 'HEAD' ? '' : found.bytes);
    }
    if (rest.startsWith('uploads/')) return void this.#upload(request, url, rest, bytes, answer, refuse);
    const blob = this.blobs.get(rest);
    if (!blob) return void refuse(404, 'BLOB_UNKNOWN');
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` };
    answer(from > 0 ? 206 : 200, from > 0 ? range : {}, request.method === 'HEAD' ? '' : blob.subarray(from));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #upload(
    request: IncomingMessage,
    url: URL,
    rest: string,
    bytes: Buffer,
    answer: (status: number, headers?: Record<string, string>) => unknown,
    refuse: (status: number, code: string) => unknown,
  ): unknown {
    const mounted = url.searchParams.get('mount');
    if (mounted !== null && this.blobs.has(mounted)) return answer(201);
    if (request.method === 'POST') {
      const id = String(this.#begun++);
      this.#uploads.set(id, []);
      return answer(202, { location: `${url.pathname}${id}?state=a%3Db` });
    }
    const chunks = this.#uploads.get(rest.slice('uploads/'.length));
    if (!chunks) return refuse(404, 'BLOB_UPLOAD_UNKNOWN');
    const size = () => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const location = `${url.pathname}${url.search}`;
    if (request.method === 'GET') return answer(204, { location, range: `0-${Math.max(0, size() - 1)}` });
    if (request.method === 'DELETE') {
      this.#uploads.delete(rest.slice('uploads/'.length));
      return answer(204);
    }
    chunks.push(bytes);
    if (request.method === 'PATCH') return answer(202, { location, range: `0-${size() - 1}` });
    const whole = Buffer.concat(chunks);
    if (digestOf(whole) !== url.searchParams.get('digest')) return refuse(400, 'DIGEST_INVALID');
    this.addBlob(whole);
    this.#uploads.delete(rest.slice('uploads/'.length));
    return answer(201);
  }
}

/** Registries for tests: no certificates of the machine's registries, and no long waits. */
export function testRegistries(
  settings: { mirrors?: string[]; insecure?: string[]; certificates?: string } = {},
): Registries {
  const all = { mirrors: [], insecure: [], certificates: '/nonexistent', ...settings };
  return new Registries(all, { retryDelay: 1 });
}
