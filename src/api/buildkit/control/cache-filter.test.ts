import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CacheRecord } from '../../../wire/disk-usage.ts';
import { cacheTest } from './cache-filter.ts';

const plain: CacheRecord = {
  ID: 'abcdef',
  Type: 'regular',
  Description: 'RUN make',
  InUse: false,
  Shared: true,
  Size: 1,
  CreatedAt: '',
  LastUsedAt: null,
  UsageCount: 1,
};
const mount: CacheRecord = {
  ...plain,
  ID: '123456',
  Type: 'exec.cachemount',
  Description: 'cache, mount',
  Shared: false,
};

const rows: readonly [filters: string[], ids: string][] = [
  [[], 'abcdef 123456'],
  [[''], 'abcdef 123456'],
  [['type==regular'], 'abcdef'],
  [['type!=regular'], '123456'],
  [['id~=bcd'], 'abcdef'],
  [['id~=^1'], '123456'],
  [['shared'], 'abcdef'],
  [['private'], '123456'],
  [['shared==false'], '123456'],
  [['mutable'], '123456'],
  [['immutable,type==regular'], 'abcdef'],
  [['shared,type==exec.cachemount'], ''],
  [['id==abcdef', 'id==123456'], 'abcdef 123456'],
  [['description=="cache, mount"'], '123456'],
  [['description=="cache, mount",mutable'], '123456'],
];
for (const [filters, ids] of rows) {
  test(`cache filters: ${JSON.stringify(filters)}`, () => {
    const test = cacheTest(filters);
    assert.equal(
      [plain, mount]
        .filter((record) => test(record))
        .map(({ ID }) => ID)
        .join(' '),
      ids,
    );
  });
}

for (const filter of ['==x', 'type=regular', 'type==a,,', 'bogus==1', 'id~=(a+)+$', 'x'.repeat(5000), 'constructor']) {
  test(`cache filters: ${filter.slice(0, 20)} is refused`, () => {
    assert.throws(() => cacheTest([filter]), { kind: 'invalid' });
  });
}
