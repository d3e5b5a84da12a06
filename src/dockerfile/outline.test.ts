import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePlatform } from '../oci/platform.ts';
import { outlineOf } from './outline.ts';
import { parseDockerfile } from './parse.ts';
import { planStages } from './stages.ts';

const FILE = `ARG inherited=box
ARG other=x
ARG unused=abc\${other}
# sfx is a suffix
ARG sfx="y\${inherited}"

FROM b\${sfx} AS first
# nothing is said of it
ARG FOO=123
# BAR is a number
ARG BAR=456
RUN --mount=type=secret,target=/etc/passwd,required=true --mount=type=ssh true

FROM alpine\${unused} AS second
ARG BAZ
RUN --mount=type=secret,id=not --mount=type=ssh,id=ssh2 true

FROM scratch AS third
ARG ABC=a
ARG other
RUN --mount=type=secret,id=second\${ABC} true

# target is what people want
FROM third AS target
ENV E=e
ARG later=\${E}\${ABC}
COPY --from=first /etc/passwd /
RUN --mount=type=ssh,id=ssh3,required --mount=type=secret,id=seconda,required true

FROM second
`;

function outline(target: string | undefined, buildArgs: Readonly<Record<string, string>> = {}) {
  const platform = parsePlatform('linux/amd64');
  const parsed = parseDockerfile(Buffer.from(FILE), { file: 'Dockerfile' });
  return outlineOf(planStages(parsed, { target, buildArgs, buildPlatform: platform, targetPlatform: platform }));
}

test('what a target takes, in the order of the file', () => {
  const { name, description, args, secrets, agents } = outline('target', { BAR: '678' });
  assert.deepEqual([name, description], ['target', 'is what people want']);
  assert.deepEqual(
    args.map(({ name, value, description, line }) => [name, value, description, line]),
    [
      ['inherited', 'box', undefined, 1],
      ['other', 'x', undefined, 2],
      ['sfx', 'ybox', 'is a suffix', 5],
      ['FOO', '123', undefined, 9],
      ['BAR', '678', 'is a number', 11],
      ['ABC', 'a', undefined, 19],
      ['later', 'ea', undefined, 26],
    ],
  );
  const loans = (list: typeof secrets) => list.map(({ id, isRequired, line }) => [id, isRequired, line]);
  assert.deepEqual(loans(secrets), [
    ['passwd', true, 12],
    ['seconda', true, 21],
  ]);
  assert.deepEqual(loans(agents), [
    ['default', false, 12],
    ['ssh3', true, 28],
  ]);
});

test('the last stage is the target when none is named', () => {
  const { name, args } = outline(undefined);
  assert.equal(name, undefined);
  assert.deepEqual(
    args.map(({ name, value }) => [name, value]),
    [
      ['other', 'x'],
      ['unused', 'abcx'],
      ['BAZ', undefined],
    ],
  );
});
