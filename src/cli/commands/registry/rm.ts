import { Failure, isFailure } from '../../../lib/error.ts';
import { MediaType } from '../../../oci/media-type.ts';
import { familiarReference, type Reference, withDefaultTag } from '../../../oci/reference.ts';
import type { RegistryConnection } from '../../../remote/connection.ts';
import { discard } from '../../../remote/http.ts';
import { listNames } from '../../../remote/list-names.ts';
import { defineCommand } from '../../command.ts';
import { toggle } from '../../flags/flag.ts';
import type { Session } from '../../session.ts';
import { connectTo, insecureFlag, parseTarget } from './connect.ts';

const ACCEPT = [MediaType.ociIndex, MediaType.ociManifest, MediaType.dockerList, MediaType.dockerManifest].join(', ');

export const rm = defineCommand({
  short: 'Delete tags, images or a repository of a registry',
  usage: 'HOST[:PORT]/REPOSITORY[:TAG|@DIGEST]...',
  count: [1, Number.POSITIVE_INFINITY],
  flags: {
    image: toggle('Delete the image that the tag names, with all its tags'),
    recursive: toggle('Delete all tags of the repository and their images', { short: 'r' }),
    insecure: insecureFlag,
  },
  async run(session, { flags, args }) {
    for (const text of args) {
      const { registry, reference } = parseTarget(text);
      if (!reference)
        throw new Failure('invalid', 'REFERENCE_INVALID', `"${text}" is a registry: expected HOST/REPOSITORY:TAG`);
      const isWhole = reference.tag === undefined && reference.digest === undefined;
      if (flags.recursive !== isWhole)
        throw new Failure(
          'invalid',
          'REFERENCE_INVALID',
          isWhole ? `"${text}" is a whole repository: add -r to delete it` : '-r deletes repositories, not tags',
        );
      using opened = await connectTo(session, registry, flags.insecure);
      const remover = { connection: opened.connection, reference, session };
      if (flags.recursive) await removeAll(remover);
      else if (reference.digest !== undefined) await remove(remover, reference.digest);
      else if (flags.image) await remove(remover, await digestOf(remover, tagOf(reference)));
      else await removeTag(remover, tagOf(reference));
    }
    return 0;
  },
});

interface Remover {
  readonly connection: RegistryConnection;
  readonly reference: Reference;
  readonly session: Session;
}

const tagOf = (reference: Reference) => withDefaultTag(reference).tag ?? 'latest';

/** The repository as a whole, and where no registry of ours answers, all that its tags name. */
async function removeAll(remover: Remover): Promise<void> {
  const { connection, reference, session } = remover;
  const { path } = reference;
  const { signal } = session;
  try {
    discard(
      await connection.send({ method: 'DELETE', url: `v2/${path}/`, scopes: scopesOf(path), expect: [202], signal }),
    );
    session.stdout.write(`Deleted: ${familiarReference({ ...reference, tag: undefined, digest: undefined })}\n`);
    return;
  } catch (error) {
    if (!isFailure(error, 'not-found', 'invalid', 'unsupported') || error.code === 'NAME_UNKNOWN') throw error;
  }
  const request = { url: `v2/${path}/tags/list`, field: 'tags', scopes: scopesOf(path), signal: session.signal };
  const digests = new Set<string>();
  for await (const tag of listNames(connection, request)) digests.add(await digestOf(remover, tag));
  for (const digest of digests) await remove(remover, digest);
}

/** The tag alone, which not every registry can do. */
async function removeTag(remover: Remover, tag: string): Promise<void> {
  try {
    await remove(remover, tag);
  } catch (error) {
    if (!isFailure(error, 'invalid', 'unsupported')) throw error;
    throw new Failure('unsupported', 'TAG_DELETE_UNSUPPORTED', `${remover.reference.registry} deletes no tag alone`, {
      hint: '--image deletes the image with all its tags',
      cause: error,
    });
  }
}

async function remove({ connection, reference, session }: Remover, what: string): Promise<void> {
  const { path } = reference;
  const url = `v2/${path}/manifests/${what}`;
  const answer = await connection.send({
    method: 'DELETE',
    url,
    scopes: scopesOf(path),
    expect: [200, 202, 204],
    signal: session.signal,
  });
  discard(answer);
  const name = familiarReference({ ...reference, tag: undefined, digest: undefined });
  session.stdout.write(what.includes(':') ? `Deleted: ${name}@${what}\n` : `Untagged: ${name}:${what}\n`);
}

async function digestOf({ connection, reference, session }: Remover, tag: string): Promise<string> {
  const { path } = reference;
  const answer = await connection.send({
    method: 'HEAD',
    url: `v2/${path}/manifests/${tag}`,
    headers: { accept: ACCEPT },
    scopes: scopesOf(path),
    expect: [200],
    signal: session.signal,
  });
  discard(answer);
  const digest = String(answer.headers['docker-content-digest'] ?? '');
  if (/^[a-z0-9]+:[0-9a-f]+$/.test(digest)) return digest;
  throw new Failure('unavailable', 'DIGEST_UNKNOWN', `${reference.registry} does not tell the digest of "${tag}"`);
}

/** Token servers know no common word for deletion: some want `delete`, some `*`. */
function scopesOf(path: string): string[] {
  return [`repository:${path}:pull,delete,*`];
}
