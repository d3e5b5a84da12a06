import { Failure } from '../../lib/error.ts';
import type { RepositoryAction } from '../access.ts';

/** Who may do what. */
export interface Rights {
  /** `user` undefined: somebody without a name. */
  mayUse(user: string | undefined, repository: string, action: RepositoryAction): boolean;
  mayAdminister(user: string | undefined): boolean;
}

/** Every user may do everything; those without a name may pull, or nothing. */
export function equalRights(anonymousRead: boolean): Rights {
  return {
    mayUse: (user, _repository, action) => user !== undefined || (anonymousRead && action === 'pull'),
    mayAdminister: (user) => user !== undefined,
  };
}

interface Rule {
  readonly who: string;
  readonly repositories: RegExp;
  readonly actions: ReadonlySet<string>;
}

const ACTIONS: ReadonlySet<string> = new Set(['pull', 'push', 'delete', 'admin']);

/**
 * Reads rules, one a line: `USER REPOSITORIES ACTIONS`. USER is a name, `*` for every user or `-` for those without a name;
 * REPOSITORIES is a path in which `*` stands for a part of a name between slashes and `**` for anything; ACTIONS are some of
 * pull, push, delete and admin with commas between. What no rule allows is not allowed.
 */
export function parseRights(text: string, file: string): Rights {
  const rules = text.split('\n').flatMap((line, index) => {
    const words = line.replace(/#.*/, '').trim();
    return words === '' ? [] : [parseRule(words.split(/\s+/), `${file}, line ${index + 1}`)];
  });
  const applies = (rule: Rule, user: string | undefined) =>
    user === undefined ? rule.who === '-' : rule.who === user || rule.who === '*' || rule.who === '-';
  return {
    mayUse: (user, repository, action) =>
      rules.some((rule) => applies(rule, user) && rule.actions.has(action) && rule.repositories.test(repository)),
    mayAdminister: (user) => rules.some((rule) => applies(rule, user) && rule.actions.has('admin')),
  };
}

function parseRule([who, pattern, actions, ...more]: readonly string[], place: string): Rule {
  if (who === undefined || pattern === undefined || actions === undefined || more.length > 0)
    throw new Failure('invalid', 'RIGHTS_INVALID', `${place}: expected USER REPOSITORIES ACTIONS`);
  const list = actions.split(',');
  const wrong = list.find((action) => !ACTIONS.has(action));
  if (wrong !== undefined)
    throw new Failure('invalid', 'RIGHTS_INVALID', `${place}: unknown action "${wrong}"`, {
      hint: `actions are ${[...ACTIONS].join(', ')}`,
    });
  if (!/^[a-z0-9._/*-]+$/.test(pattern))
    throw new Failure('invalid', 'RIGHTS_INVALID', `${place}: invalid pattern of repositories "${pattern}"`);
  return { who, repositories: repositoryPattern(pattern), actions: new Set(list) };
}

/** A pattern in which `*` stands for a part of a name between slashes and `**` for anything. */
export function repositoryPattern(pattern: string): RegExp {
  const source = pattern.replace(/\*\*|\*|[^*]/g, (piece) =>
    piece === '**' ? '.*' : piece === '*' ? '[^/]*' : piece.replace(/[^\w/-]/, '\\$&'),
  );
  return new RegExp(`^${source}$`);
}
