import { setTimeout as sleep } from 'node:timers/promises';
import { isFailure } from '../../lib/error.ts';
import type { ContainerSummary } from '../../wire/container.ts';
import type { ContainerStats } from '../../wire/container-details.ts';
import type { EngineClient } from '../client/engine-client.ts';
import { readLines } from '../client/json-lines.ts';
import { defineCommand } from '../command.ts';
import { tableFormatFlag } from '../flags/common.ts';
import { toggle } from '../flags/flag.ts';
import { renderRows } from '../format/rows.ts';
import { statsRow } from '../format/stats-row.ts';
import type { Session } from '../session.ts';

const REDRAW_MS = 500;
const CLEAR = '\x1b[2J\x1b[H';

export const stats = defineCommand({
  short: 'Show what containers use, as it changes',
  usage: '[CONTAINER...]',
  count: [0, Number.POSITIVE_INFINITY],
  aliases: ['container stats', 'stats'],
  flags: {
    all: toggle('Show all containers, not only running ones', { short: 'a' }),
    format: tableFormatFlag,
    noStream: toggle('Show it once'),
    noTrunc: toggle('Show IDs whole'),
  },
  async run(session, { flags, args }) {
    const client = await session.client();
    const { signal } = session;
    const print = (samples: readonly ContainerStats[]) => {
      const rows = samples.map((sample) => statsRow(sample, { whole: flags.noTrunc }));
      return renderRows(rows, { ...TABLE, format: flags.format });
    };
    if (flags.noStream) {
      const names = args.length > 0 ? args : await containers(client, flags.all, signal);
      session.stdout.write(await print(await Promise.all(names.map((name) => sampleOf(client, name, signal)))));
      return 0;
    }
    for (const name of args) await client.json('GET', `/containers/${encodeURIComponent(name)}/json`, { signal });
    await watch(session, client, { names: args, all: flags.all, print });
    return 0;
  },
});

const TABLE = {
  titles: {
    Container: 'CONTAINER',
    ID: 'CONTAINER ID',
    Name: 'NAME',
    CPUPerc: 'CPU %',
    MemUsage: 'MEM USAGE / LIMIT',
    MemPerc: 'MEM %',
    NetIO: 'NET I/O',
    BlockIO: 'BLOCK I/O',
    PIDs: 'PIDS',
  },
  columns: ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'],
};

/** Draws the newest sample of each container, until interrupted or the named ones are gone. */
async function watch(
  session: Session,
  client: EngineClient,
  what: {
    readonly names: readonly string[];
    readonly all: boolean;
    readonly print: (samples: readonly ContainerStats[]) => Promise<string>;
  },
): Promise<void> {
  const { signal } = session;
  const newest = new Map<string, ContainerStats>();
  const following = new Set<string>();
  let problem: unknown;
  const follow = async (name: string) => {
    following.add(name);
    try {
      const path = `/containers/${encodeURIComponent(name)}/stats`;
      const answer = await client.request('GET', path, { query: { stream: true }, signal });
      for await (const line of readLines(answer.body)) newest.set(name, JSON.parse(line) as ContainerStats); // the API's promise
    } catch (error) {
      if (!isFailure(error)) problem = error; // else it has gone meanwhile
    }
    newest.delete(name);
    following.delete(name);
  };
  for (const name of what.names) void follow(name);
  do {
    if (what.names.length === 0)
      for (const id of await containers(client, what.all, signal)) if (!following.has(id)) void follow(id);
    session.stdout.write(`${session.stdout.isTTY ? CLEAR : ''}${await what.print([...newest.values()])}`);
    await sleep(REDRAW_MS, undefined, { signal }).catch(() => {});
    if (problem !== undefined) throw problem;
  } while (!signal.aborted && (what.names.length === 0 || following.size > 0));
}

async function containers(client: EngineClient, all: boolean, signal: AbortSignal): Promise<string[]> {
  const rows = await client.json<ContainerSummary[]>('GET', '/containers/json', { query: { all }, signal });
  return rows.map(({ Id }) => Id);
}

async function sampleOf(client: EngineClient, name: string, signal: AbortSignal): Promise<ContainerStats> {
  const path = `/containers/${encodeURIComponent(name)}/stats`;
  return client.json<ContainerStats>('GET', path, { query: { stream: false }, signal });
}
