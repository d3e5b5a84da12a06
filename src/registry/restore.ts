import { Refusal } from './codes.ts';
import { algorithmOf } from './content-digest.ts';
import { readManifest } from './manifest-document.ts';
import { parseRepositoryName, type Tag } from './names.ts';
import type { Registry } from './registry.ts';

/**
 * Puts back what was deleted: `:tag` alone, `@digest` with the tags that it had, or with no reference everything of the
 * repository. Tags that name something else by now stay as they are. Gives what is there again.
 */
export async function restore(registry: Registry, repositoryText: string, reference: string): Promise<string[]> {
  const { metadata } = registry;
  const repository = parseRepositoryName(repositoryText);
  const restored: string[] = [];
  for (const { digest, mediaType, bytes, tags } of await metadata.listDeleted(repository)) {
    if (reference.startsWith('@') && reference !== `@${digest}`) continue;
    const wanted = reference.startsWith(':') ? tags.filter((tag) => `:${tag}` === reference) : tags;
    if (reference.startsWith(':') && wanted.length === 0) continue;
    const free: Tag[] = [];
    for (const tag of wanted) if (!(await metadata.findManifest(repository, tag))) free.push(tag);
    const isThere = (await metadata.findManifest(repository, digest)) !== undefined;
    if (isThere && free.length === 0) continue;
    await metadata.putManifest(repository, readManifest(Buffer.from(bytes), mediaType, algorithmOf(digest)), free);
    restored.push(...(isThere ? [] : [`@${digest}`]), ...free.map((tag) => `:${tag}`));
  }
  if (restored.length === 0)
    throw new Refusal('MANIFEST_UNKNOWN', { message: `nothing of ${repository}${reference} can be put back` });
  return restored;
}
