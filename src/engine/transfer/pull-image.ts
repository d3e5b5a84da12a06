import { Failure } from '../../lib/error.ts';
import type { ImageId } from '../../oci/digest.ts';
import { hostPlatform, type Platform } from '../../oci/platform.ts';
import { familiarName, familiarReference, type Reference, repositoryName } from '../../oci/reference.ts';
import { manifestFor } from '../../remote/choose-manifest.ts';
import { readFailure } from '../../remote/read-failure.ts';
import type { Repository } from '../../remote/repository.ts';
import { collect } from '../../store/collect.ts';
import { eventAttributes } from '../images/references.ts';
import { bringImage } from './bring-image.ts';
import type { Transfer, TransferNeeds, TransferRequest } from './transfer-needs.ts';

/**
 * POST /images/create?fromImage: brings an image, or all tags of a repository, and says what it does in Docker's lines.
 * What the store has already is not fetched again. The image appears whole at the end; after a failure or abort nothing
 * of it remains. An image that is pulled by digest keeps its compressed layers, so that it can be pushed anywhere under
 * the same digest.
 */
export async function pullImage(needs: TransferNeeds, request: TransferRequest): Promise<void> {
  const { reference } = request;
  if (familiarName(reference) === 'scratch')
    throw new Failure('invalid', 'SCRATCH_RESERVED', "'scratch' is a reserved name");
  try {
    await bringNames(needs, request);
  } catch (error) {
    collect(needs.store); // the layers that were complete
    throw readFailure(error, reference);
  }
}

async function bringNames(needs: TransferNeeds, request: TransferRequest): Promise<void> {
  const { reference, signal, emit } = request;
  using kept = needs.store.leases.begin();
  const pull: Transfer = { ...request, kept };
  const isNew = await needs.registries.readFrom(reference, request, async (repository) => {
    if (reference.tag !== undefined || reference.digest !== undefined) return await pullOne(needs, repository, pull);
    let any = false;
    for (const tag of await repository.tags(signal))
      any = (await pullOne(needs, repository, { ...pull, reference: { ...reference, tag } })) || any;
    return any;
  });
  const status = isNew ? 'Downloaded newer image for' : 'Image is up to date for';
  await emit({ status: `Status: ${status} ${familiarReference(reference)}` });
}

/** Returns whether the name now means another image than before. */
async function pullOne(needs: TransferNeeds, repository: Repository, pull: Transfer): Promise<boolean> {
  const { store } = needs;
  const { reference, signal, emit } = pull;
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const platform = pull.platform ?? hostPlatform();
  const head = await repository.headDigest(wanted, signal);
  const known = head && store.images.names.find({ ...reference, digest: head });
  const what = reference.digest === undefined ? wanted : `${repositoryName(reference)}@${reference.digest}`;
  const greeting = { status: `Pulling from ${repository.path}`, id: what };
  let digest = head;
  let id: ImageId;
  if (known && isFor(needs, known, platform)) {
    id = known;
    pull.kept.keep({ images: [id] });
    await emit(greeting);
  } else {
    const top = await repository.manifest(head ?? wanted, signal);
    const manifest = await manifestFor(repository, top, platform, signal);
    await emit(greeting);
    digest = top.digest;
    id = await bringImage(needs, repository, manifest, {
      ...pull,
      name: familiarReference(reference),
      origin: reference,
      isCache: pull.isBehind === true,
    });
  }
  if (!digest) throw new Failure('internal', 'PULL_DIGEST', 'a pulled image has no digest');

  if (pull.isBehind) {
    store.images.platforms.add(reference, { platform, image: id });
    await emit({ status: `Digest: ${digest}` });
    return true;
  }
  const isNew = nameImage(needs, reference, { ...reference, digest }, id);
  const image = store.images.demand(id);
  const name = familiarReference(reference);
  needs.emit({ type: 'image', action: 'pull', id: name, attributes: eventAttributes(image, familiarName(reference)) });
  await emit({ status: `Digest: ${digest}` });
  return isNew;
}

function isFor(needs: TransferNeeds, id: ImageId, platform: Platform): boolean {
  const { os, architecture } = needs.store.images.demand(id).config;
  return os === platform.os && architecture === platform.architecture;
}

/** Gives the image its tag and its `repository@digest`; true when the name that was asked for meant something else. */
function nameImage(needs: TransferNeeds, asked: Reference, pinned: Reference, id: ImageId): boolean {
  const { store } = needs;
  const { names } = store.images;
  return store.transaction(() => {
    const before = names.find(asked);
    if (pinned.digest) names.addDigest(pinned, pinned.digest, id);
    if (asked.digest === undefined && before !== id) names.tag(asked, id);
    return before !== id;
  });
}
