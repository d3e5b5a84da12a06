import { Failure } from '../lib/error.ts';
import { type Digest, parseDigest } from './digest.ts';

/**
 * A parsed image name: `[registry/]path[:tag][@digest]`, normalised as Docker does (default registry `docker.io`,
 * `library/` for single names there). Grammar: https://github.com/distribution/reference
 */
export interface Reference {
  /** Host of the registry, with port if given: `docker.io`, `localhost:5000`. */
  readonly registry: string;
  /** Path of the repository in its registry: `library/debian`. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;
const TAG = /^[\w][\w.-]{0,127}$/;
const HEX64 = /^[0-9a-f]{64}$/;
const DEFAULT_REGISTRY = 'docker.io';

/** Parses a name as a person types it. Messages are the ones Docker's clients know. */
export function parseReference(text: string): Reference {
  if (HEX64.test(text)) throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  let rest = text;
  let digest: Digest | undefined;
  const at = rest.indexOf('@');
  if (at >= 0) {
    const value = rest.slice(at + 1);
    rest = rest.slice(0, at);
    if (!/^sha256:[0-9a-f]{64}$/.test(value)) throw invalid('invalid reference format');
    digest = parseDigest(value);
  }
  let tag: string | undefined;
  const colon = rest.lastIndexOf(':');
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1);
    rest = rest.slice(0, colon);
    if (!TAG.test(tag)) throw invalid('invalid reference format');
  }
  const slash = rest.indexOf('/');
  const first = slash < 0 ? '' : rest.slice(0, slash);
  const hasRegistry = first !== '' && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  let registry = hasRegistry ? first : DEFAULT_REGISTRY;
  let path = hasRegistry ? rest.slice(slash + 1) : rest;
  if (registry === 'index.docker.io') registry = DEFAULT_REGISTRY;
  if (registry === DEFAULT_REGISTRY && !path.includes('/') && path !== '') path = `library/${path}`;
  if (path !== path.toLowerCase())
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  if (!DOMAIN.test(registry) || !PATH.test(path)) throw invalid('invalid reference format');
  if (registry.length + 1 + path.length > 255)
    throw invalid('invalid reference format: repository name must not be more than 255 characters');
  return { registry, path, tag, digest };
}

/** The same with tag `latest` when neither tag nor digest is given. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** `registry/path`, always complete: `docker.io/library/debian`. */
export function repositoryName(reference: Reference): string {
  return `${reference.registry}/${reference.path}`;
}

/** Name, tag and digest, the registry always stated: `docker.io/library/debian:bookworm`. */
export function completeReference(reference: Reference): string {
  return `${repositoryName(reference)}${suffixOf(reference)}`;
}

/** `registry/path`, as people read it: `debian`, `user/app`, `localhost:5000/x`. */
export function familiarName(reference: Reference): string {
  if (reference.registry !== DEFAULT_REGISTRY) return `${reference.registry}/${reference.path}`;
  return reference.path.startsWith('library/') && !reference.path.slice('library/'.length).includes('/')
    ? reference.path.slice('library/'.length)
    : reference.path;
}

/** Name, tag and digest as people read them: `debian:bookworm`, `debian@sha256:...`. */
export function familiarReference(reference: Reference): string {
  return `${familiarName(reference)}${suffixOf(reference)}`;
}

function suffixOf({ tag, digest }: Reference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** Whether a bare tag is well formed. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

function invalid(message: string): Failure {
  return new Failure('invalid', 'REFERENCE_INVALID', message);
}
