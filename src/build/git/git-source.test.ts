import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type GitSource, isGitUrl, parseGitUrl } from './git-source.ts';

const PLAIN = { ref: undefined, folder: '', checksum: undefined, keepGitDir: undefined, submodules: true };

const SOURCES: readonly [url: string, source: Partial<GitSource> & Pick<GitSource, 'repository'>][] = [
  ['https://x/r.git', { repository: 'https://x/r.git' }],
  ['https://x/r.git#', { repository: 'https://x/r.git' }],
  ['https://x/r.git#v1', { repository: 'https://x/r.git', ref: 'v1' }],
  ['https://x/r.git#:sub/dir', { repository: 'https://x/r.git', folder: 'sub/dir' }],
  ['git@h:x/r#a/b:c', { repository: 'git@h:x/r', ref: 'a/b', folder: 'c' }],
  ['ssh://h:22/r#v1', { repository: 'ssh://h:22/r', ref: 'v1' }],
  ['git://h/r', { repository: 'git://h/r' }],
  ['https://x/r.git?ref=v1&subdir=d', { repository: 'https://x/r.git', ref: 'v1', folder: 'd' }],
  ['https://x/r.git?branch=b&keep-git-dir=1', { repository: 'https://x/r.git', ref: 'b', keepGitDir: true }],
  ['https://x/r.git?tag=t&submodules=false', { repository: 'https://x/r.git', ref: 't', submodules: false }],
  ['https://x/r.git?checksum=abc1234', { repository: 'https://x/r.git', checksum: 'abc1234' }],
];
for (const [url, source] of SOURCES)
  test(url, () => {
    assert.equal(isGitUrl(url), true);
    assert.deepEqual(parseGitUrl(url), { ...PLAIN, ...source });
  });

for (const url of [
  'https://x/r.tar.gz',
  'https://x/r',
  'https://x/r.gitx',
  'https://x/?a=r.git',
  'r.git',
  './r.git',
  'file:///r.git',
])
  test(`${url} is no repository`, () => assert.equal(isGitUrl(url), false));

const REFUSED: readonly [url: string, message: RegExp][] = [
  ['https://x/r.git#--upload-pack=x', /"--upload-pack=x" begins with -/],
  ['https://x/r.git#v1:-x', /"-x" begins with -/],
  ['https://u:secret@x/r.git?reff=x', /^invalid git URL https:\/\/x\/r.git\?reff=x: unexpected query "reff"/],
  ['https://x/r.git?ref=a#b', /names a ref or folder twice/],
];
for (const [url, message] of REFUSED)
  test(`${url} is refused`, () => assert.throws(() => parseGitUrl(url), { message }));
