import type { RegistryAuth } from '../wire/auth.ts';
import { type ConnectOptions, connect, type RegistryConnection } from './connection.ts';
import { HttpClient } from './http.ts';
import { Repository } from './repository.ts';
import { type RegistrySettings, sourcesOf } from './settings.ts';

export interface RepositoryName {
  /** `docker.io`, `localhost:5000`. */
  readonly registry: string;
  /** `library/debian` */
  readonly path: string;
}

export interface OpenOptions {
  readonly auth: RegistryAuth | undefined;
  readonly signal: AbortSignal;
}

/** The registries of the world as this host reaches them. Holds connections only; each operation opens its own view. */
export class Registries implements Disposable {
  readonly #http: HttpClient;
  readonly #settings: RegistrySettings;
  readonly #times: Pick<ConnectOptions, 'retryDelay' | 'patience'>;

  constructor(settings: RegistrySettings, times: Pick<ConnectOptions, 'retryDelay' | 'patience'> = {}) {
    this.#http = new HttpClient(settings);
    this.#settings = settings;
    this.#times = times;
  }

  get settings(): RegistrySettings {
    return this.#settings;
  }

  /** A repository to write to: never a mirror. */
  async openForPush(name: RepositoryName, options: OpenOptions): Promise<Repository> {
    return new Repository(await this.connect(name.registry, options), name.path, 'pull,push');
  }

  /** Runs `read` on each source of the repository, mirrors first, until one succeeds; the registry's own failure is thrown. */
  async readFrom<T>(
    name: RepositoryName,
    options: OpenOptions,
    read: (repository: Repository) => Promise<T>,
  ): Promise<T> {
    const sources = sourcesOf(name.registry, this.#settings, 'read');
    let problem: unknown;
    for (const endpoints of sources) {
      try {
        const connection = await connect(this.#http, this.#settings, endpoints, this.#options(options));
        return await read(new Repository(connection, name.path, 'pull'));
      } catch (error) {
        if (options.signal.aborted) throw error;
        problem = error;
      }
    }
    throw problem;
  }

  /** The registry itself, for what concerns no repository. */
  async connect(registry: string, options: OpenOptions): Promise<RegistryConnection> {
    const endpoints = sourcesOf(registry, this.#settings, 'write').flat();
    return await connect(this.#http, this.#settings, endpoints, this.#options(options));
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }

  #options(options: OpenOptions): ConnectOptions {
    return { ...options, ...this.#times };
  }
}
