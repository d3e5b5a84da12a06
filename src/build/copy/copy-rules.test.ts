import assert from 'node:assert/strict';
import { linkSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  copyHere,
  makeTestRoot,
  makeTree,
  requestOf,
  rowsOf,
  SKIP_UNLESS_ROOT,
  setAttributes,
} from './copy-test-kit.ts';

/*
 * Every row was seen in the layers of a real Docker 20.10 (classic builder), but for times, and for messages about what is
 * wrong with a destination.
 */
const root = makeTestRoot();
const context = join(root, 'context');
const base = join(root, 'base');

before(() => {
  makeTree(context, {
    'a.txt': 'a',
    'b.txt': 'b',
    'd/x': 'x',
    'd/sub/y': 'y',
    'd/empty/': '',
    'd/lx': '-> x',
    'e/': '',
    'sp ace/f': 's',
    abslink: '-> /etc/passwd',
    absdir: '-> /etc',
    updir: '-> ../../../../etc',
    dlink: '-> d',
    flink: '-> d/x',
    loop: '-> loop',
  });
  linkSync(join(context, 'd/x'), join(context, 'd/hard'));
  if (!SKIP_UNLESS_ROOT.skip) {
    setAttributes(join(context, 'd'), 0o700, 1000, 1000);
    setAttributes(join(context, 'd/x'), 0o4755, 1000, 1000);
    setAttributes(join(context, 'd/sub'), 0o750, 1000, 1000);
  }
  makeTree(join(base, 'diff'), {
    'etc/passwd': 'root:x:0:0::/:/bin/sh\nweb:x:101:102::/:/bin/sh\n',
    'etc/group': 'root:x:0:\nweb:x:102:\nstaff:x:50:\n',
    'usr/local/bin/': '',
    'opt/real/': '',
    'run/': '',
    abs: '-> /opt/real',
    esc: '-> ../../../opt/real',
    'var/run': '-> /run',
    'var/loop': '-> loop',
    dangling: '-> nowhere',
    file: 'hi',
    flink: '-> file',
    'was/sub/old': 'old',
    'was/lx/in': 'in',
    'was/x/in': 'in',
    'link/sub': '-> /etc',
  });
  if (!SKIP_UNLESS_ROOT.skip) {
    setAttributes(join(base, 'diff/usr/local/bin'), 0o2775, 5, 6);
    setAttributes(join(base, 'diff/was/sub'), 0o700, 9, 9);
  }
});
after(() => rmSync(root, { recursive: true }));

const A = (path: string) => `${path} file 644 0:0`;
const F = (path: string) => `${path} directory 755 0:0`;
/** The content of `d` below a folder. */
const D = (folder: string) => [
  `${folder}empty directory 755 0:0`,
  `${folder}hard file 4755 0:0`,
  `${folder}lx symlink 777 0:0 -> x`,
  `${folder}sub directory 750 0:0`,
  `${folder}sub/y file 644 0:0`,
  `${folder}x hardlink 4755 0:0 -> ${folder}hard`,
];

