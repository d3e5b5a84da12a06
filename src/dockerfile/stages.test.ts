// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words under test hold them
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unconsumedBuildArgs } from './global-args.ts';
import { parseDockerfile } from './parse.ts';
import { type PlanOptions, planStages, type StagePlan } from './stages.ts';

const OPTIONS: PlanOptions = {
  buildArgs: {},
  buildPlatform: { os: 'linux', architecture: 'amd64' },
  targetPlatform: { os: 'linux', architecture: 'arm', variant: 'v7' },
};

function plan(text: string, options: Partial<PlanOptions> = {}): StagePlan {
  return planStages(parseDockerfile(text, { file: 'Dockerfile' }), { ...OPTIONS, ...options });
}

function neededTitles(text: string, options: Partial<PlanOptions> = {}): string {
  return plan(text, options)
    .needed.map(({ title }) => title)
    .join(' ');
}

const GRAPH = `FROM a AS one
FROM one AS two
FROM b AS unused
FROM c AS three
RUN --mount=type=bind,from=two,target=/x y
FROM scratch
COPY --from=three /a /b
`;

const NEEDED: readonly (readonly [name: string, text: string, target: string | undefined, needed: string])[] = [
  ['the last stage and what it needs', GRAPH, undefined, 'one two three stage-4'],
  ['an empty target is the last stage', GRAPH, '', 'one two three stage-4'],
  ['a named target', GRAPH, 'two', 'one two'],
  ['a target in other case', GRAPH, 'TWO', 'one two'],
  ['a target by number', GRAPH, '2', 'unused'],
  ['COPY by number', 'FROM a\nFROM b\nFROM c\nCOPY --from=0 x y\n', undefined, 'stage-0 stage-2'],
  ['--from in other case', 'FROM a AS Build\nFROM c\nCOPY --from=BUILD x y\n', undefined, 'build stage-1'],
  ['an image is no stage', 'FROM a AS b\nFROM c\nCOPY --from=busybox x y\n', undefined, 'stage-1'],
  ['scratch as source of a mount', 'FROM a\nRUN --mount=from=scratch,target=/x y\n', undefined, 'stage-0'],
  ['FROM by name finds the earlier of two', 'FROM a AS x\nFROM x AS x\nFROM x\n', undefined, 'x x stage-2'],
  [
    'ONBUILD of a base stage',
    'FROM a AS tool\nFROM b AS base\nONBUILD COPY --from=tool x y\nFROM base\n',
    undefined,
    'tool base stage-2',
  ],
  ['ONBUILD alone needs nothing', 'FROM a AS tool\nFROM b\nONBUILD COPY --from=tool x y\n', undefined, 'stage-1'],
];

for (const [name, text, target, needed] of NEEDED)
  test(name, () => assert.equal(neededTitles(text, { target }), needed));

const BASES: readonly (readonly [text: string, options: Partial<PlanOptions>, base: object])[] = [
  ['FROM scratch', {}, { kind: 'scratch' }],
  ['FROM debian:12', {}, { kind: 'image', name: 'debian:12' }],
  ['FROM "debian"', {}, { kind: 'image', name: 'debian' }],
  ['ARG V=1\nFROM a:$V', {}, { kind: 'image', name: 'a:1' }],
  ['ARG V=1\nFROM a:$V', { buildArgs: { V: '2' } }, { kind: 'image', name: 'a:2' }],
  ['ARG V=1\nFROM a:$V', { buildArgs: { V: null } }, { kind: 'image', name: 'a:1' }],
  ['ARG V\nFROM a:${V:-latest}', {}, { kind: 'image', name: 'a:latest' }],
  ['ARG A=x\nARG B=$A-y\nFROM $B', {}, { kind: 'image', name: 'x-y' }],
  ['ARG A=x\nARG B=$A-y\nFROM $B', { buildArgs: { A: 'z' } }, { kind: 'image', name: 'z-y' }],
  ['FROM a:$TARGETARCH-$BUILDARCH', {}, { kind: 'image', name: 'a:arm-amd64' }],
  ['FROM a:$TARGETSTAGE', {}, { kind: 'image', name: 'a:default' }],
  ['FROM x AS a\nFROM A', {}, { kind: 'stage', index: 0 }],
  ['FROM x AS scratch\nFROM scratch', {}, { kind: 'stage', index: 0 }],
  ['FROM alpine', { contexts: ['alpine'] }, { kind: 'context', name: 'alpine' }],
  [
    'FROM alpine',
    { contexts: ['docker.io/library/alpine:latest'] },
    { kind: 'context', name: 'docker.io/library/alpine:latest' },
  ],
  ['FROM alpine:3', { contexts: ['alpine'] }, { kind: 'image', name: 'alpine:3' }],
  ['FROM x AS base', { contexts: ['base'] }, { kind: 'context', name: 'base' }],
];

for (const [text, options, base] of BASES)
  test(`${JSON.stringify(text)} with ${JSON.stringify(options)}`, () =>
    assert.deepEqual(plan(text, options).target.base, base));

test('platforms are expanded and normalised', () => {
  const of = (text: string, options: Partial<PlanOptions> = {}) => plan(text, options).target.platform;
  assert.equal(of('FROM a'), undefined);
  assert.equal(of('FROM --platform=$BUILDPLATFORM a'), 'linux/amd64');
  assert.equal(of('FROM --platform=$TARGETPLATFORM a'), 'linux/arm/v7');
  assert.equal(of('FROM --platform=linux/x86_64 a'), 'linux/amd64');
  assert.equal(of('ARG P=linux/arm64/v8\nFROM --platform=$P a'), 'linux/arm64');
});

test('a stage that only an unneeded stage misuses is no fault', () => {
  assert.equal(neededTitles('FROM a AS one\nCOPY --from=two x y\nFROM b AS two\nFROM c\n'), 'stage-2');
});

test('an unknown target is refused with the nearest name', () => {
  const message = 'failed to reach build target biuld in Dockerfile';
  assert.throws(() => plan('FROM a AS build\n', { target: 'biuld' }), {
    message,
    code: 'TARGET_UNKNOWN',
    hint: 'did you mean build?',
  });
  assert.throws(() => plan('FROM a AS build\n', { target: '7' }), { hint: 'the stages are build' });
  assert.throws(() => plan('FROM a\n', { target: 'x' }), { hint: 'no stage has a name' });
});

test('build arguments that nothing declares are told', () => {
  const buildArgs = {
    WHO: 'me',
    Z: '1',
    A: null,
    HTTP_PROXY: 'p',
    no_proxy: 'q',
    SOURCE_DATE_EPOCH: '0',
    TARGETARCH: 'x',
    BUILDKIT_INLINE_CACHE: '1',
  };
  assert.deepEqual(unconsumedBuildArgs(buildArgs, new Set(['WHO'])), ['A', 'Z']);
});

test('a hostile number of stages is refused', () => {
  assert.throws(() => plan('FROM a\n'.repeat(20_000)), { code: 'STAGES_TOO_MANY' });
  assert.equal(plan('FROM a\n'.repeat(5_000)).stages.length, 5_000);
});
