import { Refusal } from './codes.ts';

declare const repositoryBrand: unique symbol;
declare const tagBrand: unique symbol;

/** Path of a repository in this registry: `library/debian`. */
export type RepositoryName = string & { readonly [repositoryBrand]: true };
export type Tag = string & { readonly [tagBrand]: true };

// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const NAME_LIMIT = 255;

export function isRepositoryName(text: string): text is RepositoryName {
  return text.length <= NAME_LIMIT && REPOSITORY.test(text);
}

/** Throws NAME_INVALID. */
export function parseRepositoryName(text: string): RepositoryName {
  if (isRepositoryName(text)) return text;
  throw new Refusal('NAME_INVALID', { detail: { name: text.slice(0, NAME_LIMIT) } });
}

export function isTag(text: string): text is Tag {
  return TAG.test(text);
}

/** Throws TAG_INVALID. */
export function parseTag(text: string): Tag {
  if (isTag(text)) return text;
  throw new Refusal('TAG_INVALID', { message: `invalid tag "${text.slice(0, 160)}"` });
}
