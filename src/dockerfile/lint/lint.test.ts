// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words under test hold them
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isFailure } from '../../lib/error.ts';
import { parseDockerfile } from '../parse.ts';
import { parseCheckOptions, parseLintConfig } from './config.ts';
import { fixAll } from './fix.ts';
import { lint } from './lint.ts';
import type { LintOptions } from './model.ts';

const parse = (text: string) => parseDockerfile(text, { file: 'Dockerfile' });

function places(rule: string, text: string, options: LintOptions = {}): string[] {
  const found = lint(parse(text), options).filter((finding) => finding.rule === rule);
  return found.map(({ source }) =>
    source.column === undefined ? `${source.line}` : `${source.line}:${source.column}`,
  );
}

/** Rule, file, and where it is found; what the pages' examples do not show. */
const ROWS: readonly (readonly [rule: string, text: string, places: string])[] = [
  ['StageNameCasing', 'FROM a:1 AS \\\n  Build\n', '2:3'],
  ['FromAsCasing', 'From a:1 AS b\n', ''],
  ['ConsistentInstructionCasing', 'from a:1\nRUN b\n', '1:1'],
  ['ConsistentInstructionCasing', 'from a:1\nrun b\nRUN c\n', '3:1'],
  ['NoEmptyContinuation', 'FROM a:1\nRUN <<EOF\n\nx\nEOF\n', ''],
  ['JSONArgsRecommended', 'FROM a:1\nENTRYPOINT x\nCMD y\n', '2:12 3:5'],
  ['JSONArgsRecommended', 'FROM a:1 AS b\nSHELL ["/bin/bash", "-c"]\nFROM b\nCMD x\n', ''],
  ['JSONArgsRecommended', 'FROM a:1\nCMD\n', ''],
  ['UndefinedArgInFrom', 'FROM a:$TARGETARCH-$BUILDPLATFORM\n', ''],
  ['UndefinedArgInFrom', 'ARG X\nFROM a:${X:-1}\n', ''],
  ['UndefinedArgInFrom', 'FROM --platform=$BUILDPLATFROM a:1\n', '1:17'],
  ['UndefinedArgInFrom', 'FROM a:1\nARG V\nFROM b:$V\n', '3:8'],
  ['InvalidDefaultArgInFrom', 'ARG V=1\nFROM a:$V\n', ''],
  ['InvalidDefaultArgInFrom', 'FROM ${IMAGE}\n', '1'],
  ['InvalidDefaultArgInFrom', 'ARG A=Upper\nFROM $A\n', '2'],
  ['WorkdirRelativePath', 'FROM a:1 AS b\nWORKDIR /x\nFROM b\nWORKDIR y\n', ''],
  ['WorkdirRelativePath', 'FROM a:1\nWORKDIR $HOME\n', ''],
  ['WorkdirRelativePath', 'FROM a:1\nWORKDIR x\nWORKDIR y\n', '2'],
  ['UndefinedVar', 'FROM scratch\nCOPY $src /\n', '2:6'],
  ['UndefinedVar', 'FROM scratch\nARG src\nCOPY $src /\n', ''],
  ['UndefinedVar', 'FROM scratch\nENV A=1\nENV B=$A$PATH$HTTP_PROXY\n', ''],
  ['UndefinedVar', 'FROM scratch AS b\nENV A=1\nFROM b\nUSER $A\n', ''],
  ['UndefinedVar', 'FROM scratch\nRUN echo $x\nCMD echo $x\n', ''],
  ['UndefinedVar', "FROM scratch\nENV A='$x' B=\\$x\n", ''],
  ['UndefinedVar', 'FROM a:1\nENV A=$PYTHON_VERSION\n', ''],
  ['UndefinedVar', 'FROM a:1\nCOPY bin-$TARGETARCH /\n', '2:10'],
  ['UndefinedVar', 'ARG V=1\nFROM a:$V\nLABEL v=$V\n', '3:9'],
  ['UndefinedVar', 'FROM scratch\nCOPY <<EOF /x\n$a\nEOF\nCOPY <<"EOF" /y\n$b\nEOF\n', '2'],
  ['UndefinedVar', 'FROM scratch\nRUN --mount=type=bind,target=$t x\n', '2:30'],
  ['EnvSelfReference', 'FROM a:1\nENV PATH=$PATH:/x A=1\n', ''],
  ['MultipleInstructionsDisallowed', 'FROM a:1\nCMD ["a"]\nCMD ["b"]\nCMD ["c"]\n', '2 3'],
  ['MultipleInstructionsDisallowed', 'FROM a:1 AS b\nCMD ["a"]\nFROM b\nCMD ["b"]\n', ''],
  ['LegacyKeyValueFormat', 'FROM a:1\nENV A=b\nONBUILD ENV C d\n', '3'],
  ['RedundantTargetPlatform', 'FROM --platform=${TARGETPLATFORM} a:1\n', '1:6'],
  ['RedundantTargetPlatform', 'FROM --platform=${TARGETPLATFORM:-x} a:1\n', ''],
  ['FromPlatformFlagConstDisallowed', 'FROM --platform=linux/arm64 a:1 AS b-linux\n', ''],
  ['SecretsUsedInArgOrEnv', 'FROM a:1\nENV PUBLIC_KEY=1 KEY_FILE=2 TOKEN_VERSION=3 MONKEY=4\n', ''],
  ['SecretsUsedInArgOrEnv', 'ARG api_token\nFROM a:1\nENV KEY=1\n', '1:5 3:5'],
  ['ExposeInvalidFormat', 'FROM a:1\nEXPOSE $P 80\n', ''],
  ['LatestTag', 'FROM a@sha256:0000000000000000000000000000000000000000000000000000000000000000\n', ''],
  ['LatestTag', 'FROM scratch\nFROM localhost:5000/a\n', '2'],
  ['LatestTag', 'FROM a:1 AS b\nFROM b\nCOPY --from=b x y\nCOPY --from=0 x y\n', ''],
  [
    'AptCleanLists',
    'FROM a:1\nRUN --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y x\n',
    '',
  ],
  ['AptCleanLists', 'FROM a:1\nRUN <<EOF\napt-get update\napt-get install -y x\nEOF\n', '2'],
  ['AptCleanLists', 'FROM a:1\nRUN apt-get install -y x\n', ''],
  ['AptUpdateAlone', 'FROM a:1\nRUN apt-get update && apt-get upgrade -y\n', ''],
  [
    'InstallYes',
    'FROM a:1\nRUN apt-get -y install x && apt-get -qq install y && apt-get install --yes z && apt-get install -qy w\n',
    '',
  ],
  ['InstallYes', 'FROM a:1\nRUN sudo apt-get install x; yum install y\n', '2:18 2:33'],
  ['InstallYes', 'FROM a:1\nRUN DEBIAN_FRONTEND=noninteractive \\\n  apt-get -o A=b install x\n', '3:18'],
  ['InstallYes', 'FROM a:1\nRUN ["apt-get", "install", "x"]\n', '2'],
  ['InstallYes', 'FROM a:1\nRUN ["/bin/sh", "-c", "apt-get update && apt-get install x"]\n', '2'],
  ['InstallYes', 'FROM a:1\nRUN echo apt-get install x\n', ''],
  [
    'PinVersions',
    'FROM a:1\nRUN apt-get install -y a=1 ./b.deb $C && apk add "d>1" e~2 && pip install f==1 -r g.txt .\n',
    '',
  ],
  [
    'PinVersions',
    'FROM a:1\nRUN pip install a && npm install b @c/d e@1 && gem install f:1 && yum install -y g-1.2\n',
    '2:17 2:34',
  ],
  ['PinVersions', 'FROM a:1\nRUN npm install\n', ''],
  ['PinVersions', 'FROM a:1\nRUN python3 -m pip install --no-cache-dir a\n', '2:43'],
  ['PipNoCache', 'FROM a:1\nENV PIP_NO_CACHE_DIR=1\nRUN pip install a\n', ''],
  ['PipNoCache', 'FROM a:1\nRUN --mount=type=cache,target=/root/.cache pip install a\n', ''],
  ['ApkNoCache', 'FROM a:1\nRUN apk add x && rm -rf /var/cache/apk/*\n', ''],
  [
    'PackageCacheClean',
    'FROM a:1\nRUN yum install -y x && yum clean all\nRUN dnf install -y y && rm -rf /var/cache/dnf\n',
    '',
  ],
  ['NoSudo', 'FROM a:1\nRUN a && sudo b | c\n', '2:10'],
  ['WorkdirInsteadOfCd', 'FROM a:1\nRUN make && (cd x && make)\n', ''],
  ['Pipefail', 'FROM a:1\nRUN set -o pipefail && a | b\nRUN a || b\nRUN echo "a | b" \'|\'\n', ''],
  ['Pipefail', 'FROM a:1\nSHELL ["/bin/sh", "-c"]\nRUN a | b\n', '3:9'],
  ['Pipefail', 'FROM a:1 AS b\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nFROM b\nRUN a | b\n', ''],
  ['Pipefail', 'FROM a:1\nSHELL ["pwsh", "-Command"]\nRUN a | b\n', ''],
  ['WgetQuiet', 'FROM a:1\nRUN wget -qO- x && wget -nv y && wget --quiet z\n', ''],
  ['UselessCommand', 'FROM a:1\nRUN systemctl enable x\n', ''],
  ['UseraddNoLogInit', 'FROM a:1\nRUN useradd -l -u 1000000 a && useradd -u 1000 b\n', ''],
  ['CopyInsteadOfAdd', 'FROM a:1\nADD a.tar.gz /\nADD https://x/y /\nADD git@x:y.git /\nADD *.x /\nADD $Y /\n', ''],
  ['AddChecksum', 'FROM a:1\nADD https://x/y.git#v1 /\nADD --checksum=sha256:0 https://x/y /\n', ''],
  ['CopyDestinationRelative', 'FROM a:1\nCOPY a $D\nCOPY a "/b"\nWORKDIR /w\nCOPY a b\n', ''],
  ['ChownAfterCopy', 'FROM a:1\nCOPY a /b\nRUN chown x /c && chmod 1 /b/\n', '3:19'],
  ['UnusedStage', 'FROM a:1 AS one\nFROM b:1 AS two\nRUN --mount=from=one,target=/x y\n', ''],
  ['CopyFromNumber', 'FROM a:1\nFROM b:1\nCOPY --from=0 x y\n', '3:6'],
  ['MergeRuns', 'FROM a:1\nRUN a\nRUN b\nRUN c\nENV X=1\nRUN d\n', '3'],
  ['MergeRuns', 'FROM a:1\nRUN a\nRUN --mount=type=cache,target=/x b\n', ''],
  ['SortedArguments', 'FROM a:1\nRUN apk add --no-cache c b a\n', ''],
  ['SortedArguments', 'FROM a:1\nRUN apk add --no-cache \\\n  c \\\n  B \\\n  a\n', '3:3'],
  ['RemovedInLaterLayer', 'FROM a:1\nCOPY x.bin y.bin /tmp/\nRUN rm -f /tmp/y.bin\n', '3:11'],
  ['RemovedInLaterLayer', 'FROM a:1\nRUN curl -o /tmp/x y && rm /tmp/x\n', ''],
  ['SecretFileCopied', 'FROM a:1\nCOPY .env.example public.pem /x/\nCOPY --from=b id_rsa /x\n', ''],
  ['SecretInCommand', 'FROM a:1\nRUN curl https://$U:$P@x/y --token=$T\nADD https://x/y@z /\n', ''],
  ['SecretInCommand', 'FROM a:1\nRUN <<EOF\nx --password hunter2\nEOF\n', '2'],
  ['RootUser', 'FROM a:1\nUSER app\nUSER root\n', '3'],
  ['RootUser', 'FROM a:1 AS b\nUSER app\nFROM b\n', ''],
  ['OneProcess', 'FROM a:1\nCMD ["supervisord", "-n"]\nENTRYPOINT ["sh", "-c", "a && b"]\n', '2'],
  ['FixedIpAddress', 'FROM a:1\nENV A=127.0.0.1 B=0.0.0.0 V=1.2.3 W=1.2.3.4-rc\n', ''],
  ['WriteAfterVolume', 'FROM a:1\nVOLUME /data\nRUN mkdir /data2 && touch /other\n', ''],
];

