import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Failure, isFailure } from '../../lib/error.ts';
import { runProgram } from '../../lib/run-program.ts';
import type { ImageTree } from '../../wire/insight.ts';
import { strakeHost } from '../client/insight.ts';
import { defineCommand } from '../command.ts';
import { text, toggle } from '../flags/flag.ts';
import { dotGraph, textTree } from '../format/image-tree.ts';
import type { Session } from '../session.ts';

export const tree = defineCommand({
  short: 'Show how images stand on layers, as a tree or as a picture',
  usage: '',
  count: [0, 0],
  flags: {
    dot: toggle('Print the graph in the language of Graphviz'),
    png: text('File for a picture in PNG, drawn by Graphviz', { type: 'file' }),
    svg: text('File for a picture in SVG, drawn by Graphviz', { type: 'file' }),
  },
  async run(session, { flags }) {
    const client = await strakeHost(session);
    const images = await client.json<ImageTree>('GET', '/strake/images/tree', { signal: session.signal });
    if (flags.svg !== '') await draw(session, images, 'svg', flags.svg);
    if (flags.png !== '') await draw(session, images, 'png', flags.png);
    if (flags.dot) session.stdout.write(dotGraph(images));
    else if (flags.svg === '' && flags.png === '') session.stdout.write(textTree(images));
    return 0;
  },
});

/** Has Graphviz draw the graph into a file, which appears only when it is complete. */
async function draw(session: Session, images: ImageTree, form: 'svg' | 'png', path: string): Promise<void> {
  const aside = join(dirname(path), `.${basename(path)}.${process.pid}.partial`);
  try {
    const { exitCode, stderr } = await runProgram('dot', [`-T${form}`, '-o', aside], {
      stdin: dotGraph(images),
      signal: session.signal,
    });
    if (exitCode !== 0) throw new Failure('internal', 'DOT_FAILED', `dot cannot draw "${path}": ${stderr.trim()}`);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    if (!isFailure(error, 'unavailable')) throw error;
    throw new Failure('unavailable', 'DOT_MISSING', 'a picture needs the program "dot", which is not installed', {
      hint: 'install the package graphviz, or draw the output of "strake tree --dot" elsewhere',
      cause: error,
    });
  }
}
