// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words under test hold them
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expandWord, type WordOptions } from './word.ts';

const VARIABLES: Readonly<Record<string, string>> = {
  A: 'aaxbaxb',
  FILE: 'dir/archive.tar.gz',
  EMPTY: '',
  LIST: 'one  two',
  _x1: 'under',
  DOLLAR: '$A',
  STARS: 'a*b?c',
  WHALE: '\u{1f40b}\u{1f40b}x',
  PATH: '/bin:/usr/bin',
};
const lookup = (name: string) => VARIABLES[name];

/** Word, and the text it expands to; or a message after `!`. */
const TEXTS: readonly (readonly [word: string, text: string])[] = [
  ['', ''],
  ['plain', 'plain'],
  ['$A', 'aaxbaxb'],
  ['${A}', 'aaxbaxb'],
  ['x${A}y', 'xaaxbaxby'],
  ['$A.b', 'aaxbaxb.b'],
  ['$Ab', ''],
  ['$_x1-', 'under-'],
  ['$UNSET', ''],
  ['${UNSET}', ''],
  ['a$', 'a$'],
  ['$ a', '$ a'],
  ['$.a', '$.a'],
  ['$1a', 'a'],
  ['${12}', ''],
  ['$@x', 'x'],
  ['$$A', 'A'],
  ['$DOLLAR', '$A'],
  ['two words', 'two words'],
  // quotes and escapes
  ["'$A'", '$A'],
  ['"$A"', 'aaxbaxb'],
  ['"it\'s"', "it's"],
  ['\'say "hi"\'', 'say "hi"'],
  ['"a\\"b"', 'a"b'],
  ['"a\\$A"', 'a$A'],
  ['"a\\\\b"', 'a\\b'],
  ['"a\\nb"', 'a\\nb'],
  ["'a\\nb'", 'a\\nb'],
  ['a\\ b', 'a b'],
  ['\\$A', '$A'],
  ['\\\\', '\\'],
  ['a\\', 'a'],
  ["\\'", "'"],
  ['a""b', 'ab'],
  ['""', ''],
  ['\'a\'"b"c', 'abc'],
  ['`$A`', '`aaxbaxb`'],
  // defaults and alternatives
  ['${UNSET:-d}', 'd'],
  ['${EMPTY:-d}', 'd'],
  ['${A:-d}', 'aaxbaxb'],
  ['${UNSET-d}', 'd'],
  ['${EMPTY-d}', ''],
  ['${UNSET:-}', ''],
  ['${UNSET:-two words}', 'two words'],
  ['${UNSET:-"}"}', '}'],
  ['${UNSET:-\\}}', '}'],
  ['${UNSET:-$A}', 'aaxbaxb'],
  ['${UNSET:-${ALSO:-${A}}}', 'aaxbaxb'],
  ["${UNSET:-'$A'}", '$A'],
  ['${A:+y}', 'y'],
  ['${EMPTY:+y}', ''],
  ['${UNSET:+y}', ''],
  ['${A+y}', 'y'],
  ['${EMPTY+y}', 'y'],
  ['${UNSET+y}', ''],
  ['${PATH:+$PATH:}/x', '/bin:/usr/bin:/x'],
  ['${A:?no}', 'aaxbaxb'],
  ['${EMPTY?no}', ''],
  ['${UNSET?}', '!UNSET: is not allowed to be unset'],
  ['${UNSET:?}', '!UNSET: is not allowed to be unset'],
  ['${EMPTY:?}', '!EMPTY: is not allowed to be empty'],
  ['${UNSET:?give it}', '!UNSET: give it'],
  ['${EMPTY:?$A}', '!EMPTY: aaxbaxb'],
  // prefixes and suffixes
  ['${FILE#*/}', 'archive.tar.gz'],
  ['${FILE##*.}', 'gz'],
  ['${FILE#*.}', 'tar.gz'],
  ['${FILE%.*}', 'dir/archive.tar'],
  ['${FILE%%.*}', 'dir/archive'],
  ['${FILE%/*}', 'dir'],
  ['${A#a}', 'axbaxb'],
  ['${A##a}', 'axbaxb'],
  ['${A#*b}', 'axb'],
  ['${A##*b}', ''],
  ['${A%b*}', 'aaxbax'],
  ['${A%%a*}', ''],
  ['${A#?}', 'axbaxb'],
  ['${A%???}', 'aaxb'],
  ['${A#zz}', 'aaxbaxb'],
  ['${A%zz}', 'aaxbaxb'],
  ['${A#}', 'aaxbaxb'],
  ['${UNSET#x}', ''],
  ['${STARS#a\\*}', 'b?c'],
  ['${STARS%\\?c}', 'a*b'],
  ['${A#$UNSET}', 'aaxbaxb'],
  ['${WHALE#?}', '\u{1f40b}x'],
  // replacement
  ['${A/a/_}', '_axbaxb'],
  ['${A//a/_}', '__xb_xb'],
  ['${A/x/}', 'aabaxb'],
  ['${A//x/}', 'aabab'],
  ['${A/a*b/_}', '_'],
  ['${A//a?/_}', '_xb_b'],
  ['${A/nope/_}', 'aaxbaxb'],
  ['${FILE//\\//-}', 'dir-archive.tar.gz'],
  ['${A/x/$EMPTY}', 'aabaxb'],
  ['${A/x/\\}}', 'aa\\}baxb'],
  ['${PATH//:/ }', '/bin /usr/bin'],
  ['${UNSET/a/b}', ''],
  ['${WHALE//?/-}', '---'],
  ['${A/b/$FILE}', 'aaxdir/archive.tar.gzaxb'],
  // faults
  ['${', "!syntax error: missing '}'"],
  ['${A', "!syntax error: missing '}'"],
  ['${}', '!syntax error: bad substitution'],
  ['${{A}', '!syntax error: bad substitution'],
  ['${:-x}', '!syntax error: bad substitution'],
  ['${A:-x', "!syntax error: missing '}'"],
  ['${A/x', "!syntax error: missing '/' in ${}"],
  ['${A/x/y', "!syntax error: missing '}'"],
  ['${A!x}', '!unsupported modifier (!) in substitution'],
  ['${A:x}', '!unsupported modifier (:x) in substitution'],
  ['${A:#x}', '!unsupported modifier (:#) in substitution'],
  ['${A#\\q}', "!invalid pattern (\\q) in substitution: invalid escape '\\q'"],
  ["'a", '!unexpected end of statement while looking for matching single-quote'],
  ['"a', '!unexpected end of statement while looking for matching double-quote'],
];

