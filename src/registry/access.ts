import type { RepositoryName } from './names.ts';

/** What a request wants to do. */
export type Need =
  | { readonly kind: 'any' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'admin' }
  | { readonly kind: 'repository'; readonly name: RepositoryName; readonly action: RepositoryAction };

export type RepositoryAction = 'pull' | 'push' | 'delete';

/** Who asks, and what else they may read. */
export interface Grant {
  /** Undefined: nobody in particular. */
  readonly user: string | undefined;
  mayPull(repository: string): boolean;
}

/** Decides about requests. */
export interface Access {
  /**
   * Lets a request with this `Authorization` do what it needs. Throws UNAUTHORIZED with the challenge, or DENIED to who is
   * known and has no right.
   */
  admit(authorization: string | undefined, need: Need): Promise<Grant>;
}

const EVERYBODY: Grant = { user: undefined, mayPull: () => true };

/** Everybody may do everything. */
export const openAccess: Access = {
  async admit() {
    return EVERYBODY;
  },
};
