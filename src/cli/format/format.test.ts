import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortenId } from '../../oci/short-id.ts';
import { binarySize, goTime, humanDuration, humanSize, rfc3339, rfc3339Nano, timeAgo } from './human.ts';
import { indentJson } from './indent-json.ts';
import { showPorts } from './ports.ts';
import { renderRows } from './rows.ts';
import { alignTabs } from './tabwriter.ts';
import { ellipsis, quoted } from './words.ts';
import { wrapText } from './wrap-text.ts';

const sizes: readonly [bytes: number, three: string, four: string, binary: string][] = [
  [0, '0B', '0B', '0B'],
  [999, '999B', '999B', '999B'],
  [1000, '1kB', '1kB', '1000B'],
  [1883, '1.88kB', '1.883kB', '1.839KiB'],
  [133_000_000, '133MB', '133MB', '126.8MiB'],
  [999_999, '1e+03kB', '1000kB', '976.6KiB'],
  [1_500_000_000, '1.5GB', '1.5GB', '1.397GiB'],
  [25_276_000_000, '25.3GB', '25.28GB', '23.54GiB'],
];
for (const [bytes, three, four, binary] of sizes) {
  test(`size of ${bytes} bytes`, () => {
    assert.equal(humanSize(bytes, 3), three);
    assert.equal(humanSize(bytes), four);
    assert.equal(binarySize(bytes), binary);
  });
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const durations: readonly [milliseconds: number, words: string][] = [
  [0, 'Less than a second'],
  [1_000, '1 second'],
  [59_999, '59 seconds'],
  [MINUTE, 'About a minute'],
  [2 * MINUTE, '2 minutes'],
  [59 * MINUTE, '59 minutes'],
  [HOUR, 'About an hour'],
  [HOUR + 30 * MINUTE, '2 hours'],
  [47 * HOUR, '47 hours'],
  [48 * HOUR, '2 days'],
  [13 * DAY, '13 days'],
  [14 * DAY, '2 weeks'],
  [60 * DAY, '2 months'],
  [729 * DAY, '24 months'],
  [730 * DAY, '2 years'],
];
for (const [milliseconds, words] of durations) {
  test(`${milliseconds} ms are ${words}`, () => assert.equal(humanDuration(milliseconds), words));
}

test('times', () => {
  assert.equal(timeAgo(100, 103_000), '3 seconds ago');
  assert.equal(timeAgo(-62135596800), 'N/A');
  assert.equal(Date.parse(rfc3339(1_763_728_600)), 1_763_728_600_000);
  assert.match(rfc3339Nano(1_763_728_600_000_000_042n), /\.000000042(Z|[+-]\d\d:\d\d)$/);
  assert.match(goTime(1_763_728_600), /^2025-11-\d\d \d\d:\d\d:40 [+-]\d{4} \S+$/);
});

test('columns are as wide as their widest cell and three spaces, at least ten', () => {
  const text = alignTabs('ID\tNAME\tSIZE\nabcdefgh\tx\t1\n', { minWidth: 10, padding: 3 });
  assert.equal(text, 'ID         NAME      SIZE\nabcdefgh   x         1\n');
});

test('a column ends where a line has no cell in it, and characters count, not bytes', () => {
  const text = alignTabs('a\tb\tc\nplain\nlonger cell\té\tc\n', { minWidth: 0, padding: 1 });
  assert.equal(text, 'a b c\nplain\nlonger cell é c\n');
});

const LIST = { titles: { ID: 'IMAGE ID', Tag: 'TAG', Label: '' }, columns: ['ID', 'Tag'] };
const ROWS = [
  { ID: 'abc', Tag: 'latest', Label: (name: unknown) => `${name}!` },
  { ID: 'def', Tag: '<none>', Label: (name: unknown) => `${name}?` },
];
const renderings: readonly [what: string, format: string, quiet: string | undefined, expected: string][] = [
  ['a table', '', undefined, 'IMAGE ID   TAG\nabc        latest\ndef        <none>\n'],
  ['a table by name', 'table', undefined, 'IMAGE ID   TAG\nabc        latest\ndef        <none>\n'],
  ['IDs alone', '', 'ID', 'abc\ndef\n'],
  ['a template', '{{.Tag}}:{{.ID}}', 'ID', 'latest:abc\n<none>:def\n'],
  [
    'a table of a template',
    'table {{.Tag}}\\t{{.ID}}',
    undefined,
    'TAG       IMAGE ID\nlatest    abc\n<none>    def\n',
  ],
  [
    'a table with functions',
    'table {{upper .Tag}} {{.Label "a.b-c"}}',
    undefined,
    'TAG b c\nLATEST a.b-c!\n<NONE> a.b-c?\n',
  ],
  ['JSON lines', 'json', undefined, '{"ID":"abc","Tag":"latest"}\n{"ID":"def","Tag":"\\u003cnone\\u003e"}\n'],
];
for (const [what, format, quiet, expected] of renderings) {
  test(`rows as ${what}`, async () => assert.equal(await renderRows(ROWS, { ...LIST, format, quiet }), expected));
}

test('a field that rows do not have is named', async () => {
  await assert.rejects(renderRows(ROWS, { ...LIST, format: '{{.Nope}}' }), /can't evaluate field Nope/);
});

const ports: readonly [what: string, ports: Parameters<typeof showPorts>[0], expected: string][] = [
  ['none', null, ''],
  ['exposed only', [{ PrivatePort: 80, Type: 'tcp' }], '80/tcp'],
  [
    'neighbours and another protocol',
    [
      { PrivatePort: 81, Type: 'tcp' },
      { PrivatePort: 80, Type: 'tcp' },
      { PrivatePort: 80, Type: 'udp' },
      { PrivatePort: 90, Type: 'tcp' },
    ],
    '80-81/tcp, 90/tcp, 80/udp',
  ],
  [
    'published on the same and on another port',
    [
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { IP: '0.0.0.0', PrivatePort: 443, PublicPort: 443, Type: 'tcp' },
      { IP: '0.0.0.0', PrivatePort: 444, PublicPort: 444, Type: 'tcp' },
    ],
    '0.0.0.0:443-444->443-444/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp',
  ],
];
for (const [what, list, expected] of ports) {
  test(`ports: ${what}`, () => assert.equal(showPorts(list), expected));
}

test('JSON is indented without touching a value', () => {
  const raw = '{"a":{},"b":[],"c":[1,{"d":"\\u003c{[,:\\"x"}],"e":12345678901234567890,"f":null}';
  assert.equal(
    indentJson(raw, 1),
    `{
        "a": {},
        "b": [],
        "c": [
            1,
            {
                "d": "\\u003c{[,:\\"x"
            }
        ],
        "e": 12345678901234567890,
        "f": null
    }`,
  );
});

test('words', () => {
  assert.equal(shortenId(`sha256:${'ab'.repeat(32)}`), 'abababababab');
  assert.equal(shortenId('<missing>'), '<missing>');
  assert.equal(ellipsis('abcdef', 6), 'abcdef');
  assert.equal(ellipsis('abcdefg', 6), 'abcde…');
  assert.equal(quoted('a "b"\n\u001b'), '"a \\"b\\"\\n\\x1b"');
  assert.deepEqual(wrapText('one two three', 8), ['one two', 'three']);
});
