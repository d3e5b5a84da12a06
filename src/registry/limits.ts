import { repositoryPattern } from './auth/rights.ts';
import type { RegistryPolicy } from './registry.ts';

/**
 * Rules of the operator for repositories and tags. `immutable`: `REPOSITORIES:TAGS` patterns; `quotas`: bytes by pattern of
 * repositories, of which the first that fits counts.
 */
export function limitsOf(
  immutable: readonly string[],
  quotas: readonly { readonly repositories: string; readonly bytes: number }[],
): Pick<RegistryPolicy, 'isFixed' | 'quotaOf'> {
  const fixed = immutable.map((rule) => {
    const [repositories = '', tags = '*'] = rule.split(':');
    return { repositories: repositoryPattern(repositories), tags: repositoryPattern(tags) };
  });
  const bounds = quotas.map(({ repositories, bytes }) => ({ repositories: repositoryPattern(repositories), bytes }));
  return {
    isFixed: (repository, tag) => fixed.some((rule) => rule.repositories.test(repository) && rule.tags.test(tag)),
    quotaOf: (repository) => bounds.find((bound) => bound.repositories.test(repository))?.bytes,
  };
}
