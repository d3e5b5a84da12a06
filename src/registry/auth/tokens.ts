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

/** Issues and reads tokens: JSON web tokens with a key that the nodes of one registry share. */
export class Tokens {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
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
    return { token: `${text}.${this.#sign(text)}`, seconds: SECONDS, issued };
  }

  /** What a token says; undefined when it is not ours, was changed or has expired. */
  read(token: string): TokenClaims | undefined {
    const [header, claims, signature, more] = token.split('.');
    if (header !== HEADER || claims === undefined || signature === undefined || more !== undefined) return undefined;
    const [given, right] = [Buffer.from(signature), Buffer.from(this.#sign(`${header}.${claims}`))];
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    // Signed by us, so of the shape that `issue` gives it.
    const { sub, exp, access } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
      readonly sub: string;
      readonly exp: number;
      readonly access: readonly TokenAccess[];
    };
    return exp * 1000 <= Date.now() ? undefined : { user: sub === '' ? undefined : sub, access };
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
