import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WorkerPool } from '../../lib/worker-pool.ts';
import { digestOf } from '../../oci/digest.ts';
import type { FileChange, MissedStep } from '../../wire/build-explain.ts';
import { cacheKey } from '../cache-key.ts';
import { advise } from './advise.ts';
import type { BuildRecord } from './build-record.ts';
import { BuildTrace } from './build-trace.ts';
import { CopyListings } from './copy-listings.ts';
import { missText } from './miss-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'explain-test-'));
after(() => rmSync(folder, { recursive: true }));
const listings = new CopyListings(folder, new WorkerPool(new URL('file:///none'), 1));

interface Step {
  readonly text: string;
  /** Components of the key but `base` and `instruction`. Undefined for metadata. */
  readonly key?: Readonly<Record<string, string>>;
  readonly fails?: boolean;
  /** COPY --link: it does not depend on what is below. */
  readonly isLinked?: boolean;
}

const FROM = (image: string): Step => ({ text: `FROM ${image}` });
const RUN = (command: string, key: Readonly<Record<string, string>> = {}): Step => ({
  text: `RUN ${command}`,
  key: { command: JSON.stringify(['/bin/sh', '-c', command]), ...key },
});
const FILES = { old: `sha256:${'0'.repeat(64)}`, new: `sha256:${'1'.repeat(64)}` };
const COPY = (words: string, files: string = FILES.old): Step => ({
  text: `COPY ${words}`,
  key: { destination: '/', files },
});

/** Builds steps one after the other against a cache that is a set of keys. */
async function build(
  steps: readonly Step[],
  past: readonly BuildRecord[] = [],
  options: { readonly noCache?: boolean; readonly pruned?: boolean; readonly alike?: boolean } = {},
): Promise<BuildRecord> {
  const known = new Set(
    past.flatMap((record) =>
      record.steps.flatMap(({ keys }) => keys.flatMap((key) => (key.result ? [key.digest] : []))),
    ),
  );
  const keys = past.flatMap((record) =>
    record.steps.flatMap((step) => step.keys.map((key) => ({ ...key, at: record.started }))),
  );
  const trace = new BuildTrace({
    id: `build${past.length}`,
    source: 'here',
    tags: [],
    past: () => (options.alike ? [] : [...past]),
    alike: (site) => (options.alike ? keys.filter((key) => key.site === site) : []),
    listings,
    takeOver: async () => undefined,
    tell: undefined,
  });
  const infos = steps.map(({ text }, index) => ({ index, stage: 0, stageName: undefined, line: index + 1, text }));
  trace.event({ type: 'plan', steps: infos, stages: 1 });
  let base = '';
  for (const [index, { text, key: components, fails, isLinked }] of steps.entries()) {
    const [word = '', image = ''] = text.split(' ');
    if (word === 'FROM') {
      base = `chain of ${image}`;
      trace.based(index, { name: image.split('#')[0] ?? '', image: `sha256:${image}`, result: base });
    }
    if (!components) continue;
    const key = cacheKey(text, { base: isLinked ? undefined : base, instruction: word, ...components });
    const cached = known.has(key.digest) && !options.noCache && !options.pruned;
    if (!cached) await trace.missed(index, key, { noCache: options.noCache ?? false });
    if (fails) break;
    const result = isLinked ? digestOf(`${base} ${key.digest}`) : key.digest;
    trace.solved(index, key, { cached, result });
    base = result;
  }
  return trace.record;
}

function missedSteps(record: BuildRecord): MissedStep[] {
  return record.steps.flatMap(({ index, line, keys }) =>
    keys.flatMap(({ miss, site }) =>
      miss ? [{ Step: index + 1, Line: line, Instruction: site, ...miss, Text: missText(miss) }] : [],
    ),
  );
}

type Said = readonly (readonly [step: number, ...lines: string[]])[];
const said = (record: BuildRecord): Said => missedSteps(record).map(({ Step, Text }) => [Step, ...Text]);

