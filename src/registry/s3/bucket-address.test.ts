import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketAddress } from './bucket-address.ts';

const place = { bucket: 'blobs', prefix: '', endpoint: undefined, region: undefined, redirect: false };
const rows = [
  ['Amazon', {}, {}, 'https://blobs.s3.us-east-1.amazonaws.com/', '/'],
  ['its region', { region: 'eu-west-1', prefix: 'a/b' }, {}, 'https://blobs.s3.eu-west-1.amazonaws.com/', '/a/b/'],
  ['region of the environment', {}, { AWS_REGION: 'x-1' }, 'https://blobs.s3.x-1.amazonaws.com/', '/'],
  ['a bucket with a dot', { bucket: 'a.b' }, {}, 'https://s3.us-east-1.amazonaws.com/', '/a.b/'],
  [
    'an endpoint',
    { endpoint: 'http://h:1', prefix: 'p' },
    { AWS_ENDPOINT_URL: 'http://x' },
    'http://h:1/',
    '/blobs/p/',
  ],
  ['with a path', { endpoint: 'http://h:1/s3/' }, {}, 'http://h:1/s3/', '/s3/blobs/'],
  ['endpoint of the environment', {}, { AWS_ENDPOINT_URL_S3: 'https://h' }, 'https://h/', '/blobs/'],
] as const;

for (const [name, change, env, url, path] of rows)
  test(name, () => {
    const address = bucketAddress({ ...place, ...change }, env);
    assert.deepEqual([address.url.href, address.path], [url, path]);
  });

test('what is no URL of a store', () => {
  for (const endpoint of ['ftp://h', 'h:1', ''])
    assert.throws(() => bucketAddress({ ...place, endpoint }, {}), { code: 'S3_ENDPOINT' });
});
