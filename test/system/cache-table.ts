/**
 * "Change X, expect a hit or a miss": one list for Strake and for a real BuildKit. Each row builds twice. Its Dockerfile ends
 * in a step that writes another file each time it really runs, so the second build has the same top layer when nothing
 * made that step run again.
 */
import { chmodSync, chownSync, linkSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimes, setXattr } from '../../src/host/file-system-calls.ts';

export interface CacheRow {
  readonly name: string;
  readonly dockerfile: string;
  /** Besides those of every context: `file`, `dir/one`, `dir/two`, `link` to `file`, `.dockerignore` with `ignored*`. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  readonly flags?: readonly string[];
  /** What is different in the second build. */
  readonly change: {
    readonly dockerfile?: string;
    readonly flags?: readonly string[];
    readonly context?: (folder: string) => void;
  };
  readonly expect: 'hit' | 'miss';
  /** What BuildKit does where Strake means to do better: it gives stale content. */
  readonly buildkit?: 'hit' | 'miss';
  /** The language of the BuildKit in Docker 20.10 does not have it. */
  readonly isNew?: boolean;
}

const PROBE = 'RUN cat /proc/sys/kernel/random/uuid > /probe';
export const FILES: Readonly<Record<string, string>> = {
  file: 'content',
  'dir/one': 'one',
  'dir/two': 'two',
  link: '-> file',
  ignored: 'ignored',
  '.dockerignore': 'ignored*\nDockerfile\n.dockerignore\n',
};

/** The probe after these lines of a stage that has what the host calls `busybox`. */
const after = (...lines: string[]): string => ['FROM busybox', ...lines, PROBE, ''].join('\n');

/** A row that differs in lines before the probe. */
const lines = (name: string, before: string, now: string, expect: 'hit' | 'miss', more: Partial<CacheRow> = {}) => ({
  name,
  dockerfile: after(before),
  expect,
  ...more,
  change: { dockerfile: after(now), ...more.change },
});

/** A row that differs in the context, of which `dir` is copied. */
const context = (
  name: string,
  change: (folder: string) => void,
  expect: 'hit' | 'miss',
  more: Partial<CacheRow> = {},
): CacheRow => ({ name, dockerfile: after('COPY dir /dir'), change: { context: change }, expect, ...more });

/** A row that differs in flags of `build`. */
const flags = (
  name: string,
  instructions: string,
  before: readonly string[],
  now: readonly string[],
  expect: 'hit' | 'miss',
  more: Partial<CacheRow> = {},
): CacheRow => ({ name, dockerfile: after(instructions), flags: before, change: { flags: now }, expect, ...more });

const write = (path: string, content: string) => (folder: string) => writeFileSync(join(folder, path), content);
const stages = (first: string, copy: string) =>
  ['FROM busybox AS first', first, 'FROM busybox', copy, PROBE].join('\n');