const cases: readonly (readonly [name: string, before: readonly Step[], now: readonly Step[], expected: Said])[] = [
  ['nothing', [FROM('a'), RUN('x')], [FROM('a'), RUN('x')], []],
  ['the first build', [], [FROM('a'), RUN('x')], [[2, 'nothing like it was built before']]],
  [
    'another instruction, and what follows it',
    [FROM('a'), RUN('x'), RUN('y')],
    [FROM('a'), RUN('x2'), RUN('y')],
    [
      [2, 'the instruction was: RUN x'],
      [3, 'step 2 before it has a new result'],
    ],
  ],
  [
    'an instruction that is new',
    [FROM('a'), RUN('x'), RUN('z')],
    [FROM('a'), RUN('x'), RUN('y'), RUN('z')],
    [
      [3, 'nothing like it was built before'],
      [4, 'step 3 before it has a new result'],
    ],
  ],
  [
    'an instruction that is gone',
    [FROM('a'), RUN('x'), RUN('y'), RUN('z')],
    [FROM('a'), RUN('x'), RUN('z')],
    [[3, 'before it stood: RUN y; now: RUN x']],
  ],
  [
    'an argument and a variable',
    [FROM('a'), RUN('x', { 'arg V': '1', 'env MODE': 'a' })],
    [FROM('a'), RUN('x', { 'arg V': '2', 'env LEVEL': '3' })],
    [[2, 'ARG V was "1", is "2"', 'ENV LEVEL was not set, is "3"', 'ENV MODE was "a", is not set']],
  ],
  [
    'values that look secret',
    [FROM('a'), RUN('x', { 'arg NPM_TOKEN': 'one', 'env URL': 'https://me:one@host/' })],
    [FROM('a'), RUN('x', { 'arg NPM_TOKEN': 'two', 'env URL': 'https://me:two@host/' })],
    [[2, 'ARG NPM_TOKEN has another value (not shown)', 'ENV URL has another value (not shown)']],
  ],
  [
    'user, folder, platform, network',
    [FROM('a'), RUN('x', { user: '', workdir: '/', network: 'default', platform: 'linux/amd64' })],
    [FROM('a'), RUN('x', { user: 'app', workdir: '/app', network: 'none', platform: 'linux/arm64' })],
    [
      [
        2,
        'user was "", is "app"',
        'workdir was "/", is "/app"',
        'network was "default", is "none"',
        'platform was "linux/amd64", is "linux/arm64"',
      ],
    ],
  ],
  [
    'the same text with another heredoc',
    [FROM('a'), { text: 'RUN <<EOF', key: { command: '["/bin/sh","-c","one\\ntwo"]' } }],
    [FROM('a'), { text: 'RUN <<EOF', key: { command: '["/bin/sh","-c","one\\nthree"]' } }],
    [[2, 'command was "two", is "three"']],
  ],
  [
    'mounts',
    [FROM('a'), RUN('x', { 'mount /a': 'cache a', 'mount /b': `bind ${FILES.old}` })],
    [FROM('a'), RUN('x', { 'mount /a': 'cache b', 'mount /b': `bind ${FILES.new}` })],
    [[2, 'mount /a was "cache a", is "cache b"', 'files of mount /b have changed']],
  ],
  [
    'files whose lists are gone',
    [FROM('a'), COPY('. .')],
    [FROM('a'), COPY('. .', FILES.new)],
    [[2, 'files have changed']],
  ],
  [
    'another base image',
    [FROM('a#1'), RUN('x'), RUN('y')],
    [FROM('a#2'), RUN('x'), RUN('y')],
    [
      [2, 'the base image was a (sha256:a#1), is a (sha256:a#2)'],
      [3, 'step 2 before it has a new result'],
    ],
  ],
  [
    'a COPY --link in between, which stays in the cache',
    [FROM('a'), RUN('x'), { ...COPY('--link . .'), isLinked: true }, RUN('y')],
    [FROM('a'), RUN('x2'), { ...COPY('--link . .'), isLinked: true }, RUN('y')],
    [
      [2, 'the instruction was: RUN x'],
      [4, 'step 2 before it has a new result'],
    ],
  ],
  [
    'a step that failed',
    [FROM('a'), { ...RUN('x'), fails: true }],
    [FROM('a'), RUN('x')],
    [[2, 'it failed in build build0 and left no result']],
  ],
];
for (const [name, before, now, expected] of cases)
  test(`why: ${name}`, async () => {
    const past = before.length > 0 ? [await build(before)] : [];
    assert.deepEqual(said(await build(now, past)), expected);
  });

test('why: no cache wanted, and a cache that was pruned', async () => {
  const past = [await build([FROM('a'), RUN('x')])];
  const now = [FROM('a'), RUN('x')];
  assert.deepEqual(said(await build(now, past, { noCache: true })), [[2, 'the build was told not to use the cache']]);
  assert.deepEqual(said(await build(now, past, { pruned: true })), [
    [2, 'the cache had it in build build0; it was removed since'],
  ]);
});

test('why: without an earlier build of the same thing the cache tells what is nearest', async () => {
  const far = await build([FROM('b'), RUN('x', { 'arg V': '1', 'arg W': '1' })]);
  const near = await build([FROM('a'), RUN('x', { 'arg V': '1' })]);
  const now = await build([FROM('a'), RUN('x', { 'arg V': '2' })], [near, far], { alike: true });
  assert.deepEqual(said(now), [[2, 'ARG V was "1", is "2"']]);
});

test('why: values that look secret are not in the record', async () => {
  const record = await build([FROM('a'), RUN('x', { 'arg API_KEY': 'swordfish', 'arg PUBLIC_KEY': 'shown' })]);
  const text = JSON.stringify(record);
  assert.ok(!text.includes('swordfish'));
  assert.ok(text.includes('shown'));
});

