import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../oci/digest.ts';
import { MANIFEST_LIMIT } from '../../oci/manifest.ts';
import { type ClientContent, contentSource } from './content-source.ts';

const { signal } = new AbortController();
const bytes = Buffer.from('what the digest says');
const blob = { mediaType: 'x', digest: digestOf(bytes), size: bytes.length };

function client(read: () => AsyncIterable<Buffer>, size: number | undefined = bytes.length): ClientContent {
  return { size: async () => size, read };
}

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) yield bytes;
}

async function count(source: AsyncIterable<Buffer>): Promise<number> {
  let sum = 0;
  for await (const { length } of source) sum += length;
  return sum;
}

test('what is right passes', async () => {
  const source = contentSource(
    client(async function* () {
      yield bytes.subarray(0, 3);
      yield bytes.subarray(3);
    }),
  );
  assert.equal(await count(source.blob(blob, { signal })), bytes.length);
  assert.deepEqual(await source.readBlob(blob, 100, signal), bytes);
});

const wrong: readonly [name: string, read: () => AsyncIterable<Buffer>, message: RegExp][] = [
  [
    'something else of the same size',
    async function* () {
      yield Buffer.from(bytes).fill('x');
    },
    /the client sends something else/,
  ],
  [
    'too little',
    async function* () {
      yield bytes.subarray(1);
    },
    /sends 19 of its 20 bytes/,
  ],
  ['no end', endless, /sends more than its 20 bytes/],
  ['nothing', async function* () {}, /sends 0 of its 20 bytes/],
];
for (const [name, read, message] of wrong) {
  test(`a client that sends ${name}`, async () => {
    const source = contentSource(client(read));
    await assert.rejects(count(source.blob(blob, { signal })), { kind: 'data-loss', message });
    await assert.rejects(source.readBlob(blob, 100, signal), { kind: 'data-loss', message });
    await assert.rejects(source.manifest(blob.digest, signal), { kind: 'data-loss', message });
  });
}

test('sizes are bounded before anything is read', async () => {
  const source = contentSource(client(endless, MANIFEST_LIMIT + 1));
  await assert.rejects(source.manifest(blob.digest, signal), /over the limit/);
  await assert.rejects(source.readBlob(blob, 19, signal), /of 20 bytes is over the limit of 19/);
});

test('a manifest that the client has not got, or that is none', async () => {
  await assert.rejects(contentSource({ size: async () => undefined, read: endless }).manifest(blob.digest, signal), {
    kind: 'not-found',
    message: `the client has no manifest ${blob.digest}`,
  });
  const text = client(async function* () {
    yield bytes;
  });
  await assert.rejects(contentSource(text).manifest(blob.digest, signal), /the manifest is not JSON/);
});
