import type { Readable } from 'node:stream';
import { Failure } from '../../../lib/error.ts';
import { completeReference, parseReference, type Reference, withDefaultTag } from '../../../oci/reference.ts';
import type { AskRegistryAuth, BuildBackend } from '../../backend/build.ts';
import type { CallOptions } from '../../backend/call.ts';
import type { ImageArchiveBackend } from '../../backend/images.ts';
import type { RegistryBackend } from '../../backend/registry.ts';
import { credentialsOf } from '../session/credentials.ts';
import { sendArchive, sendTree } from '../session/file-send.ts';
import type { ClientSession } from '../session/sessions.ts';
import { during, inVertex } from '../trace/in-vertex.ts';
import { type OpenVertex, type Show, Vertexes } from '../trace/vertexes.ts';
import type { CacheOption } from './cache-options.ts';
import { type CacheExportBackend, exportCache } from './export-cache.ts';
import type { BuiltImage, FrontendResult } from './frontend.ts';
import { flag, imageFormOf } from './image-form.ts';

/** What happens with a result: `type` and attributes as after `--output`. */
export interface Exporter {
  readonly type: string;
  readonly attrs: ReadonlyMap<string, string>;
}

export interface ExportBackend extends CacheExportBackend {
  readonly build: Pick<BuildBackend, 'keep'>;
  readonly archives: Pick<ImageArchiveBackend, 'output' | 'tree'>;
  readonly registry: Pick<RegistryBackend, 'push'>;
}

export interface ExportRequest extends CallOptions {
  readonly exporters: readonly Exporter[];
  readonly cacheExports: readonly CacheOption[];
  readonly session: ClientSession;
  readonly show: Show;
}

/** One for each platform. */
type Results = readonly [BuiltImage, ...BuiltImage[]];

interface Export extends CallOptions {
  readonly backend: ExportBackend;
  readonly images: Results;
  readonly attrs: ReadonlyMap<string, string>;
  /** Which of the client's outputs it is. */
  readonly index: number;
  readonly session: ClientSession;
  readonly auth: AskRegistryAuth;
}

/** An exporter: what its vertex is called, and what it does; gives what the client is told. */
interface Work {
  readonly title: string;
  readonly work: (vertex: OpenVertex, request: Export) => Promise<Readonly<Record<string, string>>>;
}

const EXPORTERS: Readonly<Record<string, Work>> = {
  moby: { title: 'exporting to image', work: exportImage },
  image: { title: 'exporting to image', work: exportImage },
  docker: {
    title: 'exporting to docker image format',
    work: (vertex, request) => exportArchive(vertex, request, 'docker'),
  },
  oci: { title: 'exporting to oci image format', work: (vertex, request) => exportArchive(vertex, request, 'oci') },
  tar: { title: 'exporting to client tarball', work: exportTar },
  local: { title: 'exporting to client directory', work: exportFiles },
};

/** What an output goes without, for people. */
function outputWarnings({ type }: Exporter, images: Results): string[] {
  if (type !== 'local' && type !== 'tar') return [];
  const isAttested = images.some(({ attestations }) => attestations.length > 0);
  return isAttested ? [`attestations are not written to an output of type ${type} by this host`] : [];
}

/** Refuses outputs that nobody here can write, before the build. Throws Failure. */
export function refuseExporters(exporters: readonly Exporter[]): void {
  for (const { type, attrs } of exporters) {
    workOf(type);
    namesOf(attrs);
    imageFormOf(attrs, { attestations: [], isOci: type === 'oci' });
    flag(attrs, 'push');
    if (flag(attrs, 'push-by-digest'))
      throw new Failure('unsupported', 'PUSH_BY_DIGEST', 'push-by-digest is not supported by this host', {
        hint: 'push it under a name',
      });
  }
}

/**
 * Does with the result what its client wants: names and keeps it, pushes it, sends it as files or as an archive, and gives
 * its cache away. Gives what BuildKit calls the exporter's response.
 */
export async function exportResult(
  backend: ExportBackend,
  { images, ref }: FrontendResult,
  { exporters, cacheExports, session, show, ...request }: ExportRequest,
): Promise<ReadonlyMap<string, string>> {
  const vertexes = new Vertexes({ show, ref: `${ref} exports` });
  const signal = AbortSignal.any([request.signal, session.closed]);
  const auth = credentialsOf(session);
  const response = new Map<string, string>();
  refuseExporters(exporters);
  const [first, ...others] = images;
  if (!first) return response;
  const built: Results = [first, ...others];
  for (const [index, { type, attrs }] of exporters.entries()) {
    const { title, work } = workOf(type);
    for (const short of outputWarnings({ type, attrs }, built)) await vertexes.warn({ short: Buffer.from(short) });
    const told = await inVertex(vertexes, title, signal, (vertex) =>
      work(vertex, { backend, images: built, attrs, index, session, auth, signal }),
    );
    for (const [name, value] of Object.entries(told)) response.set(name, value);
  }
  for (const cache of cacheExports) {
    const builds = built.flatMap(({ build }) => (build === '' ? [] : build));
    const told = await exportCache(backend, cache, { builds, vertexes, session, auth, signal });
    for (const [name, value] of Object.entries(told)) response.set(name, value);
  }
  return response;
}