test('a trace: mounts that cannot be kept are lost, and the step fails as it did', async () => {
  const trace = new BuildTrace({
    id: 'x',
    source: 'here',
    tags: [],
    past: () => [],
    alike: () => [],
    listings,
    takeOver: async (mount) => (mount.kind === 'tmpfs' ? mount : Promise.reject(new Error('no space left'))),
    tell: undefined,
  });
  trace.event({
    type: 'plan',
    steps: [{ index: 0, stage: 0, stageName: undefined, line: 1, text: 'RUN x' }],
    stages: 1,
  });
  const run = { argv: ['x'], env: [], user: '', workdir: '/', network: 'none', extraHosts: [], privileged: false };
  trace.ran(0, run, ['/in', '/tmp', 'secret s']);
  const tmpfs = { kind: 'tmpfs', target: '/tmp', size: undefined, readOnly: false } as const;
  const bind = { kind: 'bind', target: '/in', source: '/scratch/in', readOnly: true } as const;
  await trace.ended(0, [bind, tmpfs], { container: 'c' });
  assert.deepEqual(trace.record.steps[0]?.run, { ...run, mounts: [tmpfs], lost: ['/in', 'secret s'], container: 'c' });
});

const changed = (...paths: string[]): FileChange[] => paths.map((Path) => ({ Path, Change: 'content' }));
const advices: readonly (readonly [
  name: string,
  before: readonly Step[],
  now: readonly Step[],
  files: FileChange[],
  expected: readonly string[],
])[] = [
  [
    'a COPY of everything before an installer that reads one file',
    [FROM('a'), COPY('. .'), RUN('npm ci'), RUN('npm run build')],
    [FROM('a'), COPY('. .', FILES.new), RUN('npm ci'), RUN('npm run build')],
    changed('src/main.js'),
    ['copy what RUN npm ci reads (package.json, package-lock.json) before it, and move COPY . . below RUN npm ci'],
  ],
  [
    'not when what it reads has changed',
    [FROM('a'), COPY('. .'), RUN('npm ci')],
    [FROM('a'), COPY('. .', FILES.new), RUN('npm ci')],
    changed('src/main.js', 'package.json'),
    [],
  ],
  [
    'an installer that reads nothing of the context',
    [FROM('a'), COPY('. .'), RUN('apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*')],
    [
      FROM('a'),
      COPY('. .', FILES.new),
      RUN('apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*'),
    ],
    changed('main.c'),
    ['move COPY . . below RUN apt-get update && apt-get install -y curl && rm -rf /var/lib/apt/lists/*'],
  ],
  [
    'not below what builds the files',
    [FROM('a'), COPY('. .'), RUN('make')],
    [FROM('a'), COPY('. .', FILES.new), RUN('make')],
    changed('main.c'),
    [],
  ],
  [
    'not below an installer that also builds',
    [FROM('a'), COPY('. .'), RUN('npm ci && npm run build')],
    [FROM('a'), COPY('. .', FILES.new), RUN('npm ci && npm run build')],
    changed('main.js'),
    [],
  ],
  [
    'files that no image needs',
    [FROM('a'), COPY('. .')],
    [FROM('a'), COPY('. .', FILES.new)],
    changed('.git/index', 'debug.log', 'Dockerfile'),
    ['name .git, **/*.log, Dockerfile in .dockerignore'],
  ],
  [
    'modes alone',
    [FROM('a'), COPY('run.sh /')],
    [FROM('a'), COPY('run.sh /', FILES.new)],
    [{ Path: 'run.sh', Change: 'mode' }],
    ['give the files their modes in the Dockerfile: COPY --chmod=... run.sh /'],
  ],
  [
    'an argument that the step does not name',
    [
      FROM('a'),
      { text: 'ARG V=1' },
      RUN('one', { 'arg V': '1' }),
      RUN('two', { 'arg V': '1' }),
      RUN('echo $V', { 'arg V': '1' }),
    ],
    [
      FROM('a'),
      { text: 'ARG V=1' },
      RUN('one', { 'arg V': '2' }),
      RUN('two', { 'arg V': '2' }),
      RUN('echo $V', { 'arg V': '2' }),
    ],
    [],
    ['move ARG V=1 below RUN two, which does not name it'],
  ],
  [
    'a tag that has moved',
    [FROM('a#1'), RUN('x')],
    [FROM('a#2'), RUN('x')],
    [],
    ['name the base image by its digest (FROM a@sha256:...): a tag can move to another image'],
  ],
];
for (const [name, before, now, files, expected] of advices)
  test(`advice: ${name}`, async () => {
    const record = await build(now, [await build(before)]);
    const missed = missedSteps(record);
    for (const change of missed.flatMap(({ Changes }) => Changes))
      if (change.What === 'files') Object.assign(change, { Files: files, FileCount: files.length });
    assert.deepEqual(
      advise(record, missed).map(({ Text }) => Text),
      expected,
    );
  });
