import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isFailure } from '../lib/error.ts';
import { lint } from './lint/lint.ts';
import { parseDockerfile } from './parse.ts';
import { parseTrigger } from './trigger.ts';

const parse = (input: string | Uint8Array) => parseDockerfile(input, { file: 'Dockerfile' });

test('lines of up to a mebibyte are read, longer ones refused', () => {
  const line = (length: number) => `FROM a\nRUN ${'x'.repeat(length)}\n`;
  assert.equal(parse(line(1_000_000)).instructions.length, 2);
  assert.throws(() => parse(line(1 << 20)), {
    message: 'dockerfile parse error on line 2: dockerfile line greater than max allowed size of 1048576',
    code: 'LINE_TOO_LONG',
  });
});

test('a file over 16 MiB is refused unread', () => {
  assert.throws(() => parse(Buffer.alloc((16 << 20) + 1, '#')), { code: 'DOCKERFILE_TOO_LONG' });
});

test('bytes and text are the same, and bytes that are not UTF-8 do not stop it', () => {
  const text = '\ufeffFROM a\nLABEL n="\u00e9"\n';
  assert.deepEqual(parse(Buffer.from(text)), parse(text));
  assert.equal(parse(Buffer.from([0x46, 0x52, 0x4f, 0x4d, 0x20, 0xff])).instructions.length, 1);
});

test('a large file is parsed in reasonable time', () => {
  const text = `FROM a\n${'RUN echo one \\\n  && echo two\nENV A=1 B="two words" C=$A\n'.repeat(20_000)}`;
  const started = performance.now();
  assert.equal(parse(text).instructions.length, 40_001);
  assert.ok(performance.now() - started < 4_000);
});

test('one instruction with very many continuation lines is parsed in reasonable time', () => {
  const text = `FROM a\nRUN x ${'\\\n y '.repeat(200_000)}`;
  const started = performance.now();
  assert.equal(parse(text).instructions.length, 2);
  assert.ok(performance.now() - started < 4_000);
});

test('triggers read back', () => {
  const onbuild = parse('FROM a\nONBUILD RUN cat <<A <<-B\n1\nA\n\t2\n\tB\n').instructions[1];
  assert.ok(onbuild?.kind === 'ONBUILD');
  const source = { file: 'Dockerfile', line: 7, endLine: 7 };
  const trigger = parseTrigger(onbuild.trigger, { source });
  assert.equal(trigger.kind, 'RUN');
  assert.deepEqual(trigger.heredocs, onbuild.heredocs);
  assert.deepEqual(trigger.source, source);
});

for (const text of ['FROM a', 'ONBUILD RUN x', 'MAINTAINER x', 'RUN x\nRUN y', '', '# only'])
  test(`refuses the trigger ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseTrigger(text), { code: 'TRIGGER_INVALID' }));

test('any text either parses or is refused with a place inside the file', () => {
  const piece = fc.constantFrom(
    ...[
      'FROM a',
      'RUN ',
      'COPY ',
      'ENV ',
      'ONBUILD ',
      'HEALTHCHECK ',
      '--from=',
      '--mount=type=',
      '# escape=`',
      '<<EOF',
      'EOF',
    ],
    ...[
      '\\\n',
      '`\n',
      '\n',
      '\r\n',
      ' ',
      '\t',
      '"',
      "'",
      '[',
      ']',
      ',',
      '=',
      '$',
      '{',
      '}',
      '#',
      'x',
      '\u00e9',
      '\u{1f40b}',
      '\ufeff',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join('');
      try {
        for (const { source } of parse(text).instructions) assert.ok(1 <= source.line && source.line <= source.endLine);
      } catch (error) {
        if (!isFailure(error, 'invalid')) throw error;
        if (error.source) assert.ok(error.source.endLine <= text.split('\n').length);
      }
    }),
    { numRuns: 3000 },
  );
});

/** Files that made some pattern or loop cost the square of its input. */
const HOSTILE: readonly (readonly [name: string, text: string])[] = [
  ['white space in a directive', `# syntax=a${' '.repeat(900_000)}b\nFROM a\n`],
  ['white space in a heredoc mark', `FROM a\nRUN <<${' '.repeat(400_000)}a<b\n`],
  ['escapes', `FROM a\nRUN ${'\\\\ '.repeat(300_000)}x\n`],
  ['flags', `FROM a\nRUN ${'--mount=x '.repeat(90_000)}y\n`],
  ['fields of a mount', `FROM a\nRUN --mount=${'a=b,'.repeat(200_000)} y\n`],
  ['pairs', `FROM a\nENV ${'a=b '.repeat(200_000)}\n`],
  ['dashes', `FROM a\nRUN ${'a-'.repeat(450_000)}\n`],
  ['open quotes', `FROM a\nRUN ${'"\'`$('.repeat(180_000)}\n`],
  ['an unknown instruction', `FROM a\n${'X'.repeat(900_000)}\n`],
  ['a JSON array', `FROM a\nCMD ${'['.repeat(900_000)}\n`],
  ['comments', `${'#\n'.repeat(500_000)}FROM a\n`],
  ['empty lines', `FROM a\nRUN x \\\n${'\n'.repeat(500_000)}`],
  ['heredocs', `FROM a\nRUN ${'<<A '.repeat(50_000)}\n${'A\n'.repeat(50_000)}`],
];

for (const [name, text] of HOSTILE)
  test(`hostile ${name} cost little time`, () => {
    const started = performance.now();
    try {
      lint(parse(text));
    } catch (error) {
      if (!isFailure(error)) throw error;
      assert.ok(error.message.length < 2_000);
    }
    assert.ok(performance.now() - started < 5_000, `${performance.now() - started} ms`);
  });
