import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../lib/log.ts';
import { Scope } from '../lib/scope.ts';
import { type Access, openAccess } from './access.ts';
import type { Observer } from './http/observer.ts';
import { type Pages, RegistryServer } from './http/server.ts';
import { openPostgresMetadata } from './metadata/open-postgres.ts';
import { openSqliteMetadata } from './metadata/open-sqlite.ts';
import type { MetadataStore } from './metadata-store.ts';
import { openRegistry, type Places } from './open-registry.ts';
import type { Change, Handoff, MirrorSource, Registry, RegistryPolicy } from './registry.ts';

export interface TestAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface TestRequest {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Sends the body in chunked encoding: with no length. */
  readonly chunked?: boolean;
}

export interface TestRegistry extends AsyncDisposable {
  readonly registry: Registry;
  readonly folder: string;
  /** `127.0.0.1:port` */
  readonly address: string;
  send(method: string, path: string, options?: TestRequest): Promise<TestAnswer>;
}

export interface TestRegistryOptions {
  readonly access?: Access;
  readonly policy?: Partial<RegistryPolicy>;
  readonly folder?: string;
  readonly observers?: readonly Observer[];
  readonly tell?: (change: Change) => void;
  readonly mirror?: (registry: Registry) => MirrorSource;
  readonly handoff?: Handoff;
  readonly pages?: Pages;
}

let makeDatabase: (() => Promise<string>) | undefined;
/** By folder: a registry that is opened again finds what it had. */
const databases = new Map<string, string>();

/** From now on the metadata of registries is in databases that `make` makes, one for each folder, and not in the folder. */
export function useDatabases(make: () => Promise<string>): void {
  makeDatabase = make;
}

/** The metadata of several nodes: each has a connection of its own, or all have the one file. */
export async function openTestMetadata(folder: string, nodes: number): Promise<MetadataStore[]> {
  const { metadata } = await placesOf(folder);
  if (metadata !== undefined)
    return await Promise.all(Array.from({ length: nodes }, () => openPostgresMetadata(metadata)));
  const shared = await openSqliteMetadata(folder);
  const part = { ...shared, async [Symbol.asyncDispose]() {} };
  return Array.from({ length: nodes }, (_, node) => (node === 0 ? shared : part));
}

async function placesOf(data: string): Promise<Places> {
  if (!makeDatabase) return { data };
  const metadata = databases.get(data) ?? (await makeDatabase());
  databases.set(data, metadata);
  return { data, metadata };
}

/** A registry on a folder and a port of its own. */
export async function openTestRegistry(options: TestRegistryOptions = {}): Promise<TestRegistry> {
  await using scope = new Scope();
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'strake-registry-'));
  if (options.folder === undefined) scope.defer(() => rmSync(folder, { recursive: true, force: true }));
  const none = { isFixed: () => false, quotaOf: () => undefined };
  const policy = { lease: 3_600_000, grace: 0, ...none, ...options.policy };
  const opened = scope.use(await openRegistry(await placesOf(folder), { policy, log: silentLog }));
  const { tell, handoff } = options;
  const told: Registry = { ...opened, ...(tell && { tell }), ...(handoff && { handoff }) };
  const registry: Registry = options.mirror ? { ...told, mirror: options.mirror(told) } : told;
  const { access = openAccess, observers = [], pages } = options;
  const server = scope.use(new RegistryServer({ registry, access, tls: undefined, observers, pages }));
  const address = await server.listen('127.0.0.1', 0);
  const owned = scope.move();
  return {
    registry,
    folder,
    address,
    send: (method, path, sent) => sendTo(address, method, path, sent),
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** Sends a request to `host:port`. */
export function sendTo(
  address: string,
  method: string,
  path: string,
  { headers = {}, body, chunked }: TestRequest = {},
): Promise<TestAnswer> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const length: Record<string, string> = chunked ? {} : { 'content-length': String(Buffer.byteLength(body ?? '')) };
    // Not a URL: that would tidy the path up.
    const options = { host, port, path, method, headers: { ...length, ...headers }, agent: false as const };
    const outgoing = request(options, async (incoming) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of incoming) chunks.push(chunk);
        const entries = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]);
        resolve({
          status: incoming.statusCode ?? 0,
          headers: Object.fromEntries(entries),
          body: Buffer.concat(chunks),
        });
      } catch (error) {
        reject(error);
      }
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
