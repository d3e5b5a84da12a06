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

/** What happens with a result: `type` and attributes as after `--output`. */
export interface Exporter {
  readonly type: string;
  readonly attrs: ReadonlyMap<string, string>;
}

export interface ExportBackend extends CacheExportBackend {
  readonly build: Pick<BuildBackend, 'keep'>;
  readonly archives: Pick<ImageArchiveBackend, 'output' | 'describe'>;
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
  moby: { title: 'exporting to image', work: nameImage }, // whose clients push by the Engine API
  image: { title: 'exporting to image', work: exportImage },
  docker: {
    title: 'exporting to docker image format',
    work: (vertex, request) => exportArchive(vertex, request, 'docker'),
  },
  oci: { title: 'exporting to oci image format', work: (vertex, request) => exportArchive(vertex, request, 'oci') },
  tar: { title: 'exporting to client tarball', work: exportTar },
  local: { title: 'exporting to client directory', work: exportFiles },
};

/** Attributes that would change an image and are not done here: names or beginnings of names. */
const PASSED_OVER = ['annotation', 'compression', 'force-compression'];

/** What an output goes without, for people. */
export function outputWarnings({ type, attrs }: Exporter): string[] {
  if (!['moby', 'image', 'docker', 'oci'].includes(type)) return [];
  const names = [...attrs].flatMap(([name, value]) => {
    const isDone = value === 'false' || (name === 'compression' && (type === 'moby' || value === 'uncompressed'));
    return isDone || !PASSED_OVER.some((beginning) => name.startsWith(beginning)) ? [] : name;
  });
  return names.map((name) => `the output attribute ${name} is passed over by this host`);
}

/** Refuses outputs that nobody here can write, before the build. Throws Failure. */
export function refuseExporters(exporters: readonly Exporter[]): void {
  for (const { type, attrs } of exporters) {
    workOf(type);
    namesOf(attrs);
    if (attrs.get('push-by-digest') === 'true')
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
    for (const short of outputWarnings({ type, attrs })) await vertexes.warn({ short: Buffer.from(short) });
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
  await during(vertex, 'exporting layers', async () => {}); // they were made with the steps
  const keep = async (name?: Reference) => await backend.build.keep(images, name ? [name] : []);
  for (const { image } of images) await during(vertex, `writing image ${image}`, async () => {});
  if (names.length === 0) await keep();
  for (const name of names) await during(vertex, `naming to ${completeReference(name)}`, () => keep(name));
  return { ...told(images), ...namesTold(names) };
}

async function exportImage(vertex: OpenVertex, request: Export) {
  const answer = await nameImage(vertex, request);
  if (request.attrs.get('push') === 'true')
    for (const reference of namesOf(request.attrs)) await push(vertex, request, reference);
  return answer;
}

async function push(
  vertex: OpenVertex,
  { backend, auth, signal }: Pick<Export, 'backend' | 'auth' | 'signal'>,
  reference: Reference,
): Promise<void> {
  await during(vertex, `pushing ${completeReference(reference)}`, async () => {
    const login = await auth(reference.registry, { signal });
    await backend.registry.push({
      reference,
      platform: undefined,
      auth: login,
      emit: async ({ id, progressDetail }) => {
        if (id !== undefined && progressDetail?.current !== undefined)
          await vertex.progress(`pushing layer ${id}`, progressDetail.current, progressDetail.total);
      },
      signal,
    });
  });
}

async function exportArchive(vertex: OpenVertex, request: Export, form: 'docker' | 'oci') {
  const { attrs, images } = request;
  if (form === 'docker' && images.length > 1)
    throw new Failure(
      'unsupported',
      'EXPORT_INDEX',
      'docker exporter does not currently support exporting manifest lists',
      {
        hint: 'use the oci exporter',
      },
    );
  if (attrs.get('tar') === 'false')
    throw new Failure('unsupported', 'EXPORT_FOLDER', `an ${form} layout in a folder is not supported by this host`, {
      hint: 'write it as a tar: dest=FILE',
    });
  const names = namesOf(attrs);
  const { mediaType, digest, size } = await request.backend.archives.describe(images);
  await send(vertex, 'sending tarball', request, form, names);
  return {
    ...told(images),
    'containerimage.digest': digest,
    'containerimage.descriptor': Buffer.from(JSON.stringify({ mediaType, digest, size })).toString('base64'),
    ...namesTold(names),
  };
}

async function exportTar(vertex: OpenVertex, request: Export) {
  await send(vertex, 'sending tarball', request, 'tree', []);
  return {};
}

async function send(
  vertex: OpenVertex,
  status: string,
  { backend, images, index, session, signal }: Export,
  form: 'tree' | 'docker' | 'oci',
  names: readonly Reference[],
): Promise<void> {
  await during(vertex, status, async () => {
    const archive: Readable = await backend.archives.output(images, { form, names, signal });
    await sendArchive(session, archive, { index, signal });
  });
}

async function exportFiles(vertex: OpenVertex, { backend, images, index, session, signal }: Export) {
  await during(vertex, 'copying files', async (progress) => {
    const tree: Readable = await backend.archives.output(images, { form: 'tree', names: [], signal });
    await sendTree(session, tree, { index, signal, progress });
  });
  return {};
}

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
