import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completion, elements, textOf } from './answers.ts';

const LIST = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true</IsTruncated>
<Contents><Key>a&amp;b</Key><Size>1</Size></Contents><ContentsOf>x</ContentsOf><Contents a="b">
<Key>c</Key></Contents></ListBucketResult>`;

const rows: readonly [string, () => unknown, unknown][] = [
  ['elements with and without attributes, no longer names', () => elements(LIST, 'Contents').length, 2],
  ['text of the first', () => textOf(LIST, 'Key'), 'a&b'],
  ['text in an element', () => elements(LIST, 'Contents').map((entry) => textOf(entry, 'Key')), ['a&b', 'c']],
  ['none', () => textOf(LIST, 'NextMarker'), undefined],
  ['entities', () => textOf('<a>&lt;&gt;&quot;&apos;&#65;&#x42;&none;&#x110000;</a>', 'a'), '<>"\'AB&none;'],
  ['one that does not end', () => elements('<a>1</a><a>2', 'a'), ['1']],
  ['a mark that does not end', () => elements('<a>1</a><a', 'a'), ['1']],
  ['no XML', () => elements('503 slow down', 'a'), []],
  [
    'parts in order',
    () => elements(completion(['"x"', '"y"']), 'Part'),
    ['<PartNumber>1</PartNumber><ETag>"x"</ETag>', '<PartNumber>2</PartNumber><ETag>"y"</ETag>'],
  ],
];

for (const [name, work, expected] of rows) test(name, () => assert.deepEqual(work(), expected));

test('marks without ends are read in linear time', () => {
  const start = process.cpuUsage();
  assert.deepEqual(elements('<Key>'.repeat(1_000_000), 'Key'), []);
  assert.ok(process.cpuUsage(start).user < 2e6);
});
