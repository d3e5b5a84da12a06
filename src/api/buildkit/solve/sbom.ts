import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { Failure } from '../../../lib/error.ts';
import type { Attestation } from '../../../oci/image-form.ts';
import { TarReader } from '../../../tar/tar-reader.ts';
import { TarWriter } from '../../../tar/tar-writer.ts';
import type { BuildEvent } from '../../../wire/build.ts';
import type { AskRegistryAuth, BuildBackend, BuildRequest } from '../../backend/build.ts';
import type { CallOptions } from '../../backend/call.ts';
import type { ImageArchiveBackend, ImageBackend } from '../../backend/images.ts';
import { inVertex } from '../trace/in-vertex.ts';
import type { Vertexes } from '../trace/vertexes.ts';

export interface ScanBackend {
  readonly build: Pick<BuildBackend, 'build'>;
  readonly images: Pick<ImageBackend, 'inspect'>;
  readonly archives: Pick<ImageArchiveBackend, 'tree'>;
}

export interface ScanRequest extends CallOptions {
  /** Name of the image that scans. */
  readonly generator: string;
  readonly image: string;
  /** What it was built for. */
  readonly platform: string;
  /** Of the build whose result is scanned. */
  readonly options: BuildRequest['options'];
  readonly registryAuth: AskRegistryAuth;
  readonly vertexes: Vertexes;
}

const SPDX = 'https://spdx.dev/Document';
const SOURCE = '/run/src/core/sbom';
const DESTINATION = '/run/out';
const MOST_BYTES = 64 << 20;

/**
 * Has an image scanned by another one, which gets its files and writes statements about them. It runs on this machine's
 * processor, as a build whose steps are cached like others. Throws Failure.
 * https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md
 */
export async function scan(backend: ScanBackend, request: ScanRequest): Promise<Attestation[]> {
  const { generator, image, platform, vertexes, signal } = request;
  return await inVertex(vertexes, `[${platform}] generating sbom using ${generator}`, signal, async (vertex) => {
    const run = (dockerfile: readonly string[], named: BuildRequest['named']) =>
      backend.build.build({
        id: randomBytes(6).toString('hex'),
        options: optionsOf(request),
        context: { kind: 'tar', body: contextOf(dockerfile.join('\n')) },
        named,
        packed: undefined,
        lent: { secret: async () => undefined, agent: async () => undefined },
        registryAuth: request.registryAuth,
        isPart: true,
        emit: async (event: BuildEvent) => {
          if (event.type === 'step-output') await vertex.log(event.stream, event.text);
        },
        signal,
      });
    const scanner = await run(['FROM scanner'], new Map([['scanner', { kind: 'image', reference: generator }]]));
    const { Config } = await backend.images.inspect(scanner.image, { signal });
    const argv = [...(Config.Entrypoint ?? []), ...(Config.Cmd ?? [])];
    if (argv.length === 0) throw new Failure('invalid', 'SBOM_SCANNER', `scanner ${generator} does not have cmd`);
    const dockerfile = [
      'FROM scanner AS run',
      'USER 0',
      `ENV BUILDKIT_SCAN_DESTINATION=${DESTINATION} BUILDKIT_SCAN_SOURCE=${SOURCE}`,
      `WORKDIR ${DESTINATION}`,
      `WORKDIR ${JSON.stringify(Config.WorkingDir || '/')}`,
      `RUN --mount=type=bind,from=scanned,target=${SOURCE} --mount=type=tmpfs,target=/tmp ${JSON.stringify(argv)}`,
      'FROM scratch',
      `COPY --from=run ${DESTINATION}/ /`,
    ];
    const found = await run(
      dockerfile,
      new Map([
        ['scanner', { kind: 'image', reference: scanner.image }],
        ['scanned', { kind: 'image', reference: image }],
      ]),
    );
    const statements = await filesOf(await backend.archives.tree([{ image: found.image }], { signal }));
    const isCore = (name: string) => name.startsWith('sbom.');
    const sorted = [...statements].sort(([a], [b]) => Number(isCore(b)) - Number(isCore(a)) || (a < b ? -1 : 1));
    return sorted.map(([name, content]) => ({ platform, predicateType: SPDX, predicate: predicateOf(name, content) }));
  });
}

/** The build runs for this machine, with nothing of the other build but how it goes about it. */
function optionsOf({ options }: ScanRequest): BuildRequest['options'] {
  return {
    ...options,
    dockerfile: 'Dockerfile',
    remote: undefined,
    noCacheFilter: [],
    cacheFrom: [],
    inlineCache: false,
    pull: false,
    buildArgs: {},
    labels: {},
    target: undefined,
    platform: undefined,
    lint: false,
  };
}

function contextOf(dockerfile: string): Readable {
  const pieces: Buffer[] = [];
  const writer = new TarWriter((piece) => pieces.push(Buffer.from(piece)));
  const content = Buffer.from(dockerfile);
  const header = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 } as const;
  writer.begin({ ...header, path: 'Dockerfile', size: content.length });
  writer.data(content);
  writer.end();
  return Readable.from(pieces, { objectMode: false });
}

/** The files of a tar, all of which stay in memory. */
async function filesOf(tar: Readable): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  let pieces: Buffer[] | undefined;
  let name = '';
  let total = 0;
  const grow = (length: number) => {
    total += length;
    if (total > MOST_BYTES)
      throw new Failure('exhausted', 'SBOM_TOO_LARGE', `the scanner wrote more than ${MOST_BYTES} bytes`);
  };
  const reader = new TarReader({
    entry: ({ path, type }) => {
      name = path;
      pieces = type === 'file' ? [] : undefined;
    },
    data: (bytes) => {
      grow(bytes.length);
      pieces?.push(Buffer.from(bytes));
    },
    hole: (length) => {
      grow(length);
      pieces?.push(Buffer.alloc(length));
    },
    close: () => {
      if (pieces) files.set(name, Buffer.concat(pieces));
    },
    raw() {},
  });
  for await (const chunk of tar) reader.push(chunk);
  reader.end();
  return files;
}

/** What an in-toto statement about SPDX states. */
function predicateOf(name: string, content: Buffer): unknown {
  let statement: { predicateType?: unknown; predicate?: unknown } | null;
  try {
    statement = JSON.parse(content.toString('utf8'));
  } catch (error) {
    throw new Failure('invalid', 'SBOM_STATEMENT', `the scanner wrote ${name}, which is not JSON`, { cause: error });
  }
  if (statement?.predicateType === SPDX) return statement.predicate;
  throw new Failure('invalid', 'SBOM_STATEMENT', `the scanner wrote ${name}, which is no statement of type ${SPDX}`);
}