const COPIES: readonly (readonly [words: string, rows: readonly string[]])[] = [
  ['a.txt /usr/local/bin/', [F('usr'), F('usr/local'), 'usr/local/bin directory 2775 5:6', A('usr/local/bin/a.txt')]],
  ['a.txt /new/deep/file', [F('new'), F('new/deep'), A('new/deep/file')]],
  ['a.txt b.txt /x/', [F('x'), A('x/a.txt'), A('x/b.txt')]],
  ['a.txt a.txt /x/', [F('x'), A('x/a.txt')]],
  ['d /x', [F('x'), ...D('x/')]],
  ['d /x/', [F('x'), ...D('x/')]],
  ['d/ /usr/local/bin', [F('usr'), F('usr/local'), 'usr/local/bin directory 2775 5:6', ...D('usr/local/bin/')]],
  ['dlink /x', [F('x'), ...D('x/')]],
  ['dlink/ /x', [F('x'), ...D('x/')]],
  ['d /', D('')],
  ['d .', D('')],
  ['dlink/x /x', ['x file 4755 0:0']],
  ['flink /x', ['x file 4755 0:0']],
  ['d/lx /x', ['x file 4755 0:0']],
  ['/a.txt /x', [A('x')]],
  ['a.txt/ /x', [A('x')]],
  ['./d/./sub/../x /q', ['q file 4755 0:0']],
  ['d/x d/hard /x/', [F('x'), 'x/hard file 4755 0:0', 'x/x file 4755 0:0']],
  ['*.txt /x/', [F('x'), A('x/a.txt'), A('x/b.txt')]],
  ['[ab].txt /x/', [F('x'), A('x/a.txt'), A('x/b.txt')]],
  ['[^b].txt /x', [A('x')]],
  ['*/y nosuch* a.txt /x/', [F('x'), A('x/a.txt')]],
  ['d/*/y /x/', [F('x'), A('x/y')]],
  ['d/* /x/', [F('x'), 'x/hard file 4755 0:0', 'x/lx file 4755 0:0', 'x/x file 4755 0:0', A('x/y')]],
  ['e /x', [F('x')]],
  ['e /usr', [F('usr')]],
  ['a.txt /opt', [F('opt'), A('opt/a.txt')]],
  ['a.txt opt', [F('opt'), A('opt/a.txt')]],
  ['a.txt abs', [F('opt'), F('opt/real'), A('opt/real/a.txt')]],
  ['a.txt /esc/f', [F('opt'), F('opt/real'), A('opt/real/f')]],
  ['d /abs/', [F('opt'), F('opt/real'), ...D('opt/real/')]],
  ['a.txt /var/run/f', [F('run'), A('run/f')]],
  ['a.txt /dangling', [A('nowhere')]],
  ['a.txt /dangling/', [F('nowhere'), A('nowhere/a.txt')]],
  ['a.txt /dangling/f', [F('nowhere'), A('nowhere/f')]],
  ['a.txt /file', [A('file')]],
  ['a.txt /flink', [A('file')]],
  ['a.txt .', [A('a.txt')]],
  ['a.txt ../../f', [A('f')]],
  ['d/sub /was/sub', [F('was'), 'was/sub directory 700 9:9', A('was/sub/y')]],
  ['d /was', [F('was'), ...D('was/')]],
  ['d /link', [F('link'), ...D('link/').toSpliced(4, 0, 'link/sub opaque 0 0:0')]],
];

for (const [words, rows] of COPIES)
  test(`COPY ${words}`, SKIP_UNLESS_ROOT, async () => {
    const folder = join(root, `layer-${++layers}`);
    await copyHere(requestOf({ folder: context }, words, { base: [base] }), folder);
    assert.deepEqual(rowsOf(folder), rows);
  });

const MORE: readonly (readonly [name: string, words: string, more: object, rows: readonly string[]])[] = [
  ['chown of a name', 'a.txt /new/f', { chown: 'web' }, ['new directory 755 101:102', 'new/f file 644 101:102']],
  ['chown of names', 'a.txt /f', { chown: 'web:staff' }, ['f file 644 101:50']],
  ['chown of a number', 'a.txt /f', { chown: '1000' }, ['f file 644 1000:1000']],
  ['chown spares what is there', 'a.txt /usr/f', { chown: '7:8' }, [F('usr'), 'usr/f file 644 7:8']],
  ['chmod', 'd/sub /f', { chmod: '0700' }, [F('f'), 'f/y file 700 0:0']],
  ['chmod by letters', 'd/sub /f', { chmod: 'u=rwX,go=u-w' }, [F('f'), 'f/y file 644 0:0']],
  ['workdir', 'a.txt sub/f', { workdir: '/w' }, [F('w'), F('w/sub'), A('w/sub/f')]],
  ['scratch', 'a.txt /', { base: [] }, [A('a.txt')]],
  ['exclude', 'd /f', { excludes: ['*', '!sub/y'] }, [F('f'), 'f/sub directory 750 0:0', A('f/sub/y')]],
  ['parents', 'd/sub/y a.txt /p/', { parents: true }, [F('p'), A('p/a.txt'), F('p/d'), F('p/d/sub'), A('p/d/sub/y')]],
  ['parents from a point behind ./', './d/./sub/y /p/', { parents: true }, [F('p'), F('p/sub'), A('p/sub/y')]],
  ['parents from a point on', 'd/./sub/y /p/', { parents: true }, [F('p'), F('p/sub'), A('p/sub/y')]],
];

