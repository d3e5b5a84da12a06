import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CacheRow, FILES } from './cache-table.ts';
import { makeContext, type RunOptions, run } from './harness.ts';

export interface TriedBuilder {
  /** `docker` or `strake` with these arguments, which must succeed. */
  command(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Where its Engine API listens. */
  readonly socket: string;
}

/** The bases that rows name besides `busybox`, which must be there. */
export async function prepareBases(folder: string, { command }: TriedBuilder): Promise<void> {
  const build = (name: string, dockerfile: string) =>
    command(['build', '-q', '-t', name, makeContext(folder, { Dockerfile: dockerfile })]);
  await command(['tag', 'busybox', 'same']);
  await build('labelled', 'FROM busybox\nLABEL a=1\n');
  await build('other', 'FROM busybox\nCOPY Dockerfile /other\n');
}

/** Builds twice and says whether the last step of the second build came from the first one. */
export async function tryRow(folder: string, row: CacheRow, builder: TriedBuilder): Promise<'hit' | 'miss'> {
  const context = makeContext(folder, { ...FILES, ...row.files, Dockerfile: row.dockerfile });
  const build = async (flags: readonly string[] = []) => {
    const image = await builder.command(['build', '-q', ...flags, context]);
    return await topLayer(builder.socket, image);
  };
  const before = await build(row.flags);
  row.change.context?.(context);
  if (row.change.dockerfile !== undefined) writeFileSync(join(context, 'Dockerfile'), row.change.dockerfile);
  return (await build(row.change.flags ?? row.flags)) === before ? 'hit' : 'miss';
}

async function topLayer(socket: string, id: string): Promise<string> {
  const { stdout } = await run('curl', ['-fsS', '--unix-socket', socket, `http://host/v1.41/images/${id}/json`]);
  const image: { RootFS: { Layers: string[] } } = JSON.parse(stdout); // the API's promise
  const top = image.RootFS.Layers.at(-1);
  assert.ok(top);
  return top;
}
