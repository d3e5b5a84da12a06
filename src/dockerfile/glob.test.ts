import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileGlob, hasWildcard } from './glob.ts';

/** Pattern, paths that match, paths that do not. */
const PATTERNS: readonly (readonly [pattern: string, yes: readonly string[], no: readonly string[]])[] = [
  ['', [''], ['a']],
  ['abc', ['abc'], ['ab', 'abcd', 'xabc']],
  ['*', ['', 'a', 'abc', '.hidden'], ['a/b', '/']],
  ['*.go', ['a.go', '.go'], ['a.gox', 'a/b.go']],
  ['a*', ['a', 'ab'], ['ba']],
  ['a*b*c', ['abc', 'axbxc', 'abbcc'], ['acb', 'ab/c']],
  ['a/*', ['a/b', 'a/'], ['a', 'a/b/c']],
  ['*/*', ['a/b'], ['a', 'a/b/c']],
  ['**', ['a', ''], ['a/b']],
  ['a/**/b', ['a/x/b'], ['a/b', 'a/x/y/b']],
  ['?', ['a', '\u00e9', '\u{1f40b}'], ['', 'ab', '/']],
  ['a?c', ['abc'], ['ac', 'a/c']],
  ['[abc]', ['a', 'c'], ['d', 'ab', '']],
  ['[a-c]x', ['ax', 'cx'], ['dx', '-x']],
  ['[^a-c]', ['d', '-'], ['a', 'b']],
  ['[a-cx-z]', ['b', 'y'], ['d']],
  ['[\\]]', [']'], ['\\']],
  ['[\\-x]', ['-', 'x'], ['y']],
  ['[\u{1f40a}-\u{1f40c}]', ['\u{1f40b}'], ['a']],
  ['\\*', ['*'], ['a', '\\*']],
  ['a\\[b', ['a[b'], ['ab']],
  ['a]', ['a]'], ['a']],
  ['{a,b}', ['{a,b}'], ['a']],
];

for (const [pattern, yes, no] of PATTERNS) {
  test(`pattern ${pattern}`, () => {
    const glob = compileGlob(pattern);
    assert.ok(glob);
    for (const path of yes) assert.ok(glob.matches(path), `${pattern} must match ${path}`);
    for (const path of no) assert.ok(!glob.matches(path), `${pattern} must not match ${path}`);
  });
}

for (const pattern of ['[', '[]', '[]a]', '[a', '[a-', '[a-]', '[-a]', '[^', '\\', 'a\\', '*[', '[\\']) {
  test(`wrong pattern ${pattern}`, () => assert.equal(compileGlob(pattern), undefined));
}

test('knows when there is no wildcard', () => {
  assert.deepEqual(['a/b', 'a*', 'a?', '[a]', 'a\\b', 'a]'].map(hasWildcard), [false, true, true, true, true, false]);
});

test('many stars cost no more than pattern times path squared', () => {
  const glob = compileGlob(`${'*a'.repeat(100)}*b*c`);
  const started = performance.now();
  assert.equal(glob?.matches(`${'a'.repeat(1000)}c`), false);
  assert.ok(performance.now() - started < 3_000);
});
