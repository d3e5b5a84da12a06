import type { Access, Asking, Grant, Need, RepositoryAction, TokenAnswer, TokenServer } from '../access.ts';
import { Refusal } from '../codes.ts';
import type { Rights } from './rights.ts';
import { TOKEN_SERVICE, type TokenAccess, type TokenClaims, type Tokens } from './tokens.ts';
import type { Users } from './users.ts';

export interface UserAccessParts {
  readonly users: Users;
  rights(): Rights;
  /** Undefined: clients send names and passwords with every request. */
  readonly tokens: Tokens | undefined;
  /** Base URL of the registry for a client that knows it by this name and port. */
  baseUrl(host: string | undefined): string;
}

const ACTIONS: readonly RepositoryAction[] = ['pull', 'push', 'delete'];
const BASIC = { 'WWW-Authenticate': `Basic realm="${TOKEN_SERVICE}", charset="UTF-8"` };

/**
 * Access of users with passwords. With tokens, clients are told to get one first, which is also how those without a name can be let
 * in: clients who were told to send a password do not ask without one. Passwords are taken in any case.
 */
export function userAccess({ users, rights, tokens, baseUrl }: UserAccessParts): Access {
  const challenge = (asking: Asking, need: Need, problem?: string) => {
    if (!tokens) return new Refusal('UNAUTHORIZED', { headers: BASIC });
    const scope = scopeOf(need);
    const words = [
      `realm="${baseUrl(asking.host)}/token"`,
      `service="${TOKEN_SERVICE}"`,
      ...(scope === undefined ? [] : [`scope="${scope}"`]),
      ...(problem === undefined ? [] : [`error="${problem}"`]),
    ];
    const detail =
      need.kind === 'repository' ? [{ Type: 'repository', Name: need.name, Action: need.action }] : undefined;
    return new Refusal('UNAUTHORIZED', { headers: { 'WWW-Authenticate': `Bearer ${words.join(',')}` }, detail });
  };

  return {
    tokens: tokens && tokenServer(users, rights, tokens),
    async admit(asking, need) {
      const { authorization } = asking;
      if (authorization === undefined) throw challenge(asking, need);
      const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
      if (token === undefined) {
        const user = await users.identify(authorization);
        if (user === undefined) throw challenge(asking, need);
        if (!isAllowed(rights(), user, need)) throw new Refusal('DENIED');
        return grantOf(user, rights());
      }
      const claims = tokens?.read(token);
      if (!claims) throw challenge(asking, need, 'invalid_token');
      if (covers(claims, need)) return tokenGrant(claims, rights());
      if (claims.user === undefined || isAllowed(rights(), claims.user, need))
        throw challenge(asking, need, 'insufficient_scope');
      throw new Refusal('DENIED');
    },
  };
}

function tokenServer(users: Users, rights: () => Rights, tokens: Tokens): TokenServer {
  const wrong = () => new Refusal('UNAUTHORIZED', { headers: BASIC });
  const issue = (user: string | undefined, scopes: readonly string[]): TokenAnswer => {
    const access = scopes.flatMap((scope) => allowedOf(scope, user, rights()));
    const { token, seconds, issued } = tokens.issue({ user, access });
    return { token, access_token: token, expires_in: seconds, issued_at: issued.toISOString() };
  };
  return {
    async answer(authorization, scopes, { offline }) {
      const user = authorization === undefined ? undefined : await users.identify(authorization);
      if (authorization !== undefined && user === undefined) throw wrong();
      const stamp = offline && user !== undefined ? users.stampOf(user) : undefined;
      const refresh = user !== undefined && stamp !== undefined && tokens.issueRefresh({ user, stamp });
      return { ...issue(user, scopes), ...(refresh && { refresh_token: refresh }) };
    },
    refresh(refreshToken, scopes) {
      const claims = tokens.readRefresh(refreshToken);
      if (!claims || users.stampOf(claims.user) !== claims.stamp) throw wrong();
      return issue(claims.user, scopes);
    },
  };
}

/** What of a scope is allowed. Repository names may hold colons of no kind, so the first and the last one divide it. */
function allowedOf(scope: string, user: string | undefined, rights: Rights): TokenAccess[] {
  const [, type = '', name = '', list = ''] = /^([a-z]+)(?:\([a-z]+\))?:(.+):([a-z*,]+)$/.exec(scope) ?? [];
  const asked = new Set(list.split(','));
  if (type === 'registry') {
    const allowed = name === 'catalog' ? user !== undefined || readsAnything(rights) : rights.mayAdminister(user);
    return allowed ? [{ type, name, actions: ['*'] }] : [];
  }
  if (type !== 'repository') return [];
  const actions = ACTIONS.filter(
    (action) => (asked.has(action) || asked.has('*')) && rights.mayUse(user, name, action),
  );
  return actions.length === 0 ? [] : [{ type, name, actions }];
}

/** Whether those without a name may read a repository of any name: then they may also know the names. */
function readsAnything(rights: Rights): boolean {
  return rights.mayUse(undefined, 'any', 'pull');
}

function isAllowed(rights: Rights, user: string, need: Need): boolean {
  if (need.kind === 'repository') return rights.mayUse(user, need.name, need.action);
  return need.kind === 'admin' ? rights.mayAdminister(user) : true;
}

function covers({ access }: TokenClaims, need: Need): boolean {
  if (need.kind === 'any') return true;
  if (need.kind === 'repository')
    return access.some(
      ({ type, name, actions }) => type === 'repository' && name === need.name && actions.includes(need.action),
    );
  return access.some(({ type, name }) => type === 'registry' && name === need.kind);
}

function grantOf(user: string | undefined, rights: Rights): Grant {
  return { user, mayPull: (repository) => rights.mayUse(user, repository, 'pull') };
}

/** A list of repositories shows what the user may pull; other content only what the token says. */
function tokenGrant(claims: TokenClaims, rights: Rights): Grant {
  if (claims.access.some(({ type, name }) => type === 'registry' && name === 'catalog'))
    return grantOf(claims.user, rights);
  const readable = new Set(claims.access.flatMap(({ name, actions }) => (actions.includes('pull') ? [name] : [])));
  return { user: claims.user, mayPull: (repository) => readable.has(repository) };
}

function scopeOf(need: Need): string | undefined {
  switch (need.kind) {
    case 'any':
      return undefined;
    case 'catalog':
    case 'admin':
      return `registry:${need.kind}:*`;
    case 'repository':
      return `repository:${need.name}:${need.action === 'push' ? 'pull,push' : need.action}`;
  }
}
