import { Failure } from '../../lib/error.ts';
import { type Reference, repositoryName } from '../../oci/reference.ts';
import { login } from '../../remote/login.ts';
import { search } from '../../remote/search.ts';
import type { AuthAnswer, DistributionInspect, RegistryAuth, SearchRow } from '../../wire/auth.ts';
import type { Filters } from '../../wire/filters.ts';
import { inspectDistribution } from './inspect-distribution.ts';
import { pullImage } from './pull-image.ts';
import { pushImage } from './push-image.ts';
import type { TransferNeeds, TransferRequest } from './transfer-needs.ts';

export interface SearchQuery {
  /** A term, or `host/term` for another registry than docker.io. */
  readonly term: string;
  readonly limit: number;
  readonly filters: Filters;
  readonly auth: RegistryAuth | undefined;
  readonly signal: AbortSignal;
}

/** The registry use cases of one host, as its doors ask for them. */
export class Transfers {
  readonly #needs: TransferNeeds;
  /** The last pull of each repository: pulls of the same one follow each other, and the later finds what the first brought. */
  readonly #pulls = new Map<string, Promise<void>>();
  #running = 0;

  constructor(needs: TransferNeeds) {
    this.#needs = needs;
  }

  get isBusy(): boolean {
    return this.#running > 0;
  }

  async pull(request: TransferRequest): Promise<void> {
    const name = repositoryName(request.reference);
    const before = this.#pulls.get(name);
    const work = this.#counted(async () => {
      await before;
      await pullImage(this.#needs, request);
    });
    const ended = work.catch(() => {}); // told by `work`
    this.#pulls.set(name, ended);
    try {
      await work;
    } finally {
      if (this.#pulls.get(name) === ended) this.#pulls.delete(name);
    }
  }

  async push(request: TransferRequest): Promise<void> {
    await this.#counted(() => pushImage(this.#needs, request));
  }

  async auth(credentials: RegistryAuth, options: { readonly signal: AbortSignal }): Promise<AuthAnswer> {
    return await login(this.#needs.registries, credentials, options);
  }

  async search({ filters, ...query }: SearchQuery): Promise<SearchRow[]> {
    if (query.term.includes('://'))
      throw new Failure(
        'invalid',
        'TERM_INVALID',
        `invalid repository name: repository name (${query.term}) should not have a scheme`,
      );
    const slash = query.term.indexOf('/');
    const first = query.term.slice(0, Math.max(0, slash));
    const isHost = /[.:]/.test(first) || first === 'localhost';
    const place = isHost ? { registry: first, term: query.term.slice(slash + 1) } : { registry: 'docker.io' };
    const rows = await search(this.#needs.registries, { ...query, ...place });
    return rows.filter(
      (row) =>
        (filters['is-official'] ?? []).every((value) => isTrue(value) === row.is_official) &&
        (filters['is-automated'] ?? []).every((value) => isTrue(value) === row.is_automated) &&
        (filters['stars'] ?? []).every((value) => row.star_count >= Number(value)),
    );
  }

  async distribution(
    reference: Reference,
    options: { readonly auth: RegistryAuth | undefined; readonly signal: AbortSignal },
  ): Promise<DistributionInspect> {
    return await inspectDistribution(this.#needs, reference, options);
  }

  async #counted<T>(work: () => Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
    }
  }
}

const isTrue = (value: string): boolean => value === 'true' || value === '1';
