import { Failure } from '../../lib/error.ts';
import type { CacheMountRow } from '../../wire/cache-mount.ts';
import { defineCommand } from '../command.ts';
import { tableFormatFlag } from '../flags/common.ts';
import { text, toggle } from '../flags/flag.ts';
import { humanSize, timeAgo } from '../format/human.ts';
import { renderRows } from '../format/rows.ts';
import { forEachName } from './each.ts';
import { openInput } from './input-file.ts';
import { checkArchiveTarget, writeArchive } from './output-file.ts';

const MANY = Number.POSITIVE_INFINITY;

export const cacheLs = defineCommand({
  short: 'List the cache mounts of RUN steps',
  usage: '',
  count: [0, 0],
  flags: {
    format: tableFormatFlag,
    noTrunc: toggle('Do not cut IDs'),
    quiet: toggle('Show only IDs', { short: 'q' }),
  },
  async run(session, { flags }) {
    const client = await session.client();
    const mounts = await client.json<CacheMountRow[]>('GET', '/strake/cache', { signal: session.signal });
    const rows = mounts.map((mount) => ({
      ID: flags.noTrunc ? mount.ID : mount.ID.replace(/^([0-9a-f]{12})[0-9a-f]*/, '$1'),
      Name: mount.Name,
      Target: mount.Target,
      Sharing: mount.Sharing,
      Size: humanSize(mount.Size, 3),
      InUse: String(mount.InUse),
      LastUsedSince: timeAgo(Date.parse(mount.LastUsedAt) / 1000),
      UsageCount: String(mount.UsageCount),
    }));
    const titles = {
      ID: 'CACHE ID',
      Name: 'NAME',
      Target: 'TARGET',
      Sharing: 'SHARING',
      Size: 'SIZE',
      InUse: 'IN USE',
      LastUsedSince: 'LAST USED',
      UsageCount: 'USAGE',
    };
    const columns = Object.keys(titles);
    const quiet = flags.quiet ? 'ID' : undefined;
    session.stdout.write(await renderRows(rows, { titles, columns, format: flags.format, quiet }));
    return 0;
  },
});

export const cacheInspect = defineCommand({
  short: 'Show details of cache mounts',
  usage: 'NAME [NAME...]',
  count: [1, MANY],
  flags: {},
  async run(session, { args }) {
    const client = await session.client();
    const found: CacheMountRow[] = [];
    const code = await forEachName(session, args, async (name) => {
      const { signal } = session;
      found.push(await client.json<CacheMountRow>('GET', '/strake/cache/inspect', { query: { name }, signal }));
      return undefined;
    });
    session.stdout.write(`${JSON.stringify(found, null, 4)}\n`);
    return code;
  },
});

export const cacheRm = defineCommand({
  short: 'Remove cache mounts',
  usage: 'NAME [NAME...]',
  count: [1, MANY],
  flags: {},
  async run(session, { args }) {
    const client = await session.client();
    return await forEachName(session, args, async (name) => {
      await client.call('DELETE', '/strake/cache', { query: { name }, signal: session.signal });
      return name;
    });
  },
});

export const cacheExport = defineCommand({
  short: 'Write the files of a cache mount to a tar archive',
  usage: 'NAME',
  count: [1, 1],
  flags: { output: text('File to write, instead of stdout', { short: 'o' }) },
  async run(session, { flags, args: [name = ''] }) {
    checkArchiveTarget(session, flags.output);
    const client = await session.client();
    const { signal } = session;
    const answer = await client.request('GET', '/strake/cache/tar', { query: { name }, signal });
    await writeArchive(session, flags.output, answer.body);
    return 0;
  },
});

export const cacheImport = defineCommand({
  short: 'Fill a cache mount from a tar archive, in any compression',
  usage: 'NAME',
  count: [1, 1],
  flags: { input: text('File to read, instead of stdin', { short: 'i' }) },
  async run(session, { flags, args: [name = ''] }) {
    if (flags.input === '' && session.stdin.isTTY)
      throw new Failure('invalid', 'TERMINAL', 'requested import from a terminal: use the -i flag or redirect');
    const file = flags.input === '' ? undefined : await openInput(flags.input);
    const client = await session.client();
    const row = await client.json<CacheMountRow>('PUT', '/strake/cache/tar', {
      query: { name },
      body: file ? file.handle.createReadStream({ highWaterMark: 1 << 20 }) : session.stdin,
      headers: { 'Content-Type': 'application/x-tar' },
      signal: session.signal,
    });
    session.stdout.write(`${row.Name}: ${humanSize(row.Size, 3)}\n`);
    return 0;
  },
});
