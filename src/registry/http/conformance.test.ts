/** Requests and the answers that the OCI distribution specification 1.1 expects, in the order of its four workflows. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { openTestRegistry, type TestAnswer, type TestRegistry } from '../test-registry.ts';

let registry: TestRegistry;

before(async () => {
  registry = await openTestRegistry();
});

after(async () => {
  await registry[Symbol.asyncDispose]();
});

const sha256 = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
const sha512 = (content: string) => `sha512:${createHash('sha512').update(content).digest('hex')}`;

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const config = '{"os":"linux"}';
const layer = 'x'.repeat(100_000);
const large = 'abcdefgh'.repeat(300_000);
const absent = sha256('nobody pushed this');

const descriptor = (content: string, mediaType = 'application/vnd.oci.image.layer.v1.tar') => ({
  mediaType,
  digest: sha256(content),
  size: content.length,
});
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: MANIFEST,
  config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
  layers: [descriptor(layer)],
});
const docker = JSON.stringify({
  schemaVersion: 2,
  mediaType: DOCKER,
  config: descriptor(config, 'application/vnd.docker.container.image.v1+json'),
  layers: [descriptor(layer, 'application/vnd.docker.image.rootfs.diff.tar.gzip')],
});
const foreign = JSON.stringify({
  schemaVersion: 2,
  mediaType: DOCKER,
  config: descriptor(config),
  layers: [
    { ...descriptor('elsewhere', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'), urls: ['https://x/y'] },
  ],
});
const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [descriptor(manifest, MANIFEST)] });
const list = JSON.stringify({ schemaVersion: 2, mediaType: DOCKER_LIST, manifests: [descriptor(docker, DOCKER)] });
const referrer = (artifactType: string | undefined, configType: string, note: string) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    ...(artifactType && { artifactType }),
    config: descriptor(config, configType),
    layers: [],
    subject: descriptor(manifest, MANIFEST),
    annotations: { note },
  });
const signature = referrer('application/x.signature', 'application/vnd.oci.empty.v1+json', 'signed');
const report = referrer(undefined, 'application/x.report', 'looked at');
const indexReferrer = JSON.stringify({
  schemaVersion: 2,
  mediaType: INDEX,
  artifactType: 'application/x.signature',
  manifests: [],
  subject: descriptor('of nothing here'),
});

const nested = JSON.stringify({
  schemaVersion: 2,
  mediaType: INDEX,
  manifests: [
    descriptor(index, INDEX),
    { ...descriptor(manifest, MANIFEST), platform: { os: 'linux', architecture: 'arm64' } },
  ],
});
/** With fields that nobody knows, bytes in a descriptor, and spaces that a registry that writes manifests anew would lose. */
const odd = JSON.stringify(
  {
    schemaVersion: 2,
    mediaType: MANIFEST,
    'org.example.own': { of: ['nobody'] },
    artifactType: 'application/x.odd',
    config: {
      ...descriptor(config, 'application/vnd.oci.empty.v1+json'),
      data: Buffer.from(config).toString('base64'),
    },
    layers: [],
  },
  null,
  3,
);
const tenTags = Array.from({ length: 10 }, (_, number) => `ten-${number}`);

interface Row {
  readonly name: string;
  /** `METHOD path`; `$` is the Location of the answer before. */
  readonly ask: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly chunked?: true;
  readonly status: number;
  /** Headers that the answer has. */
  readonly has?: Readonly<Record<string, string | RegExp>>;
  /** Headers that it has not. */
  readonly lacks?: readonly string[];
  /** Code of the only error. */
  readonly code?: string;
  readonly text?: string;
  readonly json?: unknown;
}

const api = { 'docker-distribution-api-version': 'registry/2.0' };
const typed = (type: string) => ({ 'content-type': type });
const bytes = { 'content-type': 'application/octet-stream' };
const begin = (name: string): Row => ({
  name: `${name}: begins`,
  ask: 'POST /v2/team/app/blobs/uploads/',
  status: 202,
  has: { location: /^\/v2\/team\/app\/blobs\/uploads\/[\w-]+$/, range: '0-0', 'content-length': '0' },
});
const put = (name: string, body: string, type: string, reference: string, extra: Partial<Row> = {}): Row => ({
  name,
  ask: `PUT /v2/team/app/manifests/${reference}`,
  headers: typed(type),
  body,
  status: 201,
  has: { location: `/v2/team/app/manifests/${sha256(body)}`, 'docker-content-digest': sha256(body) },
  ...extra,
});
const refused = (name: string, ask: string, status: number, code: string, extra: Partial<Row> = {}): Row => ({
  name,
  ask,
  status,
  code,
  ...extra,
});
const badManifest = (name: string, body: string, type: string = MANIFEST): Row =>
  refused(`manifest ${name}`, 'PUT /v2/team/app/manifests/bad', 400, 'MANIFEST_INVALID', {
    headers: typed(type),
    body,
  });

