/**
 * Runs the table of cache hits and misses (test/system/cache-table.ts) on this Strake and on the BuildKit of a dockerd,
 * and prints both. Needs root, and dockerd and docker of one package: `node scripts/compare-cache.ts [words]`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheTable } from '../test/system/cache-table.ts';
import { prepareBases, type TriedBuilder, tryRow } from '../test/system/cache-table-run.ts';
import { startDockerd } from '../test/system/dockerd.ts';
import { importBusybox, startHost } from '../test/system/harness.ts';

const words = process.argv.slice(2);
const rows = cacheTable.filter(({ name }) => words.every((word) => name.includes(word)));
const folder = mkdtempSync(join(tmpdir(), 'strake-compare-'));
try {
  await using host = await startHost();
  await using dockerd = await startDockerd(folder);
  await importBusybox(host);
  const tar = join(folder, 'busybox.tar');
  await host.ok(['save', '-o', tar, 'busybox']);
  await dockerd.ok(['load', '-q', '-i', tar]);
  const strake: TriedBuilder = { command: host.ok, socket: host.socket };
  const buildkit: TriedBuilder = {
    // This dockerd has no bridge; builds use the network of the machine. The client of the same package has BuildKit in it.
    command: ([command = '', ...args], options) =>
      dockerd.ok([command, ...(command === 'build' ? ['--network=host'] : []), ...args], {
        ...options,
        env: { DOCKER_BUILDKIT: '1', PATH: `/usr/bin:${process.env['PATH']}` },
      }),
    socket: join(folder, 'dockerd/d.sock'),
  };
  for (const builder of [strake, buildkit]) await prepareBases(folder, builder);
  let unlike = 0;
  console.log('strake  buildkit  expected  change');
  for (const row of rows) {
    const ours = await tryRow(folder, row, strake);
    const theirs = row.isNew === true ? '-' : await tryRow(folder, row, buildkit);
    const meant = row.buildkit === undefined ? '' : '   (as meant)';
    const agree = ours === row.expect && (theirs === '-' || theirs === (row.buildkit ?? row.expect));
    if (!agree) unlike++;
    console.log(
      `${ours.padEnd(8)}${theirs.padEnd(10)}${row.expect.padEnd(10)}${row.name}${agree ? meant : '   <-- unlike'}`,
    );
  }
  console.log(`${rows.length} rows, ${unlike} not as expected`);
  if (unlike > 0 || rows.length === 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
