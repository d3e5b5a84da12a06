import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Name of this registry as a service of its token server. */
export const TOKEN_SERVICE = 'strake-registry';
const SECONDS = 300;
const HEADER = encode({ alg: 'HS256', typ: 'JWT' });

/** One entry of a token. https://distribution.github.io/distribution/spec/auth/jwt/ */
export interface TokenAccess {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

export interface TokenClaims {
  /** Undefined: nobody in particular. */
  readonly user: string | undefined;
  readonly access: readonly TokenAccess[];
}

export interface IssuedToken {
  readonly token: string;
  readonly seconds: number;
  readonly issued: Date;
}

/** Who a refresh token stands for. */
export interface RefreshClaims {
  readonly user: string;
  /** Of the password that it was given for. */
  readonly stamp: string;
}

/**
 * Issues and reads tokens: JSON web tokens with a key that the nodes of one registry share. Refresh tokens, which clients keep
 * instead of a password, have a key of their own: none can pass for the other.
 */
export class Tokens {
  readonly #key: Buffer;
  readonly #refreshKey: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
    this.#refreshKey = createHmac('sha256', key).update('refresh').digest();
  }

  issue({ user, access }: TokenClaims): IssuedToken {
    const issued = new Date();
    const iat = Math.floor(issued.getTime() / 1000);
    const times = { iat, nbf: iat - 10, exp: iat + SECONDS };
    const claims = {
      iss: TOKEN_SERVICE,
      aud: TOKEN_SERVICE,
      sub: user ?? '',
      ...times,
      jti: randomBytes(9).toString('base64url'),
    };
    const text = `${HEADER}.${encode({ ...claims, access })}`;
    return { token: `${text}.${sign(text, this.#key)}`, seconds: SECONDS, issued };
  }

  /** Without an end of its own: it holds as long as the password does, which whoever asks compares. */
  issueRefresh({ user, stamp }: RefreshClaims): string {
    const claims = {
      iss: TOKEN_SERVICE,
      aud: TOKEN_SERVICE,
      sub: user,
      jti: randomBytes(9).toString('base64url'),
      stamp,
    };
    const text = `${HEADER}.${encode(claims)}`;
    return `${text}.${sign(text, this.#refreshKey)}`;
  }

  readRefresh(token: string): RefreshClaims | undefined {
    // Signed by us, so of the shape that `issueRefresh` gives it.
    const claims = signedClaims(token, this.#refreshKey) as
      | { readonly sub: string; readonly stamp: string }
      | undefined;
    return claims && { user: claims.sub, stamp: claims.stamp };
  }

  /** What a token says; undefined when it is not ours, was changed or has expired. */
  read(token: string): TokenClaims | undefined {
    // Signed by us, so of the shape that `issue` gives it.
    const claims = signedClaims(token, this.#key) as
      | { readonly sub: string; readonly exp: number; readonly access: readonly TokenAccess[] }
      | undefined;
    if (!claims || claims.exp * 1000 <= Date.now()) return undefined;
    return { user: claims.sub === '' ? undefined : claims.sub, access: claims.access };
  }
}

/** What a token says that was signed with this key. */
function signedClaims(token: string, key: Buffer): unknown {
  const [header, claims, signature, more] = token.split('.');
  if (header !== HEADER || claims === undefined || signature === undefined || more !== undefined) return undefined;
  const [given, right] = [Buffer.from(signature), Buffer.from(sign(`${header}.${claims}`, key))];
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  return JSON.parse(Buffer.from(claims, 'base64url').toString());
}

function sign(text: string, key: Buffer): string {
  return createHmac('sha256', key).update(text).digest('base64url');
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
