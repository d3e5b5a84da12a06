import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileIgnorePattern, IgnoreMatcher, parseIgnore } from './ignore.ts';

/** A .dockerignore file, a path, and whether it is ignored. */
const ROWS: readonly (readonly [file: string, path: string, ignored: boolean])[] = [
  // plain names
  ['a', 'a', true],
  ['a', 'b', false],
  ['a', 'ab', false],
  ['a', 'x/a', false],
  ['a', 'a/b', true],
  ['a', 'a/b/c/d', true],
  ['a/b', 'a', false],
  ['a/b', 'a/b', true],
  ['a/b', 'a/b/c', true],
  ['a/b', 'a/c', false],
  ['A', 'a', false],
  // cleaning
  ['/a', 'a', true],
  ['//a', 'a', true],
  ['a/', 'a', true],
  ['a/', 'a/b', true],
  ['./a', 'a', true],
  ['a//b', 'a/b', true],
  ['a/./b', 'a/b', true],
  ['a/x/../b', 'a/b', true],
  ['/a/b/', 'a/b', true],
  ['  a  ', 'a', true],
  ['\ta\r', 'a', true],
  ['../a', 'a', false],
  ['.', 'a', false],
  ['./', 'a', false],
  ['/', 'a', false],
  ['..', 'a', false],
  // lines
  ['', 'a', false],
  ['\n\n  \n', 'a', false],
  ['#a', '#a', false],
  ['#a', 'a', false],
  [' #a', '#a', true],
  ['\\#a', '#a', true],
  ['\ufeffa', 'a', true],
  ['\ufeff#a', '#a', false],
  ['a\r\nb\r\n', 'b', true],
  ['a b', 'a b', true],
  // one star
  ['*', 'a', true],
  ['*', 'a/b', true],
  ['*', '.hidden', true],
  ['*.txt', 'a.txt', true],
  ['*.txt', '.txt', true],
  ['*.txt', 'd/a.txt', false],
  ['*.txt', 'a.txt/b', true],
  ['*/a', 'x/a', true],
  ['*/a', 'a', false],
  ['*/a', 'x/y/a', false],
  ['*/*/a', 'x/y/a', true],
  ['a*', 'abc', true],
  ['a*c', 'abbc', true],
  ['a*c', 'ab/c', false],
  ['d/*', 'd', false],
  ['d/*', 'd/a', true],
  ['d/*', 'd/a/b', true],
  // two stars
  ['**', 'a', true],
  ['**', 'a/b/c', true],
  ['**/a', 'a', true],
  ['**/a', 'x/a', true],
  ['**/a', 'x/y/a', true],
  ['**/a', 'xa', false],
  ['**/a', 'x/a/y', true],
  ['**/a/b', 'a/b', true],
  ['**/a/b', 'x/a/b', true],
  ['**/a/b', 'x/b', false],
  ['**a', 'xa', true],
  ['**a', 'x/ya', true],
  ['**/*.go', 'a.go', true],
  ['**/*.go', 'x/y/a.go', true],
  ['**/*.go', 'x/y/a.c', false],
  ['a/**', 'a', false],
  ['a/**', 'a/b', true],
  ['a/**', 'a/b/c', true],
  ['a/**', 'ab/c', false],
  ['a**', 'abc', true],
  ['a**', 'a/b', true],
  ['a/**/b', 'a/b', true],
  ['a/**/b', 'a/x/b', true],
  ['a/**/b', 'a/x/y/b', true],
  ['a/**/b', 'x/b', false],
  ['a/**/b', 'a/xb', false],
  ['a/**/*.o', 'a/x/y/z.o', true],
  ['**/x/**/y', 'a/x/b/y', true],
  ['**/x/**', 'a/x/b', true],
  ['**/x/**', 'a/x', false],
  ['**/', 'a/b', true],
  ['**/node_modules', 'a/node_modules/b/c.js', true],
  ['**/.git', '.gitignore', false],
  // question marks, classes, escapes
  ['?', 'a', true],
  ['?', 'ab', false],
  ['a?c', 'a/c', false],
  ['?', '\u00e9', true],
  ['?', '\u{1f40b}', true],
  ['[ab]', 'b', true],
  ['[ab]', 'c', false],
  ['[a-c]x', 'bx', true],
  ['[^a-c]x', 'dx', true],
  ['[^a-c]x', 'bx', false],
  ['[!a]', '!', true],
  ['a[0-9]*', 'a1b', true],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['a\\?', 'a?', true],
  ['a.b', 'axb', false],
  ['a+(b)|c$', 'a+(b)|c$', true],
  ['^a', '^a', true],
  ['{a,b}', 'a', false],
  // exceptions: the last match decides
  ['*\n!a', 'a', false],
  ['*\n!a', 'b', true],
  ['*\n!a', 'a/b', false],
  ['!a\n*', 'a', true],
  ['a\n!a\na', 'a', true],
  ['*.md\n!README.md', 'README.md', false],
  ['*.md\n!README*.md\nREADME-secret.md', 'README-secret.md', true],
  ['*.md\nREADME-secret.md\n!README*.md', 'README-secret.md', false],
  ['a\n!a/b', 'a/b', false],
  ['a\n!a/b', 'a/c', true],
  ['a\n!a/b', 'a/b/c', false],
  ['a\n!a/b\na/b/c', 'a/b/c', true],
  ['a\n!a/b/*.txt', 'a/b/c.txt', false],
  ['**\n!**/*.go', 'x/y/a.go', false],
  ['**\n!**/*.go', 'x/y/a.c', true],
  ['*\n!src/**', 'src/a/b', false],
  ['*\n! a', 'a', false],
  ['*\n!/a/', 'a', false],
  ['a/b\n!a', 'a/b', true],
  ['!a', 'b', false],
  ['node_modules\n!node_modules/keep', 'node_modules/keep/x', false],
  ['node_modules\n!**/keep', 'node_modules/x/keep', false],
  ['', '.', false],
  ['*', '.', false],
  ['*', '', false],
];