for (const [rule, text, expected] of ROWS)
  test(`${rule} in ${JSON.stringify(text)}`, () => assert.equal(places(rule, text).join(' '), expected));

test('what the base image sets is known when it is told', () => {
  const base = { env: ['PYTHON_VERSION=3'], user: 'app', platform: { os: 'linux', architecture: 'amd64' } };
  const text = 'FROM python:3\nENV A=$PYTHON_VERSION B=$OTHER\n';
  assert.deepEqual(places('UndefinedVar', text, { baseImage: () => base }), ['2:25']);
  assert.deepEqual(places('RootUser', text, { baseImage: () => base }), []);
  assert.deepEqual(places('RootUser', text, { baseImage: () => ({ ...base, user: '' }) }), ['1']);
});

test('rules are skipped by comment, directive, config and code', () => {
  const bad = 'FROM a\nRUN sudo x\n';
  const rules = (text: string, config?: Parameters<typeof parseCheckOptions>[0]) =>
    lint(parse(text), config === undefined ? {} : { config: parseCheckOptions(config) })
      .map(({ rule }) => rule)
      .filter((rule) => rule !== 'RootUser')
      .join(' ');
  assert.equal(rules(bad), 'LatestTag NoSudo');
  assert.equal(rules(`# check=skip=NoSudo\n${bad}`), 'LatestTag');
  assert.equal(rules(`# check=skip=NoSudo,LatestTag\n${bad}`), '');
  assert.equal(rules(`# check=skip=all\n${bad}`), '');
  assert.equal(rules('FROM a\n# check=skip=NoSudo\nRUN sudo x\nRUN sudo y\n'), 'LatestTag MergeRuns NoSudo');
  assert.equal(rules('FROM a\n# hadolint ignore=DL3004,DL3059\nRUN sudo x\n'), 'LatestTag');
  assert.equal(rules(bad, 'skip=DL3006'), 'NoSudo');
  assert.equal(rules(bad, 'skip=all'), '');
  assert.ok(lint(parse(`# check=error=true\n${bad}`)).every(({ level }) => level === 'error'));
  assert.throws(() => lint(parse(`# check=sikp=x\n${bad}`)), {
    code: 'CHECK_OPTION_INVALID',
    source: { file: 'Dockerfile', line: 1, endLine: 1 },
  });
});