export const cacheTable: readonly CacheRow[] = [
  // nothing, and metadata
  lines('nothing', 'LABEL a=1', 'LABEL a=1', 'hit'),
  lines('LABEL', 'LABEL a=1', 'LABEL a=2', 'hit'),
  lines('CMD', 'CMD ["a"]', 'CMD ["b"]', 'hit'),
  lines('ENTRYPOINT', 'ENTRYPOINT ["a"]', 'ENTRYPOINT ["b"]', 'hit'),
  lines('EXPOSE', 'EXPOSE 80', 'EXPOSE 81', 'hit'),
  lines('HEALTHCHECK', 'HEALTHCHECK CMD true', 'HEALTHCHECK NONE', 'hit'),
  lines('STOPSIGNAL', 'STOPSIGNAL TERM', 'STOPSIGNAL KILL', 'hit'),
  lines('VOLUME', 'LABEL a=1', 'VOLUME /data', 'hit'),
  lines('ONBUILD', 'ONBUILD RUN true', 'ONBUILD RUN false', 'hit'),
  lines('MAINTAINER', 'MAINTAINER a', 'MAINTAINER b', 'hit'),
  lines('a comment and an empty line', 'LABEL a=1', '# what follows\n\nLABEL a=1', 'hit'),

  // what a RUN depends on
  lines('value of ENV', 'ENV A=1', 'ENV A=2', 'miss'),
  lines('one more ENV', 'LABEL a=1', 'ENV A=1', 'miss'),
  lines('order of ENV', 'ENV A=1 B=2', 'ENV B=2 A=1', 'miss'),
  lines('USER', 'USER 0', 'USER root', 'miss'),
  lines('WORKDIR', 'WORKDIR /a', 'WORKDIR /b', 'miss'),
  lines('SHELL', 'LABEL a=1', 'SHELL ["/bin/busybox", "sh", "-c"]', 'miss'),
  lines('text of a RUN', 'RUN true', 'RUN true ', 'hit'),
  lines('spaces in a RUN', 'RUN echo a', 'RUN echo  a', 'miss'),
  lines('spaces before the command of a RUN', 'RUN echo a', 'RUN    echo a', 'hit'),
  lines('the case of the instruction', 'RUN echo a', 'run echo a', 'hit'),
  lines('where a line is continued', 'RUN true && true', 'RUN true && \\\n# why\ntrue', 'hit'),
  lines('exec form that is what the shell form means', 'RUN echo a', 'RUN ["/bin/sh", "-c", "echo a"]', 'hit'),
  lines('an earlier RUN', 'RUN echo a\nRUN echo b', 'RUN echo c\nRUN echo b', 'miss'),
  lines('an earlier RUN that changes nothing', 'RUN true\nRUN echo b', 'RUN echo b', 'miss'),
  lines('order of two RUNs', 'RUN echo a\nRUN echo b', 'RUN echo b\nRUN echo a', 'miss'),
  {
    name: 'ENV after the RUN',
    dockerfile: `${after()}ENV A=1\n`,
    change: { dockerfile: `${after()}ENV A=2\n` },
    expect: 'hit',
  },
  {
    name: 'a tmpfs',
    dockerfile: after('RUN true'),
    change: { dockerfile: after('RUN --mount=type=tmpfs,target=/t true') },
    expect: 'miss',
  },
  {
    name: 'ID of a cache mount',
    dockerfile: after('RUN --mount=type=cache,id=a,target=/t true'),
    change: { dockerfile: after('RUN --mount=type=cache,id=b,target=/t true') },
    expect: 'miss',
  },
  {
    name: 'content of a bind mount',
    dockerfile: after('RUN --mount=type=bind,source=dir,target=/t true'),
    change: { context: write('dir/one', 'new') },
    expect: 'miss',
  },
  {
    name: 'a file beside the source of a bind mount',
    dockerfile: after('RUN --mount=type=bind,source=dir,target=/t true'),
    change: { context: write('file', 'new') },
    expect: 'hit',
  },
  lines('text of a heredoc', 'RUN <<E\necho a\nE', 'RUN <<E\necho b\nE', 'miss', { isNew: true }),
  lines('network of a RUN', 'RUN true', 'RUN --network=none true', 'miss', { isNew: true }),

  // arguments
  flags('value of a declared ARG', 'ARG A', ['--build-arg=A=1'], ['--build-arg=A=2'], 'miss'),
  flags('a declared ARG gets a value', 'ARG A', [], ['--build-arg=A=1'], 'miss'),
  flags('value of an ARG that is not declared', '', ['--build-arg=A=1'], ['--build-arg=A=2'], 'hit'),
  flags('value of a proxy ARG', '', ['--build-arg=HTTP_PROXY=http://a'], ['--build-arg=HTTP_PROXY=http://b'], 'hit'),
  flags('BUILDKIT_SANDBOX_HOSTNAME', '', [], ['--build-arg=BUILDKIT_SANDBOX_HOSTNAME=a'], 'miss', { isNew: true }),
  flags('--label', '', ['--label=a=1'], ['--label=a=2'], 'hit'),
  flags('--add-host', '', [], ['--add-host=a:10.0.0.1'], 'miss'),
  flags('--no-cache', '', [], ['--no-cache'], 'miss'),
  lines('default of an ARG', 'ARG A=1', 'ARG A=2', 'miss'),
  lines('an ARG without a value', 'LABEL a=1', 'ARG A', 'hit'),
  lines('ARG for ENV of the same value', 'ARG A=1', 'ENV A=1', 'hit'),
  {
    name: 'an ARG that is declared after the RUN',
    dockerfile: `${after()}ARG A\nLABEL a=$A\n`,
    flags: ['--build-arg=A=1'],
    change: { flags: ['--build-arg=A=2'] },
    expect: 'hit',
  },
  {
    name: 'a global ARG that no stage takes',
    dockerfile: `ARG A=1\n${after()}`,
    change: { dockerfile: `ARG A=2\n${after()}` },
    expect: 'hit',
  },
  {
    name: 'a global ARG in FROM that names the same image',
    dockerfile: `ARG A=busybox\n${after()}`.replace('FROM busybox', `FROM $A`),
    change: { flags: ['--build-arg=A=same'] },
    expect: 'hit',
  },
  {
    name: 'a base with the same files and another label',
    dockerfile: after(),
    change: { dockerfile: after().replace('busybox', 'labelled') },
    expect: 'hit',
  },
  {
    name: 'a base with other files',
    dockerfile: after(),
    change: { dockerfile: after().replace('busybox', 'other') },
    expect: 'miss',
  },

  // files of the context
  context('content of a file', write('dir/one', 'other content'), 'miss'),
  context(
    'content of a file, its size and time restored',
    (folder) => {
      const path = join(folder, 'dir/one');
      const { mtimeNs } = statSync(path, { bigint: true });
      writeFileSync(path, 'uno');
      setTimes(path, mtimeNs / 1_000_000_000n, Number(mtimeNs % 1_000_000_000n));
    },
    'miss',
    { buildkit: 'hit' },
  ),
  context('time of a file', (folder) => utimesSync(join(folder, 'dir/one'), 1, 1), 'hit'),
  context('time of a folder', (folder) => utimesSync(join(folder, 'dir'), 1, 1), 'hit'),
  context('the same content written again', write('dir/one', 'one'), 'hit'),
  context('mode of a file', (folder) => chmodSync(join(folder, 'dir/one'), 0o755), 'miss'),
  context('mode of the folder itself', (folder) => chmodSync(join(folder, 'dir'), 0o700), 'hit'),
  {
    ...context('mode of a folder in it', (folder) => chmodSync(join(folder, 'dir'), 0o700), 'miss', {
      buildkit: 'hit',
    }),
    dockerfile: after('COPY . /all'),
  },
  context('owner of a file', (folder) => chownSync(join(folder, 'dir/one'), 1000, 1000), 'hit'),
  // Docker's client does not send them.
  context('xattr of a file', (folder) => setXattr(join(folder, 'dir/one'), 'user.a', Buffer.from('1')), 'miss', {
    buildkit: 'hit',
  }),
  context('one more file', write('dir/three', ''), 'miss'),
  context('a file less', (folder) => rmSync(join(folder, 'dir/two')), 'miss'),
  context(
    'a symlink for a file',
    (folder) => {
      rmSync(join(folder, 'dir/two'));
      symlinkSync('one', join(folder, 'dir/two'));
    },
    'miss',
  ),
  context('a file outside of what is copied', write('file', 'other content'), 'hit'),
  {
    ...context('a file that is ignored', write('ignored', 'other content'), 'hit'),
    dockerfile: after('COPY . /all'),
  },
  {
    ...context('the ignore file, to the same effect', write('.dockerignore', 'ignored\nDockerfile\n.docker*\n'), 'hit'),
    dockerfile: after('COPY . /all'),
  },
  {
    ...context('one more ignored file in the folder', write('ignored-too', ''), 'hit'),
    dockerfile: after('COPY . /all'),
  },
  {
    name: 'target of a symlink in a folder',
    dockerfile: after('COPY . /all'),
    change: {
      context: (folder) => {
        rmSync(join(folder, 'link'));
        symlinkSync('dir/one', join(folder, 'link'));
      },
    },
    expect: 'miss',
  },
  {
    name: 'what a wildcard finds',
    dockerfile: after('COPY fil* /all/'),
    change: { context: write('file2', '') },
    expect: 'miss',
  },
  {
    name: 'what a wildcard does not find',
    dockerfile: after('COPY fil* /all/'),
    change: { context: write('other', '') },
    expect: 'hit',
  },
  {
    name: 'a hard link for an equal file',
    dockerfile: after('COPY dir /dir'),
    files: { 'dir/two': 'one' },
    change: {
      context: (folder) => {
        rmSync(join(folder, 'dir/two'));
        linkSync(join(folder, 'dir/one'), join(folder, 'dir/two'));
      },
    },
    expect: 'hit',
  },

  // COPY and ADD themselves
  lines('destination of COPY', 'COPY file /a', 'COPY file /b', 'miss'),
  lines('--chown of COPY', 'COPY file /a', 'COPY --chown=1:1 file /a', 'miss'),
  lines('--chmod of COPY', 'COPY file /a', 'COPY --chmod=700 file /a', 'miss', { isNew: true }),
  lines('COPY for ADD of the same file', 'ADD file /a', 'COPY file /a', 'miss'),
  lines('./ before a source', 'COPY file /a', 'COPY ./file /a', 'hit'),
  lines('a variable for its value', 'ENV A=file\nCOPY file /a', 'ENV A=file\nCOPY $A /a', 'hit'),

  // stages
  {
    name: 'a stage that nobody needs',
    dockerfile: `FROM busybox AS spare\nRUN echo 1\n${after()}`,
    change: { dockerfile: `FROM busybox AS spare\nRUN echo 2\n${after()}` },
    expect: 'hit',
  },
  {
    name: 'name of a stage',
    dockerfile: stages('RUN echo 1 > /f', 'COPY --from=first /f /'),
    change: { dockerfile: stages('RUN echo 1 > /f', 'COPY --from=0 /f /').replace('AS first', 'AS one') },
    expect: 'hit',
  },
  {
    name: 'a stage runs again and gives the same file',
    dockerfile: stages('RUN echo 1 > /f', 'COPY --from=first /f /'),
    change: { dockerfile: stages('RUN echo 1 > /f; true', 'COPY --from=first /f /') },
    expect: 'hit',
  },
  {
    name: 'a stage gives another file',
    dockerfile: stages('RUN echo 1 > /f', 'COPY --from=first /f /'),
    change: { dockerfile: stages('RUN echo 2 > /f', 'COPY --from=first /f /') },
    expect: 'miss',
  },
  {
    name: 'a stage has another file beside the one that is copied',
    dockerfile: stages('RUN echo 1 > /f', 'COPY --from=first /f /'),
    change: { dockerfile: stages('RUN echo 1 > /f; echo 2 > /g', 'COPY --from=first /f /') },
    expect: 'hit',
  },
  // The copy keeps the owner, so BuildKit's hit leaves the old one.
  {
    name: 'owner of a file of a stage',
    dockerfile: stages('RUN echo 1 > /f', 'COPY --from=first /f /'),
    change: { dockerfile: stages('RUN echo 1 > /f && chown 5 /f', 'COPY --from=first /f /') },
    expect: 'miss',
    buildkit: 'hit',
  },
  {
    name: 'the same file from an image instead of a stage',
    dockerfile: stages('', 'COPY --from=first /etc/passwd /p'),
    change: { dockerfile: stages('', 'COPY --from=busybox /etc/passwd /p') },
    expect: 'hit',
  },
];