const ROWS: readonly Row[] = [
  // The base
  { name: 'the base', ask: 'GET /v2/', status: 200, has: api, json: {} },
  { name: 'the base without its slash', ask: 'HEAD /v2', status: 200, has: api },
  refused('another method on the base', 'DELETE /v2/', 405, 'UNSUPPORTED', { has: { allow: 'GET, HEAD' } }),
  refused('a place that is none', 'GET /v2/team/app/nothing', 404, 'UNSUPPORTED'),
  refused('outside of the API', 'GET /', 404, 'UNSUPPORTED'),

  // Push: blobs
  begin('whole, POST then PUT'),
  { name: 'whole: status', ask: 'GET $', status: 204, has: { range: '0-0' } },
  {
    name: 'whole: PUT',
    ask: `PUT $?digest=${sha256(config)}`,
    headers: bytes,
    body: config,
    status: 201,
    has: { location: `/v2/team/app/blobs/${sha256(config)}`, 'docker-content-digest': sha256(config) },
  },
  {
    name: 'whole in one POST',
    ask: `POST /v2/team/app/blobs/uploads/?digest=${sha256(layer)}`,
    headers: bytes,
    body: layer,
    status: 201,
    has: { location: `/v2/team/app/blobs/${sha256(layer)}` },
  },
  { name: 'the same again', ask: `POST /v2/team/app/blobs/uploads/?digest=${sha256(layer)}`, body: layer, status: 201 },
  {
    name: 'sha512 in one POST',
    ask: `POST /v2/team/app/blobs/uploads/?digest=${sha512('five')}`,
    body: 'five',
    status: 201,
    has: { 'docker-content-digest': sha512('five') },
  },
  { name: 'sha512 is there', ask: `GET /v2/team/app/blobs/${sha512('five')}`, status: 200, text: 'five' },
  { name: 'sha512: begins', ask: 'POST /v2/team/app/blobs/uploads/?digest-algorithm=sha512', status: 202 },
  { name: 'sha512: PATCH', ask: 'PATCH $', headers: bytes, body: 'six', chunked: true, status: 202 },
  { name: 'sha512: PUT', ask: `PUT $?digest=${sha512('six')}`, status: 201 },
  begin('sha512 that was not announced'),
  { name: 'sha512 late: PATCH', ask: 'PATCH $', body: 'seven', chunked: true, status: 202 },
  { name: 'sha512 late: PUT', ask: `PUT $?digest=${sha512('seven')}`, status: 201 },
  { name: 'nothing at all', ask: `POST /v2/team/app/blobs/uploads/?digest=${sha256('')}`, status: 201 },
  {
    name: 'nothing is there',
    ask: `GET /v2/team/app/blobs/${sha256('')}`,
    status: 200,
    has: { 'content-length': '0' },
    text: '',
  },
  begin('streamed'),
  {
    name: 'streamed: PATCH',
    ask: 'PATCH $',
    headers: bytes,
    body: large,
    chunked: true,
    status: 202,
    has: { range: `0-${large.length - 1}` },
  },
  { name: 'streamed: status', ask: 'GET $', status: 204, has: { range: `0-${large.length - 1}`, location: /uploads/ } },
  { name: 'streamed: PUT', ask: `PUT $?digest=${sha256(large)}`, status: 201 },
  { name: 'streamed: is there', ask: `GET /v2/team/app/blobs/${sha256(large)}`, status: 200, text: large },
  begin('in chunks'),
  {
    name: 'chunk 1',
    ask: 'PATCH $',
    headers: { ...bytes, 'content-range': '0-2' },
    body: 'abc',
    status: 202,
    has: { range: '0-2' },
  },
  refused('a chunk too far', 'PATCH $', 416, 'RANGE_INVALID', {
    headers: { 'content-range': '6-8' },
    body: 'ghi',
    has: { range: '0-2', location: /uploads/ },
  }),
  refused('a chunk again', 'PATCH $', 416, 'RANGE_INVALID', {
    headers: { 'content-range': '0-2' },
    body: 'abc',
    has: { range: '0-2' },
  }),
  refused('a chunk of another size', 'PATCH $', 400, 'SIZE_INVALID', {
    headers: { 'content-range': '3-9' },
    body: 'def',
  }),
  { name: 'where it is', ask: 'POST /v2/team/app/blobs/uploads/', status: 202 },
  refused('a range that is none', 'PATCH $', 400, 'BLOB_UPLOAD_INVALID', {
    headers: { 'content-range': 'a lot' },
    body: 'abc',
  }),
  begin('in chunks, the last with the PUT'),
  { name: 'chunk 1 of 2', ask: 'PATCH $', headers: { 'content-range': '0-2' }, body: 'abc', status: 202 },
  refused('the last chunk too far', `PUT $?digest=${sha256('abcdef')}`, 416, 'RANGE_INVALID', {
    headers: { 'content-range': '4-6' },
    body: 'def',
    has: { location: /uploads/ },
  }),
  {
    name: 'the last chunk',
    ask: `PUT $?digest=${sha256('abcdef')}`,
    headers: { 'content-range': '3-5' },
    body: 'def',
    status: 201,
  },
  { name: 'the chunks are one', ask: `GET /v2/team/app/blobs/${sha256('abcdef')}`, status: 200, text: 'abcdef' },
  begin('cancelled'),
  { name: 'cancelled: some bytes', ask: 'PATCH $', body: 'abc', chunked: true, status: 202 },
  { name: 'cancelled: DELETE', ask: 'DELETE $', status: 204 },
  refused(
    'cancelled: gone',
    'GET /v2/team/app/blobs/uploads/0b5cf1ac-0000-4000-8000-000000000000',
    404,
    'BLOB_UPLOAD_UNKNOWN',
  ),
  refused('PATCH of no upload', 'PATCH /v2/team/app/blobs/uploads/none', 404, 'BLOB_UPLOAD_UNKNOWN', { body: 'abc' }),
  refused('PUT of no upload', `PUT /v2/team/app/blobs/uploads/none?digest=${sha256('')}`, 404, 'BLOB_UPLOAD_UNKNOWN'),
  refused('DELETE of no upload', 'DELETE /v2/team/app/blobs/uploads/none', 404, 'BLOB_UPLOAD_UNKNOWN'),
  begin('a wrong digest'),
  refused('PUT without a digest', 'PUT $', 400, 'DIGEST_INVALID', { body: 'abc', has: { connection: /./ } }),
  begin('a wrong digest'),
  refused('PUT with a wrong digest', `PUT $?digest=${absent}`, 400, 'DIGEST_INVALID', { body: 'abc' }),
  refused('nothing came of it', `HEAD /v2/team/app/blobs/${absent}`, 404, ''),
  refused('one POST with a wrong digest', `POST /v2/team/app/blobs/uploads/?digest=${absent}`, 400, 'DIGEST_INVALID', {
    body: 'abc',
  }),
  refused('a digest that is none', 'POST /v2/team/app/blobs/uploads/?digest=sha256:abc', 400, 'DIGEST_INVALID', {
    body: 'abc',
  }),
  refused('an algorithm that is none', 'POST /v2/team/app/blobs/uploads/?digest-algorithm=md5', 400, 'DIGEST_INVALID'),

  // Push: mounts
  {
    name: 'mount',
    ask: `POST /v2/team/other/blobs/uploads/?mount=${sha256(layer)}&from=team/app`,
    status: 201,
    has: { location: `/v2/team/other/blobs/${sha256(layer)}`, 'docker-content-digest': sha256(layer) },
  },
  { name: 'what was mounted', ask: `GET /v2/team/other/blobs/${sha256(layer)}`, status: 200, text: layer },
  { name: 'mount from anywhere', ask: `POST /v2/team/third/blobs/uploads/?mount=${sha256(layer)}`, status: 201 },
  {
    name: 'mount of nothing is an upload',
    ask: `POST /v2/team/other/blobs/uploads/?mount=${absent}&from=team/app`,
    status: 202,
    has: { location: /uploads/ },
  },
  {
    name: 'mount from nowhere is an upload',
    ask: `POST /v2/team/other/blobs/uploads/?mount=${sha256(layer)}&from=no/where`,
    status: 202,
  },
  refused('mount of no digest', 'POST /v2/team/other/blobs/uploads/?mount=abc&from=team/app', 400, 'DIGEST_INVALID'),
  refused(
    'mount from no name',
    `POST /v2/team/other/blobs/uploads/?mount=${sha256(layer)}&from=../etc`,
    400,
    'NAME_INVALID',
  ),
  refused(
    'a blob of another repository is not here',
    `GET /v2/team/other/blobs/${sha256(config)}`,
    404,
    'BLOB_UNKNOWN',
  ),

  // Push: manifests
  put('a manifest under a tag', manifest, MANIFEST, 'v1'),
  put('the same under its digest', manifest, MANIFEST, sha256(manifest)),
  put('under its digest with tags', manifest, MANIFEST, `${sha256(manifest)}?tag=v1.0&tag=v1.0.0`, {
    has: { 'oci-tag': 'v1.0, v1.0.0' },
  }),
  put('without a mediaType', manifest.replace(`"mediaType":"${MANIFEST}",`, ''), MANIFEST, 'untyped'),
  put('with parameters in its type', manifest, `${MANIFEST}; charset=utf-8`, 'v1'),
  put('of Docker', docker, DOCKER, 'docker'),
  put('with a layer that is elsewhere', foreign, DOCKER, 'foreign'),
  put('an index', index, INDEX, 'index'),
  put('a list of Docker', list, DOCKER_LIST, 'list'),
  put('under a digest of sha512', manifest, MANIFEST, sha512(manifest), {
    has: { location: `/v2/team/app/manifests/${sha512(manifest)}`, 'docker-content-digest': sha512(manifest) },
  }),
  put('an index of an index', nested, INDEX, 'nested'),
  put('with fields that nobody knows, and no layers', odd, MANIFEST, 'odd'),
  put('with ten tags', odd, MANIFEST, `${sha256(odd)}?${tenTags.map((tag) => `tag=${tag}`).join('&')}`, {
    has: { 'oci-tag': tenTags.join(', ') },
  }),
  put('under a digest of sha512 with a tag', odd, MANIFEST, `${sha512(odd)}?tag=long`, {
    has: { 'oci-tag': 'long', location: `/v2/team/app/manifests/${sha512(odd)}`, 'docker-content-digest': sha512(odd) },
  }),
  refused(
    'a digest and a tag of other content',
    `PUT /v2/team/app/manifests/${absent}?tag=never`,
    400,
    'DIGEST_INVALID',
    {
      headers: typed(MANIFEST),
      body: odd,
    },
  ),
  refused('that tag', 'HEAD /v2/team/app/manifests/never', 404, ''),
  put('with a subject', signature, MANIFEST, sha256(signature), { has: { 'oci-subject': sha256(manifest) } }),
  put('another with the same subject', report, MANIFEST, 'report', { has: { 'oci-subject': sha256(manifest) } }),
  put('a subject that is not there', indexReferrer, INDEX, sha256(indexReferrer), {
    has: { 'oci-subject': sha256('of nothing here') },
  }),
  put(
    'the withdrawn artifact manifest',
    `{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","artifactType":"a/b"}`,
    'application/vnd.oci.artifact.manifest.v1+json',
    'artifact',
    { has: { warning: /^299 - ".*withdrawn.*"$/ } },
  ),
  refused('a digest that is not the one', `PUT /v2/team/app/manifests/${absent}`, 400, 'DIGEST_INVALID', {
    headers: typed(MANIFEST),
    body: manifest,
  }),
  refused('a tag that is none', 'PUT /v2/team/app/manifests/.dot', 400, 'TAG_INVALID', {
    headers: typed(MANIFEST),
    body: manifest,
  }),
  refused(
    'one of more tags that is none',
    `PUT /v2/team/app/manifests/${sha256(manifest)}?tag=a&tag=-b`,
    400,
    'TAG_INVALID',
    { headers: typed(MANIFEST), body: manifest },
  ),
  refused('a blob that is not there', 'PUT /v2/team/app/manifests/bad', 404, 'MANIFEST_BLOB_UNKNOWN', {
    headers: typed(MANIFEST),
    body: manifest.replace(sha256(layer), absent),
  }),
  refused('a blob that only another repository has', 'PUT /v2/team/other/manifests/bad', 404, 'MANIFEST_BLOB_UNKNOWN', {
    headers: typed(MANIFEST),
    body: manifest,
  }),
  refused('an index of what is not there', 'PUT /v2/team/app/manifests/bad', 404, 'MANIFEST_BLOB_UNKNOWN', {
    headers: typed(INDEX),
    body: index.replace(sha256(manifest), absent),
  }),
  refused('over the limit', 'PUT /v2/team/app/manifests/bad', 413, 'MANIFEST_INVALID', {
    headers: typed(MANIFEST),
    body: ' '.repeat((4 << 20) + 1),
  }),
  refused('over the limit, of no told length', 'PUT /v2/team/app/manifests/bad', 413, 'MANIFEST_INVALID', {
    headers: typed(MANIFEST),
    body: ' '.repeat((4 << 20) + 1),
    chunked: true,
  }),
  badManifest('that is no JSON', '{'),
  badManifest('that is not UTF-8', `{"a":"\u00ff"}`.replace('\u00ff', '\ud800')),
  badManifest('that is a list', '[]'),
  badManifest('of nothing', ''),
  badManifest('of schema 1', '{"schemaVersion":1}', 'application/vnd.docker.distribution.manifest.v1+prettyjws'),
  badManifest('of an unknown type', '{"schemaVersion":2}', 'application/json'),
  badManifest('that calls itself otherwise', manifest, DOCKER),
  badManifest('without layers', manifest.replace('"layers"', '"lairs"')),
  badManifest('without a config', manifest.replace('"config"', '"conf"')),
  badManifest('with both meanings', index.replace('{', '{"layers":[],'), INDEX),
  badManifest('with a wrong size', manifest.replace(String(layer.length), '99')),
  badManifest('with a digest that is none', manifest.replace(sha256(layer), 'sha256:abc')),
  refused('that no tag came of it', 'GET /v2/team/app/manifests/bad', 404, 'MANIFEST_UNKNOWN'),

  // Pull
  {
    name: 'a manifest by tag',
    ask: 'GET /v2/team/app/manifests/v1',
    status: 200,
    has: {
      'content-type': MANIFEST,
      'docker-content-digest': sha256(manifest),
      'content-length': String(manifest.length),
    },
    text: manifest,
  },
  {
    name: 'its head',
    ask: 'HEAD /v2/team/app/manifests/v1',
    status: 200,
    has: {
      'content-type': MANIFEST,
      'docker-content-digest': sha256(manifest),
      'content-length': String(manifest.length),
    },
    text: '',
  },
  { name: 'by digest', ask: `GET /v2/team/app/manifests/${sha256(manifest)}`, status: 200, text: manifest },
  {
    name: 'by a digest that is encoded',
    ask: `GET /v2/team/app/manifests/${encodeURIComponent(sha256(manifest))}`,
    status: 200,
    text: manifest,
  },
  { name: 'byte for byte', ask: 'GET /v2/team/app/manifests/odd', status: 200, text: odd },
  { name: 'by the last of ten tags', ask: 'GET /v2/team/app/manifests/ten-9', status: 200, text: odd },
  {
    name: 'by the tag of a sha512',
    ask: 'GET /v2/team/app/manifests/long',
    status: 200,
    has: { 'docker-content-digest': sha512(odd) },
    text: odd,
  },
  {
    name: 'an index of an index',
    ask: 'GET /v2/team/app/manifests/nested',
    status: 200,
    has: typed(INDEX),
    text: nested,
  },
  { name: 'by sha512', ask: `GET /v2/team/app/manifests/${sha512(manifest)}`, status: 200, text: manifest },
  { name: 'by a further tag', ask: 'GET /v2/team/app/manifests/v1.0.0', status: 200, text: manifest },
  {
    name: 'one that is known',
    ask: 'GET /v2/team/app/manifests/v1',
    headers: { 'if-none-match': `"${sha256(manifest)}"` },
    status: 304,
    text: '',
  },
  { name: 'Docker keeps its type', ask: 'GET /v2/team/app/manifests/docker', status: 200, has: typed(DOCKER) },
  refused('a tag that nobody pushed', 'GET /v2/team/app/manifests/none', 404, 'MANIFEST_UNKNOWN'),
  refused('a digest that nobody pushed', `GET /v2/team/app/manifests/${absent}`, 404, 'MANIFEST_UNKNOWN'),
  refused('its head', `HEAD /v2/team/app/manifests/${absent}`, 404, ''),
  refused('of a repository that nobody made', 'GET /v2/no/where/manifests/v1', 404, 'MANIFEST_UNKNOWN'),
  refused('of no digest', 'GET /v2/team/app/manifests/sha256:abc', 400, 'DIGEST_INVALID'),
  {
    name: 'a blob',
    ask: `GET /v2/team/app/blobs/${sha256(layer)}`,
    status: 200,
    has: { 'content-length': '100000', 'docker-content-digest': sha256(layer), 'accept-ranges': 'bytes' },
    text: layer,
  },
  {
    name: 'its head',
    ask: `HEAD /v2/team/app/blobs/${sha256(layer)}`,
    status: 200,
    has: { 'content-length': '100000', 'docker-content-digest': sha256(layer) },
    text: '',
  },
  {
    name: 'a blob that is known',
    ask: `GET /v2/team/app/blobs/${sha256(layer)}`,
    headers: { 'if-none-match': `"${sha256(layer)}"` },
    status: 304,
  },
  {
    name: 'a range',
    ask: `GET /v2/team/app/blobs/${sha256('abcdef')}`,
    headers: { range: 'bytes=1-3' },
    status: 206,
    has: { 'content-range': 'bytes 1-3/6', 'content-length': '3' },
    text: 'bcd',
  },
  {
    name: 'a range with no end',
    ask: `GET /v2/team/app/blobs/${sha256('abcdef')}`,
    headers: { range: 'bytes=4-' },
    status: 206,
    has: { 'content-range': 'bytes 4-5/6' },
    text: 'ef',
  },
  {
    name: 'the last bytes',
    ask: `GET /v2/team/app/blobs/${sha256('abcdef')}`,
    headers: { range: 'bytes=-2' },
    status: 206,
    has: { 'content-range': 'bytes 4-5/6' },
    text: 'ef',
  },
  {
    name: 'a range over the end',
    ask: `GET /v2/team/app/blobs/${sha256('abcdef')}`,
    headers: { range: 'bytes=4-100' },
    status: 206,
    has: { 'content-range': 'bytes 4-5/6' },
    text: 'ef',
  },
  refused('a range outside', `GET /v2/team/app/blobs/${sha256('abcdef')}`, 416, 'RANGE_INVALID', {
    headers: { range: 'bytes=6-' },
    has: { 'content-range': 'bytes */6' },
  }),
  {
    name: 'a range that is none',
    ask: `GET /v2/team/app/blobs/${sha256('abcdef')}`,
    headers: { range: 'lines=1' },
    status: 200,
    text: 'abcdef',
  },
  {
    name: 'a range of something else',
    ask: `GET /v2/team/app/blobs/${sha256('abcdef')}`,
    headers: { range: 'bytes=1-3', 'if-range': '"other"' },
    status: 200,
    text: 'abcdef',
  },
  {
    name: 'a range of a large one',
    ask: `GET /v2/team/app/blobs/${sha256(large)}`,
    headers: { range: 'bytes=8-1600007' },
    status: 206,
    text: large.slice(8, 1_600_008),
  },
  refused('a blob that nobody pushed', `GET /v2/team/app/blobs/${absent}`, 404, 'BLOB_UNKNOWN'),
  refused('its head', `HEAD /v2/team/app/blobs/${absent}`, 404, ''),
  refused('a blob of no digest', 'GET /v2/team/app/blobs/abc', 400, 'DIGEST_INVALID'),
  refused('a method of no blob', `PUT /v2/team/app/blobs/${absent}`, 405, 'UNSUPPORTED', {
    has: { allow: 'GET, HEAD, DELETE' },
  }),

  // Discovery
  {
    name: 'tags',
    ask: 'GET /v2/team/app/tags/list',
    status: 200,
    lacks: ['link'],
    json: {
      name: 'team/app',
      tags: [
        ...['artifact', 'docker', 'foreign', 'index', 'list', 'long', 'nested', 'odd', 'report'],
        ...[...tenTags, 'untyped', 'v1', 'v1.0', 'v1.0.0'],
      ],
    },
  },
  {
    name: 'some tags',
    ask: 'GET /v2/team/app/tags/list?n=2',
    status: 200,
    has: { link: '</v2/team/app/tags/list?last=docker&n=2>; rel="next"' },
    json: { name: 'team/app', tags: ['artifact', 'docker'] },
  },
  {
    name: 'tags after one',
    ask: 'GET /v2/team/app/tags/list?last=untyped',
    status: 200,
    json: { name: 'team/app', tags: ['v1', 'v1.0', 'v1.0.0'] },
  },
  {
    name: 'some tags after one',
    ask: 'GET /v2/team/app/tags/list?n=2&last=untyped',
    status: 200,
    has: { link: /last=v1\.0&n=2/ },
    json: { name: 'team/app', tags: ['v1', 'v1.0'] },
  },
  {
    name: 'the last tags',
    ask: 'GET /v2/team/app/tags/list?n=3&last=untyped',
    status: 200,
    lacks: ['link'],
    json: { name: 'team/app', tags: ['v1', 'v1.0', 'v1.0.0'] },
  },
  {
    name: 'no tags',
    ask: 'GET /v2/team/app/tags/list?n=0',
    status: 200,
    lacks: ['link'],
    json: { name: 'team/app', tags: [] },
  },
  refused('tags by no number', 'GET /v2/team/app/tags/list?n=many', 400, 'PAGINATION_NUMBER_INVALID'),
  refused('tags by less than none', 'GET /v2/team/app/tags/list?n=-1', 400, 'PAGINATION_NUMBER_INVALID'),
  refused('tags of nothing', 'GET /v2/no/where/tags/list', 404, 'NAME_UNKNOWN'),
  { name: 'repositories', ask: 'GET /v2/_catalog', status: 200, json: { repositories: ['team/app'] } },
  {
    name: 'repositories after the last',
    ask: 'GET /v2/_catalog?n=5&last=team/app',
    status: 200,
    lacks: ['link'],
    json: { repositories: [] },
  },
  {
    name: 'a search',
    ask: 'GET /v1/search?q=Team&n=25',
    status: 200,
    json: {
      num_results: 1,
      query: 'team',
      results: [{ name: 'team/app', description: '', star_count: 0, is_official: false, is_automated: false }],
    },
  },
  {
    name: 'a search for nothing that is there',
    ask: 'GET /v1/search?q=x_y',
    status: 200,
    json: { num_results: 0, query: 'x_y', results: [] },
  },
  refused('repositories by no number', 'GET /v2/_catalog?n=x', 400, 'PAGINATION_NUMBER_INVALID'),
  refused('a reference that is no digest', 'GET /v2/team/app/referrers/v1', 400, 'DIGEST_INVALID'),
  {
    name: 'referrers of nothing',
    ask: `GET /v2/team/app/referrers/${absent}`,
    status: 200,
    has: { 'content-type': INDEX },
    lacks: ['oci-filters-applied'],
    json: { schemaVersion: 2, mediaType: INDEX, manifests: [] },
  },
  {
    name: 'referrers in no repository',
    ask: `GET /v2/no/where/referrers/${absent}`,
    status: 200,
    json: { schemaVersion: 2, mediaType: INDEX, manifests: [] },
  },
  {
    name: 'referrers of one type',
    ask: `GET /v2/team/app/referrers/${sha256(manifest)}?artifactType=application/x.signature`,
    status: 200,
    has: { 'oci-filters-applied': 'artifactType', 'content-type': INDEX },
    json: {
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [
        {
          ...descriptor(signature, MANIFEST),
          artifactType: 'application/x.signature',
          annotations: { note: 'signed' },
        },
      ],
    },
  },
  {
    name: 'the config tells the type where nothing else does',
    ask: `GET /v2/team/app/referrers/${sha256(manifest)}?artifactType=application/x.report`,
    status: 200,
    json: {
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [
        { ...descriptor(report, MANIFEST), artifactType: 'application/x.report', annotations: { note: 'looked at' } },
      ],
    },
  },
  {
    name: 'an index refers too',
    ask: `GET /v2/team/app/referrers/${sha256('of nothing here')}`,
    status: 200,
    json: {
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [{ ...descriptor(indexReferrer, INDEX), artifactType: 'application/x.signature' }],
    },
  },
  {
    name: 'some referrers',
    ask: `GET /v2/team/app/referrers/${sha256(manifest)}?n=1`,
    status: 200,
    has: { link: /\/referrers\/sha256:[0-9a-f]+\?last=sha256%3A[0-9a-f]+&n=1>; rel="next"$/ },
  },

  // Management
  { name: 'a tag goes', ask: 'DELETE /v2/team/app/manifests/v1.0', status: 202 },
  refused('a tag is gone', 'GET /v2/team/app/manifests/v1.0', 404, 'MANIFEST_UNKNOWN'),
  refused('a tag goes once', 'DELETE /v2/team/app/manifests/v1.0', 404, 'MANIFEST_UNKNOWN'),
  { name: 'its manifest stays', ask: 'GET /v2/team/app/manifests/v1', status: 200 },
  refused('a blob that a manifest names stays', `DELETE /v2/team/app/blobs/${sha256(config)}`, 405, 'UNSUPPORTED'),
  { name: 'a blob that none names goes', ask: `DELETE /v2/team/app/blobs/${sha256('abcdef')}`, status: 202 },
  refused('it is gone', `HEAD /v2/team/app/blobs/${sha256('abcdef')}`, 404, ''),
  refused('a blob goes once', `DELETE /v2/team/app/blobs/${sha256('abcdef')}`, 404, 'BLOB_UNKNOWN'),
  { name: 'a manifest goes', ask: `DELETE /v2/team/app/manifests/${sha256(manifest)}`, status: 202 },
  refused('with its tags', 'GET /v2/team/app/manifests/v1', 404, 'MANIFEST_UNKNOWN'),
  refused('all of them', 'GET /v2/team/app/manifests/v1.0.0', 404, 'MANIFEST_UNKNOWN'),
  refused('a manifest goes once', `DELETE /v2/team/app/manifests/${sha256(manifest)}`, 404, 'MANIFEST_UNKNOWN'),
  { name: 'its referrers stay', ask: `GET /v2/team/app/manifests/report`, status: 200 },
  {
    name: 'fewer tags',
    ask: 'GET /v2/team/app/tags/list?last=ten-8',
    status: 200,
    json: { name: 'team/app', tags: ['ten-9', 'untyped'] },
  },

  refused('a repository that is not there', 'DELETE /v2/no/where/', 404, 'NAME_UNKNOWN'),
  refused('a repository is only deleted so', 'GET /v2/team/app/', 405, 'UNSUPPORTED', { has: { allow: 'DELETE' } }),
  { name: 'a repository goes', ask: 'DELETE /v2/team/app/', status: 202 },
  { name: 'with everything', ask: 'GET /v2/_catalog', status: 200, json: { repositories: [] } },
  refused('tagged', 'GET /v2/team/app/manifests/index', 404, 'MANIFEST_UNKNOWN'),
  refused('or not', `GET /v2/team/app/manifests/${sha256(signature)}`, 404, 'MANIFEST_UNKNOWN'),

  // Names
  ...['A/b', '../etc', 'a//b', 'a/../b', '-a', 'a_-b', `${'a/'.repeat(128)}a`, 'a%2f..%2fb', 'a%00b'].map((name) =>
    refused(`name ${name.slice(0, 20)}`, `GET /v2/${name}/tags/list`, 400, 'NAME_INVALID'),
  ),
  ...['blobs', 'a/manifests', 'a/blobs/uploads', 'tags/list', 'a__b/c--d.e'].map(
    (name): Row => refused(`name ${name}`, `GET /v2/${name}/manifests/x`, 404, 'MANIFEST_UNKNOWN'),
  ),
];

