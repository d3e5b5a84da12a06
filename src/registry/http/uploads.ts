import { HANDOFF_HEADER } from '../../wire/handoff.ts';
import { Refusal } from '../codes.ts';
import { algorithmOf, type ContentDigest, isAlgorithm, parseContentDigest } from '../content-digest.ts';
import { parseRepositoryName } from '../names.ts';
import { type Registry, termsOf } from '../registry.ts';
import {
  abandonUpload,
  appendToUpload,
  commitUpload,
  type Incoming,
  startUpload,
  takeHanded,
  uploadHeaders,
} from '../upload.ts';
import { chunkRange } from './byte-range.ts';
import { answer, type RepositoryExchange } from './exchange.ts';
import { bodyOf } from './request-body.ts';

/** POST: mounts a blob of another repository or one that the host of this machine hands over, takes one whole, or begins an upload. */
export async function postUpload(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, request, response, query, grant } = exchange;
  const mount = query.get('mount');
  if (mount !== null) {
    const digest = parseContentDigest(mount);
    const from = query.get('from');
    const source = {
      from: from === null ? undefined : parseRepositoryName(from),
      allowed: (name: string) => grant.mayPull(name),
    };
    if (await registry.metadata.mountBlob(repository, digest, source, termsOf(registry, repository)))
      return answerCreated(exchange, digest);
    const { [HANDOFF_HEADER]: handed } = request.headers;
    if (typeof handed === 'string' && (await takeHanded(registry, repository, digest, handed)))
      return answerCreated(exchange, digest);
  }
  const text = query.get('digest');
  const digest = text === null ? undefined : parseContentDigest(text);
  const upload = await startUpload(registry, repository, digest ? algorithmOf(digest) : algorithm(query));
  if (digest !== undefined) {
    await commitUpload(registry, repository, upload.id, digest, {
      chunks: bodyOf(request, response),
      range: undefined,
    });
    return answerCreated(exchange, digest);
  }
  answer(response, 202, uploadHeaders(repository, upload.id, 0));
}

export async function getUpload(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, reference, response } = exchange;
  const upload = await registry.metadata.findUpload(repository, reference);
  if (!upload) throw new Refusal('BLOB_UPLOAD_UNKNOWN');
  answer(response, 204, uploadHeaders(repository, upload.id, upload.size));
}

/** PATCH: the next chunk, or with no `Content-Range` whatever comes. */
export async function patchUpload(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, reference, response } = exchange;
  const size = await appendToUpload(registry, repository, reference, incomingOf(exchange));
  answer(response, 202, uploadHeaders(repository, reference, size));
}

/** PUT: the last chunk or everything or nothing, and the digest. */
export async function putUpload(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, reference, query } = exchange;
  const digest = parseContentDigest(query.get('digest') ?? '');
  await commitUpload(registry, repository, reference, digest, incomingOf(exchange));
  answerCreated(exchange, digest);
}

export async function deleteUpload(registry: Registry, exchange: RepositoryExchange): Promise<void> {
  const { repository, reference, response } = exchange;
  if (!(await abandonUpload(registry, repository, reference))) throw new Refusal('BLOB_UPLOAD_UNKNOWN');
  answer(response, 204, {});
}

function answerCreated({ repository, response }: RepositoryExchange, digest: ContentDigest): void {
  answer(response, 201, { Location: `/v2/${repository}/blobs/${digest}`, 'Docker-Content-Digest': digest });
}

/** Algorithm of the digest that the client will send. */
function algorithm(query: URLSearchParams): 'sha256' | 'sha512' {
  const text = query.get('digest-algorithm') ?? 'sha256';
  if (isAlgorithm(text)) return text;
  throw new Refusal('DIGEST_INVALID', { message: `unsupported digest algorithm "${text.slice(0, 40)}"` });
}

function incomingOf({ request, response }: RepositoryExchange): Incoming {
  const range = chunkRange(request.headers['content-range']);
  if (range === 'invalid')
    throw new Refusal('BLOB_UPLOAD_INVALID', {
      message: `invalid Content-Range "${request.headers['content-range']?.slice(0, 80)}": expected first-last`,
    });
  const length = request.headers['content-length'];
  if (range && length !== undefined && Number(length) !== range.end - range.start + 1)
    throw new Refusal('SIZE_INVALID', { detail: { range: `${range.start}-${range.end}`, length: Number(length) } });
  return { chunks: bodyOf(request, response), range };
}