for (const [name, words, more, rows] of MORE)
  test(`COPY with ${name}`, SKIP_UNLESS_ROOT, async () => {
    const folder = join(root, `layer-${++layers}`);
    await copyHere(requestOf({ folder: context }, words, { base: [base], ...more }), folder);
    assert.deepEqual(rowsOf(folder), rows);
  });

const NOT_FOUND = (path: string) =>
  `COPY failed: file not found in build context or excluded by .dockerignore: stat ${path}: file does not exist`;
const MANY = 'When using COPY with more than one source file, the destination must be a directory and end with a /';
const CHOWN = "unable to convert uid/gid chown string to host mapping: can't find";

const REFUSED: readonly (readonly [words: string, message: string, more?: object])[] = [
  ['a.txt b.txt /x', MANY],
  ['*.txt /x', MANY],
  ['nosuch /x', NOT_FOUND('nosuch')],
  ['no*such /x', 'COPY failed: no source files were specified'],
  ['[z /x', 'COPY failed: no source files were specified'],
  ['abslink /x', NOT_FOUND('abslink')],
  ['absdir/passwd /x', NOT_FOUND('absdir/passwd')],
  ['updir/passwd /x', NOT_FOUND('updir/passwd')],
  ['loop /x', NOT_FOUND('loop')],
  ['a.txt/below /x', NOT_FOUND('a.txt/below')],
  ['../x /x', 'COPY failed: forbidden path outside the build context: ../x ()'],
  ['/../a.txt /x', 'COPY failed: forbidden path outside the build context: ../a.txt ()'],
  ['d/../../x /x', 'COPY failed: forbidden path outside the build context: ../x ()'],
  ['a.txt /file/', 'cannot copy to non-directory: /file'],
  ['a.txt /file/x', 'cannot copy to non-directory: /file'],
  ['d /flink', 'cannot copy to non-directory: /file'],
  ['a.txt /var/loop/f', 'too many symbolic links on the way to "/var/loop/f" in the image'],
  ['a.txt /x', `${CHOWN} uid for user nobody: no such user: nobody`, { chown: 'nobody' }],
  ['a.txt /x', `${CHOWN} gid for group none: no such group: none`, { chown: 'web:none' }],
  ['a.txt /x', `${CHOWN} uid for user : no such user: `, { chown: ':50' }],
  ['a.txt /x', "invalid chmod parameter: 'u+z'. it should be octal string and between 0 and 07777", { chmod: 'u+z' }],
];

for (const [words, message, more] of REFUSED)
  test(`COPY ${words} ${more ? `${JSON.stringify(more)} ` : ''}is refused`, async () => {
    const folder = join(root, `layer-${++layers}`);
    const request = requestOf({ folder: context }, words, { base: [base], ...more });
    await assert.rejects(copyHere(request, folder), { message });
  });

test('an image whose folder was deleted shows nothing of it', async () => {
  const above = join(root, 'above');
  makeTree(join(above, 'diff'), { 'opt/': '' });
  mkdirSync(join(root, 'empty'));
  const { makeWhiteout, setXattr } = await import('../../host/file-system-calls.ts');
  setXattr(join(above, 'diff/opt'), 'trusted.overlay.opaque', 'y');
  makeWhiteout(join(above, 'diff/usr'));
  const folder = join(root, `layer-${++layers}`);
  await copyHere(requestOf({ folder: context }, 'a.txt /opt/real', { base: [base, above] }), folder);
  assert.deepEqual(rowsOf(folder), [F('opt'), A('opt/real')]);
  const second = join(root, `layer-${++layers}`);
  await copyHere(requestOf({ folder: context }, 'a.txt /usr', { base: [base, above] }), second);
  assert.deepEqual(rowsOf(second), [A('usr')]);
});

let layers = 0;