for (const row of ROWS)
  test(`${row.name}: ${row.ask.slice(0, 90)} ${row.status}`, async () => {
    const [method = '', path = ''] = row.ask.split(' ');
    const { headers, body, chunked } = row;
    const answer = await registry.send(method, path.replace('$', location), {
      ...(headers && { headers }),
      ...(body !== undefined && { body: row.name.includes('not UTF-8') ? Buffer.from([0x22, 0xff, 0x22]) : body }),
      ...(chunked && { chunked }),
    });
    assert.equal(answer.status, row.status, answer.body.toString());
    location = answer.headers['location'] ?? location;
    compare(row, answer);
  });

let location = '';

function compare(row: Row, { headers, body }: TestAnswer): void {
  assert.equal(headers['docker-distribution-api-version'], 'registry/2.0');
  for (const [name, value] of Object.entries(row.has ?? {})) {
    if (typeof value === 'string') assert.equal(headers[name], value, name);
    else assert.match(headers[name] ?? '', value, name);
  }
  for (const name of row.lacks ?? []) assert.equal(headers[name], undefined, name);
  if (row.text !== undefined) assert.ok(body.toString() === row.text, `another body of ${body.length} bytes`);
  if (row.json !== undefined) assert.deepEqual(JSON.parse(body.toString()), row.json);
  if (row.code === undefined) return;
  if (row.code === '') {
    assert.equal(body.length, 0);
    return;
  }
  const { errors } = JSON.parse(body.toString());
  assert.deepEqual([errors.length, errors[0].code], [1, row.code]);
  assert.ok(errors[0].message.length > 0);
}
