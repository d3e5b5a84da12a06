import { instructionText } from '../../oci/instruction-text.ts';
import { shortenId } from '../../oci/short-id.ts';
import { fileMode } from '../../wire/file-mode.ts';
import type { FileRow, FoundRow } from '../../wire/insight.ts';
import { imageRoute, insightRows, strakeHost } from '../client/insight.ts';
import { defineCommand } from '../command.ts';
import { tableFormatFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { goTime, humanSize } from '../format/human.ts';
import { type Row, renderRows } from '../format/rows.ts';
import { shownPath } from '../format/shown-path.ts';
import { ellipsis } from '../format/words.ts';
import { type Session, writeAll } from '../session.ts';

/** Prints the entries of a folder of an image, or the one that `path` is. */
export async function listImageFiles(session: Session, image: string, path: string, format: string): Promise<void> {
  const rows: Row[] = [];
  for await (const row of insightRows<FileRow>(session, imageRoute(image, 'files'), { path })) {
    const name = row.Path.slice(row.Path.lastIndexOf('/') + 1) || '/';
    rows.push({ ...fileColumns(row), Name: shownPath(row.Type === 'symlink' ? `${name} -> ${row.Link}` : name) });
  }
  const columns = ['Mode', 'Owner', 'Size', 'Modified', 'Name'];
  session.stdout.write(await renderRows(rows, { titles: FILE_TITLES, columns, format }));
}

export const imageCat = defineCommand({
  short: 'Print a file of an image',
  usage: 'IMAGE PATH',
  count: [2, 2],
  flags: {},
  async run(session, { args: [image = '', path = ''] }) {
    const client = await strakeHost(session);
    const answer = await client.request('GET', imageRoute(image, 'file'), { query: { path }, signal: session.signal });
    for await (const chunk of answer.body) await writeAll(session.stdout, chunk);
    return 0;
  },
});

export const imageFind = defineCommand({
  short: 'Find files in images by name',
  usage: '[IMAGE] NAME-PATTERN',
  count: [1, 2],
  flags: {
    all: toggle('Look into all images', { short: 'a' }),
    format: tableFormatFlag,
  },
  async run(session, { flags, args, path }) {
    const images = args.slice(0, -1);
    if (flags.all === images.length > 0) {
      session.stderr.write(`strake: 'strake ${path}' needs either an image or --all\n`);
      return 1;
    }
    const rows: Row[] = [];
    const query = { image: images, pattern: args.at(-1) };
    for await (const row of insightRows<FoundRow>(session, '/strake/images/find', query))
      rows.push({ ...fileColumns(row), Image: row.Names[0] ?? shortenId(row.Image), ImageID: row.Image });
    const columns = [...(flags.all ? ['Image'] : []), 'Path', 'Size', 'Step', 'CreatedBy'];
    session.stdout.write(await renderRows(rows, { titles: FILE_TITLES, columns, format: flags.format }));
    return rows.length === 0 ? 1 : 0;
  },
});

const FILE_TITLES = {
  Image: 'IMAGE',
  ImageID: 'IMAGE ID',
  Path: 'PATH',
  Type: 'TYPE',
  Mode: 'MODE',
  Owner: 'OWNER',
  Size: 'SIZE',
  Bytes: 'BYTES',
  Modified: 'MODIFIED',
  Name: 'NAME',
  Link: 'LINK',
  Digest: 'DIGEST',
  Step: 'STEP',
  CreatedBy: 'CREATED BY',
};

function fileColumns(row: FileRow): Row {
  return {
    Path: shownPath(row.Path),
    Type: row.Type,
    Mode: fileMode(row.Type, row.Mode),
    Owner: `${row.Uid}:${row.Gid}`,
    Size: row.Device ? row.Device.join(', ') : humanSize(row.Size),
    Bytes: String(row.Size),
    Modified: goTime(row.Modified).slice(0, 19),
    Link: shownPath(row.Link ?? ''),
    Digest: row.Digest ?? '',
    Step: String(row.Step.Number),
    CreatedBy: ellipsis(instructionText(row.Step.CreatedBy), 60),
  };
}
