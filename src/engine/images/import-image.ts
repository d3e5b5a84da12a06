import { Failure } from '../../lib/error.ts';
import type { FileRange } from '../../lib/file-range.ts';
import { httpGet } from '../../lib/http-get.ts';
import { lendBytes } from '../../lib/lend-bytes.ts';
import { Scope } from '../../lib/scope.ts';
import type { ImageId } from '../../oci/digest.ts';
import { encodeConfig } from '../../oci/image-config.ts';
import { hostPlatform, type Platform } from '../../oci/platform.ts';
import type { Reference } from '../../oci/reference.ts';
import type { FileOffer } from '../../wire/file-offer.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { openOffered, rangeOf } from '../offered-file.ts';
import type { ImageNeeds } from './image-needs.ts';
import { checkTarget, giveName } from './tag-image.ts';

/** Bytes between two lines of progress. */
const PROGRESS_STEP = 512 << 10;

export interface ImportRequest {
  readonly source:
    | { readonly kind: 'tar'; readonly body: AsyncIterable<Uint8Array> }
    | { readonly kind: 'file'; readonly offer: FileOffer }
    | { readonly kind: 'url'; readonly url: string };
  readonly target: Reference | undefined;
  /** The comment of the image; "Imported from ..." when empty. */
  readonly message: string;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  readonly platform: Platform | undefined;
  readonly emit: (line: ProgressLine) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * POST /images/create?fromSrc: an image of one layer from a tar in any compression. Name and changes are checked before
 * a byte is read; after a failure or abort nothing remains.
 */
export async function importImage(needs: ImageNeeds, request: ImportRequest): Promise<ImageId> {
  const { store } = needs;
  if (request.target) checkTarget(request.target);
  if (request.platform && request.platform.os !== hostPlatform().os)
    throw new Failure('invalid', 'PLATFORM_UNSUPPORTED', 'operating system is not supported');
  const config = needs.applyChanges({}, request.changes);
  using _session = store.leases.begin();
  await using scope = new Scope();
  const { bytes, name } = await openSource(request, scope);
  const layer = await needs.receiveLayer(bytes, { signal: request.signal });

  const created = new Date().toISOString();
  const comment = request.message === '' ? `Imported from ${name}` : request.message;
  const { os, architecture, variant } = request.platform ?? hostPlatform();
  const { id } = store.images.put({
    config: encodeConfig({
      architecture,
      comment,
      config,
      created,
      history: [{ created, comment }],
      os,
      rootfs: { type: 'layers', diff_ids: [layer.diffId] },
      ...(variant === undefined ? {} : { variant }),
    }),
  });
  if (request.target) giveName(needs, id, request.target);
  needs.emit({ type: 'image', action: 'import', id, attributes: { ...config.Labels, name: id } });
  return id;
}

async function openSource(
  request: ImportRequest,
  scope: Scope,
): Promise<{ bytes: AsyncIterable<Uint8Array> | FileRange; name: string }> {
  const { source, signal, emit } = request;
  if (source.kind === 'tar') return { bytes: lendBytes(source.body), name: '-' };
  if (source.kind === 'file')
    return { bytes: await rangeOf(scope.use(await openOffered(source.offer, 'read'))), name: '-' };
  const url = parseUrl(source.url);
  const shown = new URL(url);
  // An image's history is for everyone.
  shown.username = shown.password = '';
  await emit({ status: `Downloading from ${shown}` });
  const response = await httpGet(url.href, { failed: 'cannot download', code: 'DOWNLOAD_FAILED', signal });
  const total = Number(response.headers.get('content-length') ?? 0);
  return { bytes: lendBytes(reportProgress(response.body, { total, emit })), name: shown.href };
}

function parseUrl(text: string): URL {
  const complete = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(complete) ? new URL(complete) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new Failure('invalid', 'IMPORT_SOURCE_INVALID', `cannot import from "${text}"`, {
      hint: 'a file, - for standard input, or an http or https URL',
    });
  return url;
}

async function* reportProgress(
  body: AsyncIterable<Uint8Array>,
  { total, emit }: { readonly total: number; readonly emit: ImportRequest['emit'] },
): AsyncGenerator<Uint8Array> {
  let current = 0;
  let told = 0;
  for await (const chunk of body) {
    current += chunk.length;
    if (current - told >= PROGRESS_STEP || current === total) {
      told = current;
      await emit({ status: 'Importing', progressDetail: total > 0 ? { current, total } : { current } });
    }
    yield chunk;
  }
}