for (const [word, expected] of TEXTS) {
  test(`word ${word}`, () => {
    if (!expected.startsWith('!')) assert.equal(expandWord(word, lookup).text, expected);
    else {
      const message = `failed to process ${JSON.stringify(word)}: ${expected.slice(1)}`;
      assert.throws(() => expandWord(word, lookup), { name: 'Failure', code: 'WORD_INVALID', message });
    }
  });
}

const WORDS: readonly (readonly [word: string, words: readonly string[]])[] = [
  ['', []],
  ['  a  b ', ['a', 'b']],
  ['$LIST', ['one', 'two']],
  ['"$LIST"', ['one  two']],
  ['x$LIST', ['xone', 'two']],
  ['a\\ b c', ['a b', 'c']],
  ["'a b' c", ['a b', 'c']],
  ['80 $UNSET 90', ['80', '90']],
  ['8${UNSET:-080}', ['8080']],
  ['${UNSET:-1 2}', ['1', '2']],
  ['""', []],
  ['cat << EOF', ['cat', '<< EOF']],
];

for (const [word, expected] of WORDS) {
  test(`words of ${word}`, () => assert.deepEqual(expandWord(word, lookup).words, expected));
}

const OPTIONS: readonly (readonly [word: string, options: WordOptions, text: string])[] = [
  ['a`$A \\b', { escape: '`' }, 'a$A \\b'],
  ['"a`"b\\"', { escape: '`' }, 'a"b\\'],
  ['C:\\dir\\$EMPTY', { escape: '`' }, 'C:\\dir\\'],
  ['it\'s "$EMPTY"', { plainQuotes: true }, 'it\'s ""'],
  ['\'$A\' "b"', { keepQuotes: true }, '\'$A\' "b"'],
  ['a\\b', { keepEscapes: true }, 'a\\b'],
  ['$UNSET ${UNSET} ${UNSET:-x} $EMPTY', { keepUnset: true }, '$UNSET ${UNSET} ${UNSET:-x} '],
  ['${UNSET//a/b} ${UNSET%%a}', { keepUnset: true }, '${UNSET//a/b} ${UNSET%%a}'],
];

for (const [word, options, expected] of OPTIONS) {
  test(`word ${word} with ${JSON.stringify(options)}`, () =>
    assert.equal(expandWord(word, lookup, options).text, expected));
}

test('tells which variables were used and which are missing', () => {
  const { used, missing } = expandWord("$A ${B:-$EMPTY} '$FILE' ${C+$D}", lookup);
  assert.deepEqual([...used].sort(), ['A', 'EMPTY']);
  assert.deepEqual([...missing].sort(), ['B', 'C', 'D']);
});

test('a hostile word is refused in bounded time and memory', () => {
  const big = 'a'.repeat(600_000);
  const values: Readonly<Record<string, string>> = { BIG: big, MID: 'a'.repeat(60_000) };
  const refuse = (word: string, reason: RegExp) =>
    assert.throws(() => expandWord(word, (name) => values[name]), reason);
  refuse('$BIG$BIG', /longer than 1048576 characters/);
  refuse('${BIG//a/xxxx}', /longer than 1048576 characters/);
  refuse('${A:-'.repeat(100_000), /nested too deeply/);
  refuse(`\${MID/${'a'.repeat(5_000)}b/x}`, /pattern is too long/);
  const stars = `\${MID#${'*a'.repeat(500)}b}`;
  const started = performance.now();
  assert.equal(expandWord(stars, (name) => values[name]).text, values['MID']);
  assert.ok(performance.now() - started < 2_000);
});
