import type { Platform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import type { AuthAnswer, DistributionInspect, RegistryAuth, SearchRow } from '../../wire/auth.ts';
import type { Filters } from '../../wire/filters.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import type { CallOptions, Emit } from './call.ts';

export interface RegistryBackend {
  pull(options: TransferRequest): Promise<void>;
  push(options: TransferRequest): Promise<void>;
  auth(credentials: RegistryAuth, options: CallOptions): Promise<AuthAnswer>;
  search(options: CallOptions & SearchQuery): Promise<SearchRow[]>;
  distribution(
    reference: Reference,
    options: CallOptions & { readonly auth: RegistryAuth | undefined },
  ): Promise<DistributionInspect>;
}

export interface TransferRequest extends CallOptions {
  /** Without tag and digest: all tags of the repository. */
  readonly reference: Reference;
  readonly platform: Platform | undefined;
  readonly auth: RegistryAuth | undefined;
  readonly emit: Emit<ProgressLine>;
}

export interface SearchQuery {
  readonly term: string;
  readonly limit: number;
  readonly filters: Filters;
  readonly auth: RegistryAuth | undefined;
}
