import { Failure } from '../lib/error.ts';
import type { RegistryAuth } from '../wire/auth.ts';
import { answerFailure } from './answer-failure.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { discard, type HttpAnswer, type HttpClient } from './http.ts';
import { readJson } from './read-json.ts';
import { isInsecure, type RegistrySettings } from './settings.ts';

const TOKEN_ANSWER_LIMIT = 1 << 20;
/** What a token lives when its server does not say. https://distribution.github.io/distribution/spec/auth/token/ */
const TOKEN_SECONDS = 60;
/** A token that is about to expire is not used for a request that may take long. */
const MARGIN_MS = 10_000;
const CLIENT_ID = 'strake';

interface Token {
  readonly header: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export interface TokenAnswer {
  readonly token: string;
  readonly refreshToken: string | undefined;
  readonly seconds: number;
}

export interface AuthenticatorParts {
  readonly http: HttpClient;
  readonly settings: RegistrySettings;
  /** The registry's base URL: nothing secret goes to a less safe place than this. */
  readonly base: URL;
  readonly auth: RegistryAuth | undefined;
}

/** Credentials for one registry, in the form that it asks for; tokens are kept by scope until they expire. */
export class Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #tokens = new Map<string, Token>();
  #challenge: Challenge | undefined;

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
  }

  /** Learns from an answer 401 what to send; false when that brings nothing new to try. `sent`: what was sent with it. */
  learn(answer: HttpAnswer, sent: string | undefined): boolean {
    const challenges = parseChallenges(answer.headers['www-authenticate']);
    this.#challenge = challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges[0];
    for (const [scopes, { header }] of this.#tokens) if (header === sent) this.#tokens.delete(scopes);
    return this.#challenge?.scheme === 'bearer' || (sent === undefined && this.#challenge !== undefined);
  }

  /** Value of `Authorization` for these scopes (`repository:path:pull`), or undefined while none is asked for. */
  async authorization(scopes: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    const { auth } = this.#parts;
    const challenge = this.#challenge;
    if (!challenge) return undefined;
    if (auth?.registrytoken) return `Bearer ${auth.registrytoken}`;
    if (challenge.scheme === 'basic') {
      if (!auth?.username) throw new Failure('unauthenticated', 'UNAUTHORIZED', 'no basic auth credentials');
      return basic(auth);
    }
    const key = scopes.join(' ');
    const known = this.#tokens.get(key);
    if (known && known.expires - MARGIN_MS > Date.now()) return known.header;
    const { token, seconds } = await this.fetchToken(scopes, { signal, offline: false });
    const header = `Bearer ${token}`;
    this.#tokens.set(key, { header, expires: Date.now() + seconds * 1000 });
    return header;
  }

  /** Asks the token server; `offline` also for a refresh token. Undefined challenge or Basic is a mistake of the caller. */
  async fetchToken(
    scopes: readonly string[],
    { signal, offline }: { readonly signal: AbortSignal; readonly offline: boolean },
  ): Promise<TokenAnswer> {
    const challenge = this.#challenge;
    if (challenge?.scheme !== 'bearer') throw new Failure('internal', 'NO_TOKEN_SERVER', 'the registry uses no tokens');
    const { auth } = this.#parts;
    if (auth?.username || auth?.identitytoken) this.#checkRealm(challenge.realm);
    if (auth?.identitytoken)
      return await this.#post(challenge, scopes, signal, {
        grant_type: 'refresh_token',
        refresh_token: auth.identitytoken,
      });
    const answer = await this.#get(challenge, scopes, signal, offline);
    if (answer.status === 200) return await readToken(answer, signal);
    // Token servers of the OAuth kind alone.
    if ((answer.status === 404 || answer.status === 405) && auth?.username && auth.password !== undefined) {
      discard(answer);
      return await this.#post(challenge, scopes, signal, {
        grant_type: 'password',
        username: auth.username,
        password: auth.password,
        ...(offline && { access_type: 'offline' }),
      });
    }
    throw await answerFailure('GET', answer, signal);
  }

  get challenge(): Challenge | undefined {
    return this.#challenge;
  }

  #get(
    { realm, service }: Extract<Challenge, { scheme: 'bearer' }>,
    scopes: readonly string[],
    signal: AbortSignal,
    offline: boolean,
  ): Promise<HttpAnswer> {
    const { auth, http } = this.#parts;
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.append('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    if (auth?.username) url.searchParams.append('account', auth.username);
    if (offline) {
      url.searchParams.append('offline_token', 'true');
      url.searchParams.append('client_id', CLIENT_ID);
    }
    const headers = auth?.username ? { authorization: basic(auth) } : {};
    return http.send({ method: 'GET', url, headers, signal });
  }

  async #post(
    { realm, service }: Extract<Challenge, { scheme: 'bearer' }>,
    scopes: readonly string[],
    signal: AbortSignal,
    fields: Readonly<Record<string, string>>,
  ): Promise<TokenAnswer> {
    const form = new URLSearchParams({ client_id: CLIENT_ID, service: service ?? '', ...fields });
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    const bytes = Buffer.from(form.toString());
    const answer = await this.#parts.http.send({
      method: 'POST',
      url: realm,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: bodyFromBytes(bytes),
      signal,
    });
    if (answer.status !== 200) throw await answerFailure('POST', answer, signal);
    return await readToken(answer, signal);
  }

  /** A registry reached by TLS must not have the password sent in plain to somewhere else. */
  #checkRealm(realm: URL): void {
    const { base, settings } = this.#parts;
    if (realm.protocol === 'https:' || base.protocol === 'http:' || isInsecure(realm.host, settings)) return;
    throw new Failure(
      'denied',
      'REALM_REFUSED',
      `will not send credentials in plain text to the token server ${realm.origin}`,
    );
  }
}

export function bodyFromBytes(bytes: Buffer): { length: number; open(): AsyncIterable<Buffer> } {
  return {
    length: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}

function basic({ username = '', password = '' }: RegistryAuth): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

async function readToken(answer: HttpAnswer, signal: AbortSignal): Promise<TokenAnswer> {
  const document = await readJson(answer, TOKEN_ANSWER_LIMIT, signal);
  const text = (name: string) => {
    const value = document[name];
    return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : undefined;
  };
  const token = text('token') ?? text('access_token');
  if (token === undefined)
    throw new Failure('unavailable', 'TOKEN_INVALID', `${answer.url.origin} did not answer with a token`);
  const seconds = Number(document['expires_in']);
  return { token, refreshToken: text('refresh_token'), seconds: seconds > 0 ? seconds : TOKEN_SECONDS };
}
