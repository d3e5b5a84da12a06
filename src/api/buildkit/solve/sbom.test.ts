import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { TarWriter } from '../../../tar/tar-writer.ts';
import type { BuildOptions } from '../../../wire/build.ts';
import { Vertexes } from '../trace/vertexes.ts';
import { type ScanBackend, scan } from './sbom.ts';

const { signal } = new AbortController();
const SPDX = 'https://spdx.dev/Document';
const statement = (name: string) => JSON.stringify({ predicateType: SPDX, predicate: { name } });

/** A host whose scanner writes these files. */
async function scanned(files: Readonly<Record<string, string>>, argv: readonly string[] = ['/scan']) {
  const builds: string[] = [];
  const backend: ScanBackend = {
    build: {
      build: async ({ context, named }) => {
        const dockerfile = context.kind === 'tar' ? await buffer(context.body) : Buffer.alloc(0);
        const images = [...named].map(([name, source]) => `${name}=${source.kind === 'image' ? source.reference : ''}`);
        builds.push(`${images.join(' ')}: ${dockerfile.subarray(512).toString().replace(/\0+$/, '')}`);
        return { image: `image ${builds.length}` };
      },
    },
    // Of what the host tells of an image only this is read.
    images: { inspect: async () => ({ Config: { Entrypoint: null, Cmd: argv, WorkingDir: '/w' } }) as never },
    archives: {
      tree: async ([image]) => {
        assert.equal(image?.image, 'image 2');
        return tarOf(files);
      },
    },
  };
  const shown: string[] = [];
  const vertexes = new Vertexes({
    ref: 'r',
    show: async ({ vertexes: list = [] }) => void shown.push(...list.map(({ name, error }) => `${name} ${error}`)),
  });
  const options = { target: 't', buildArgs: { A: 'b' }, platform: 'linux/arm64' } as unknown as BuildOptions; // passed on
  const request = { generator: 's', image: 'result', platform: 'linux/arm64', options, vertexes, signal };
  const found = await scan(backend, { ...request, registryAuth: async () => undefined }).catch((error: Error) => error);
  return { found, builds, shown };
}

function tarOf(files: Readonly<Record<string, string>>): Readable {
  const pieces: Buffer[] = [];
  const writer = new TarWriter((piece) => pieces.push(Buffer.from(piece)));
  for (const [path, content] of Object.entries(files)) {
    const header = { type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 } as const;
    writer.begin({ ...header, path, size: content.length });
    writer.data(Buffer.from(content));
  }
  writer.end();
  return Readable.from(pieces, { objectMode: false });
}

test('the scanner runs on the result; what it says of the result itself comes first', async () => {
  const { found, builds, shown } = await scanned({
    'extra.spdx.json': statement('extra'),
    'sbom.spdx.json': statement('core'),
  });
  assert.ok(!(found instanceof Error));
  assert.deepEqual(
    found.map(({ platform, predicateType, predicate }) => [platform, predicateType, predicate]),
    [
      ['linux/arm64', SPDX, { name: 'core' }],
      ['linux/arm64', SPDX, { name: 'extra' }],
    ],
  );
  assert.equal(builds[0], 'scanner=s: FROM scanner');
  assert.match(builds[1] ?? '', /^scanner=image 1 scanned=result: FROM scanner AS run\nUSER 0\n/);
  assert.match(builds[1] ?? '', /\nWORKDIR "\/w"\nRUN --mount=type=bind,from=scanned,.* \["\/scan"\]\nFROM scratch\n/);
  assert.deepEqual(shown, ['[linux/arm64] generating sbom using s ', '[linux/arm64] generating sbom using s ']);
});

const faults: readonly [files: Readonly<Record<string, string>>, argv: readonly string[], message: RegExp][] = [
  [{}, [], /^scanner s does not have cmd$/],
  [{ 'sbom.spdx.json': '{' }, ['a'], /^the scanner wrote sbom.spdx.json, which is not JSON$/],
  [{ 'sbom.spdx.json': 'null' }, ['a'], /which is no statement of type https:\/\/spdx.dev\/Document$/],
  [{ 'a.json': '{"predicateType":"https://slsa.dev/provenance/v0.2"}' }, ['a'], /which is no statement of type/],
];
for (const [files, argv, message] of faults)
  test(`refused: ${message.source}`, async () => {
    const { found } = await scanned(files, argv);
    assert.ok(found instanceof Error);
    assert.match(found.message, message);
  });
