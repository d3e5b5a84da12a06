import type { RepositoryName } from './names.ts';

/** What a request wants to do. */
export type Need =
  | { readonly kind: 'any' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'admin' }
  | { readonly kind: 'repository'; readonly name: RepositoryName; readonly action: RepositoryAction };

export type RepositoryAction = 'pull' | 'push' | 'delete';

/** Headers of a request that say who asks, and where. */
export interface Asking {
  readonly authorization: string | undefined;
  /** The registry's name and port as the client knows them. */
  readonly host: string | undefined;
}

/** Who asks, and what else they may read. */
export interface Grant {
  /** Undefined: nobody in particular. */
  readonly user: string | undefined;
  mayPull(repository: string): boolean;
}

/** Decides about requests. */
export interface Access {
  /** The token server, when clients are sent to one. */
  readonly tokens: TokenServer | undefined;
  /**
   * Lets a request do what it needs. Throws UNAUTHORIZED with the challenge to answer, or DENIED to who is known and has no
   * right.
   */
  admit(asking: Asking, need: Need): Promise<Grant>;
}

/** https://distribution.github.io/distribution/spec/auth/token/ */
export interface TokenServer {
  /**
   * A token for what of `scopes` (`repository:team/app:pull,push`) is allowed. Throws UNAUTHORIZED for wrong credentials;
   * with none the token is of nobody. `offline`: with a refresh token, which the client keeps instead of the password.
   */
  answer(
    authorization: string | undefined,
    scopes: readonly string[],
    options: { readonly offline: boolean },
  ): Promise<TokenAnswer>;
  /** As `answer` with the password that the refresh token was given for. Throws UNAUTHORIZED when that has changed. */
  refresh(refreshToken: string, scopes: readonly string[]): TokenAnswer;
}

export interface TokenAnswer {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly issued_at: string;
  readonly refresh_token?: string;
}

const EVERYBODY: Grant = { user: undefined, mayPull: () => true };

/** Everybody may do everything. */
export const openAccess: Access = {
  tokens: undefined,
  async admit() {
    return EVERYBODY;
  },
};
