import type { RegistryPruned, RegistryPruneRules } from '../wire/registry-admin.ts';
import type { Holding } from './metadata-store.ts';
import { parseRepositoryName, type RepositoryName, type Tag } from './names.ts';
import type { Registry } from './registry.ts';

const PART = 1_000;

/** Deletes the tags and manifests that the rules let go, or only tells which. Their bytes go with the next collection. */
export async function* prune(registry: Registry, rules: RegistryPruneRules): AsyncGenerator<RegistryPruned> {
  for await (const repository of repositories(registry, rules.repository)) {
    const holdings = await registry.metadata.listHoldings(repository);
    const { policy } = registry;
    const old = tagsToGo(holdings, rules, Date.now());
    const tags = old.filter((tag) => !policy.isFixed(repository, tag));
    for (const tag of tags) {
      if (!rules.dryRun) await registry.metadata.deleteTag(repository, tag, Date.now() + policy.grace);
      yield { repository, reference: `:${tag}` };
    }
    if (rules.untagged) yield* pruneUntagged(registry, repository, rules, new Set(tags));
  }
}

/** The oldest ones first. `now`: milliseconds since the epoch. */
export function tagsToGo(holdings: readonly Holding[], rules: RegistryPruneRules, now: number): Tag[] {
  if (rules.tags === undefined) return [];
  const pattern = tagPattern(rules.tags);
  return holdings
    .flatMap(({ tags }) => tags)
    .filter(({ name }) => pattern.test(name))
    .sort((a, b) => b.updated - a.updated || (a.name < b.name ? 1 : -1))
    .slice(rules.keepLast)
    .filter(({ updated }) => updated <= now - rules.olderThan)
    .map(({ name }) => name)
    .reverse();
}

/** Deleting an index may leave its entries with nothing that names them, so it goes on until nothing more is found. */
async function* pruneUntagged(
  registry: Registry,
  repository: RepositoryName,
  rules: RegistryPruneRules,
  gone: ReadonlySet<string>,
): AsyncGenerator<RegistryPruned> {
  const told = new Set<string>();
  for (;;) {
    const holdings = await registry.metadata.listHoldings(repository);
    const limit = Date.now() - rules.olderThan;
    const loose = holdings.filter(
      ({ digest, pushed, isEntry, refers, tags }) =>
        tags.every(({ name }) => gone.has(name)) && !isEntry && !refers && pushed <= limit && !told.has(digest),
    );
    for (const { digest } of loose) {
      told.add(digest);
      if (!rules.dryRun) await registry.metadata.deleteManifest(repository, digest, Date.now() + registry.policy.grace);
      yield { repository, reference: `@${digest}` };
    }
    if (loose.length === 0 || rules.dryRun) return;
  }
}

async function* repositories(registry: Registry, only: string | undefined): AsyncGenerator<RepositoryName> {
  if (only !== undefined) {
    yield parseRepositoryName(only);
    return;
  }
  for (let last = ''; ; ) {
    const names = await registry.metadata.listRepositories({ last, limit: PART });
    for (const name of names) yield parseRepositoryName(name);
    const end = names.at(-1);
    if (end === undefined) return;
    last = end;
  }
}

function tagPattern(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(/[^\w*-]/g, '\\$&').replaceAll('*', '.*')}$`);
}