test('at least a hundred rows', () => assert.ok(ROWS.length >= 100, `${ROWS.length}`));

for (const [file, path, ignored] of ROWS) {
  test(`${JSON.stringify(file)} ${ignored ? 'ignores' : 'keeps'} ${path}`, () => {
    assert.equal(new IgnoreMatcher(parseIgnore(file)).ignores(path), ignored);
  });
}

const INVALID: readonly (readonly [file: string, line: number, reason: RegExp])[] = [
  ['!', 1, /illegal exclusion pattern: "!"/],
  ['a\n!/', 2, /illegal exclusion pattern: "!"/],
  ['\n\n[', 3, /invalid pattern "\[": syntax error in pattern/],
  ['a[', 1, /syntax error in pattern/],
  ['[]a]', 1, /syntax error in pattern/],
  ['a\\', 1, /syntax error in pattern/],
  ['[a-]', 1, /syntax error in pattern/],
];

for (const [file, line, reason] of INVALID) {
  test(`refuses ${JSON.stringify(file)}`, () =>
    assert.throws(
      () => parseIgnore(file),
      (error: { code: string; message: string; source?: { line: number } }) => {
        assert.equal(error.code, 'IGNORE_INVALID');
        assert.equal(error.source?.line, line);
        assert.match(error.message, reason);
        return true;
      },
    ));
}

const BELOW: readonly (readonly [file: string, folder: string, may: boolean])[] = [
  ['a', 'a', false],
  ['*\n!a', 'a', false],
  ['*\n!a/b/c', 'a', true],
  ['*\n!a/b/c', 'a/b', true],
  ['*\n!a/b/c', 'a/c', false],
  ['*\n!a/b/c', 'ab', false],
  ['*\n!a/**', 'a', true],
  ['*\n!a/**', 'a/b', true],
  ['*\n!a/**', 'b', false],
  ['*\n!**/x', 'b', true],
  ['*\n!a/*.c', 'a', true],
  ['*\n!a/*.c', 'b', false],
  ['*\n!*/x', 'b', true],
];

for (const [file, folder, may] of BELOW) {
  test(`${JSON.stringify(file)}: ${may ? 'enter' : 'skip'} ${folder}`, () => {
    assert.equal(new IgnoreMatcher(parseIgnore(file)).mayContainExceptions(folder), may);
  });
}

test('the answer does not depend on the order of questions', () => {
  const patterns = parseIgnore('**/b\n!a/b/c\nx/*/y\n!**/keep\n');
  const names = ['a', 'b', 'c', 'x', 'y', 'keep'];
  const paths = names.flatMap((one) =>
    names.flatMap((two) => [one, `${one}/${two}`, ...names.map((three) => `${one}/${two}/${three}`)]),
  );
  const inOrder = new IgnoreMatcher(patterns);
  const expected = new Map(paths.map((path) => [path, inOrder.ignores(path)]));
  const shuffled = new IgnoreMatcher(patterns);
  for (let step = 0; step < paths.length; step++) {
    const path = paths[(step * 101) % paths.length] ?? '';
    assert.equal(shuffled.ignores(path), expected.get(path), path);
  }
});

test('--exclude patterns compile alone', () => {
  const matcher = new IgnoreMatcher(['*.o', '!keep.o'].map(compileIgnorePattern));
  assert.deepEqual(
    ['a.o', 'keep.o', 'a.c'].map((path) => matcher.ignores(path)),
    [true, false, false],
  );
});

test('50,000 paths take little time', () => {
  const matcher = new IgnoreMatcher(
    parseIgnore('.git\n**/node_modules\n*.log\n**/*.tmp\ndocs/**/*.md\n!docs/keep/*.md\n'),
  );
  const paths: string[] = [];
  for (let folder = 0; folder < 500; folder++)
    for (let file = 0; file < 100; file++) paths.push(`src/module-${folder}/folder/file-${file}.ts`);
  let ignored = 0;
  const started = performance.now();
  for (const path of paths) if (matcher.ignores(path)) ignored++;
  const milliseconds = performance.now() - started;
  assert.equal(ignored, 0);
  // 20 ms on an idle machine; the bound leaves room for a busy one.
  assert.ok(milliseconds < 300, `${milliseconds} ms`);
});