test('a config file is checked', () => {
  assert.deepEqual(parseLintConfig('{"skip":["A"],"error":true}', 'c'), { skip: ['A'], experimental: [], error: true });
  for (const text of ['', '[]', 'null', '{"skip":"A"}', '{"skip":[1]}', '{"error":1}', '{"other":1}'])
    assert.throws(() => parseLintConfig(text, 'c'), { code: 'LINT_CONFIG_INVALID' }, text);
});

/** A file, and what fixing makes of it. */
const FIXES: readonly (readonly [name: string, before: string, after: string])[] = [
  ['nothing to do', 'FROM a:1\nUSER x\n', 'FROM a:1\nUSER x\n'],
  [
    'several fixes of one file, comments kept',
    '# top\nfrom a:1 as B\n# middle\nRUN apk add x\nEXPOSE 80/TCP\nMAINTAINER Me "$" \\ You\n',
    '# top\nFROM a:1 AS b\n# middle\nRUN apk add --no-cache x\nEXPOSE 80/tcp\nLABEL org.opencontainers.image.authors="Me \\"\\$\\" \\\\ You"\n',
  ],
  [
    'a command is added in the style of the last line',
    'FROM a:1\nRUN apt-get update && \\\n    apt-get install -y --no-install-recommends \\\n      x=1\n',
    'FROM a:1\nRUN apt-get update && \\\n    apt-get install -y --no-install-recommends \\\n      x=1 \\\n      && rm -rf /var/lib/apt/lists/*\n',
  ],
  [
    'lists that a later RUN needs stay',
    'FROM a:1\nRUN apt-get update\nRUN apt-get install -y x\n',
    'FROM a:1\nRUN apt-get update\nRUN apt-get install -y x\n',
  ],
  ['a chain with || is left alone', 'FROM a:1\nRUN apt-get update || true\n', 'FROM a:1\nRUN apt-get update || true\n'],
  [
    'packages with comments between stay',
    'FROM a:1\nRUN apk add --no-cache \\\n  c \\\n  # for d\n  b \\\n  a\n',
    'FROM a:1\nRUN apk add --no-cache \\\n  c \\\n  # for d\n  b \\\n  a\n',
  ],
  [
    'quoted legacy values stay',
    'FROM a:1\nENV A "b c"\nENV D e\\ f\nENV G $h i\n',
    'FROM a:1\nENV A "b c"\nENV D e\\ f\nENV G="$h i"\n',
  ],
  ['shell features keep CMD in shell form', 'FROM a:1\nCMD a $B\n', 'FROM a:1\nCMD a $B\n'],
  ['a builtin keeps CMD in shell form', 'FROM a:1\nCMD exec a\n', 'FROM a:1\nCMD exec a\n'],
  ['windows line ends', 'FROM a:1 AS B\r\nRUN x \\\r\n\r\n  y\r\n', 'FROM a:1 AS b\r\nRUN x \\\r\n  y\r\n'],
];

for (const [name, before, after] of FIXES)
  test(`fix: ${name}`, () => {
    const result = fixAll(before, (text) => lint(parse(text)));
    assert.equal(result.text, after);
    assert.equal(result.applied > 0, before !== after);
  });

test('fixing any valid file leaves a valid file with nothing to fix', () => {
  const golden = fileURLToPath(new URL('../golden/', import.meta.url));
  let looked = 0;
  for (const name of readdirSync(golden)) {
    if (!existsSync(`${golden}${name}/result.json`)) continue;
    let text = readFileSync(`${golden}${name}/Dockerfile`, 'utf8').replace(/^\ufeff/, '');
    text = fixAll(text, (current) => fixable(name, current)).text;
    assert.deepEqual(fixable(name, text), [], name);
    looked++;
  }
  assert.ok(looked > 80);
});

function fixable(name: string, text: string) {
  try {
    return lint(parse(text)).filter(({ edits }) => edits.length > 0);
  } catch (error) {
    if (isFailure(error)) throw new Error(`${name}: ${error.message}\n${text}`);
    throw error;
  }
}