/** Names and keeps the image, or those of all platforms under one name. */
async function nameImage(vertex: OpenVertex, { backend, images, attrs }: Export) {
  const names = namesOf(attrs);
  const form = imageFormOf(attrs, { attestations: stated(images), isOci: false });
  await during(vertex, 'exporting layers', async () => {}); // they were made with the steps
  const keep = async (name?: Reference) => await backend.build.keep(images, name ? [name] : [], form);
  for (const { image } of images) await during(vertex, `writing image ${image}`, async () => {});
  if (names.length === 0) await keep();
  for (const name of names) await during(vertex, `naming to ${completeReference(name)}`, () => keep(name));
  return { ...told(images), ...namesTold(names) };
}

async function exportImage(vertex: OpenVertex, request: Export) {
  const answer = await nameImage(vertex, request);
  if (!flag(request.attrs, 'push')) return answer;
  const digests: string[] = [];
  for (const reference of namesOf(request.attrs)) digests.push(...(await push(vertex, request, reference)));
  const [digest] = digests;
  return { ...answer, ...(digest === undefined ? {} : { 'containerimage.digest': digest }) };
}

/** Gives the digest that the registry has then. */
async function push(
  vertex: OpenVertex,
  { backend, auth, signal }: Pick<Export, 'backend' | 'auth' | 'signal'>,
  reference: Reference,
): Promise<string[]> {
  const digests: string[] = [];
  await during(vertex, `pushing ${completeReference(reference)}`, async () => {
    const login = await auth(reference.registry, { signal });
    await backend.registry.push({
      reference,
      platform: undefined,
      auth: login,
      emit: async ({ id, progressDetail, aux }) => {
        if (id !== undefined && progressDetail?.current !== undefined)
          await vertex.progress(`pushing layer ${id}`, progressDetail.current, progressDetail.total);
        if (typeof aux === 'object' && aux !== null && 'Digest' in aux) digests.push(String(aux.Digest));
      },
      signal,
    });
  });
  return digests;
}

async function exportArchive(vertex: OpenVertex, request: Export, type: 'docker' | 'oci') {
  const { attrs, backend, images, index, session, signal } = request;
  if (flag(attrs, 'tar') === false)
    throw new Failure('unsupported', 'EXPORT_FOLDER', `an ${type} layout in a folder is not supported by this host`, {
      hint: 'write it as a tar: dest=FILE',
    });
  const names = namesOf(attrs);
  const form = imageFormOf(attrs, { attestations: stated(images), isOci: type === 'oci' });
  using archive = await during(vertex, 'exporting layers', () =>
    backend.archives.output(images, { type, names, form, signal }),
  );
  await during(vertex, 'sending tarball', () => sendArchive(session, archive.open({ signal }), { index, signal }));
  const { mediaType, digest, size } = archive.descriptor;
  return {
    ...told(images),
    'containerimage.digest': digest,
    'containerimage.descriptor': Buffer.from(JSON.stringify({ mediaType, digest, size })).toString('base64'),
    ...namesTold(names),
  };
}

async function exportTar(vertex: OpenVertex, { backend, images, index, session, signal }: Export) {
  await during(vertex, 'sending tarball', async () => {
    const tree: Readable = await backend.archives.tree(images, { signal });
    await sendArchive(session, tree, { index, signal });
  });
  return {};
}

async function exportFiles(vertex: OpenVertex, { backend, images, index, session, signal }: Export) {
  await during(vertex, 'copying files', async (progress) => {
    const tree: Readable = await backend.archives.tree(images, { signal });
    await sendTree(session, tree, { index, signal, progress });
  });
  return {};
}

const stated = (images: Results) => images.flatMap(({ attestations }) => attestations);

const told = ([{ image }]: Results) => ({ 'containerimage.config.digest': image, 'containerimage.digest': image });

const namesTold = (names: readonly Reference[]): Readonly<Record<string, string>> =>
  names.length === 0 ? {} : { 'image.name': names.map(completeReference).join(',') };

function workOf(type: string): Work {
  const work = Object.hasOwn(EXPORTERS, type) ? EXPORTERS[type] : undefined;
  if (work) return work;
  throw new Failure('unsupported', 'EXPORTER_UNKNOWN', `exporter "${type.slice(0, 100)}" could not be found`, {
    hint: `this host has ${Object.keys(EXPORTERS).join(', ')}`,
  });
}

function namesOf(attrs: ReadonlyMap<string, string>): Reference[] {
  const names = (attrs.get('name') ?? '').split(',').filter((name) => name !== '');
  return names.map((name) => withDefaultTag(parseReference(name)));
}
