import { Failure } from '../../lib/error.ts';
import { defineCommand } from '../command.ts';
import { bytes, custom, integer, text } from '../flags/flag.ts';
import { parseRestartPolicy } from '../run/create-body.ts';
import { parseCpus } from '../run/limits.ts';
import { forEachName } from './each.ts';

export const update = defineCommand({
  short: 'Change the limits and the restart policy of one or more containers',
  usage: 'CONTAINER [CONTAINER...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['container update', 'update'],
  flags: {
    blkioWeight: integer('Block IO weight, 10 to 1000; 0 turns it off', { type: 'uint16' }),
    cpuPeriod: integer('Period of the CPU quota in microseconds'),
    cpuQuota: integer('CPU time in a period in microseconds'),
    cpuShares: integer('CPU shares (relative weight)', { short: 'c' }),
    cpus: custom('decimal', 'Number of CPUs', 0, parseCpus),
    cpusetCpus: text('CPUs to run on (0-3, 0,1)'),
    cpusetMems: text('Memory nodes to use (0-3, 0,1)'),
    memory: bytes('Memory limit', { short: 'm' }),
    memoryReservation: bytes('Soft memory limit'),
    memorySwap: bytes('Limit of memory plus swap; -1 for unlimited swap', { unlimited: true }),
    pidsLimit: integer('Number of processes at most; -1 for no limit'),
    restart: text('Restart policy: no, always, unless-stopped, on-failure[:max]'),
  },
  async run(session, { flags, given, args }) {
    if (given.size === 0)
      throw new Failure('invalid', 'NOTHING_TO_UPDATE', 'you must provide one or more flags when using this command');
    const changes = {
      BlkioWeight: flags.blkioWeight,
      CpuPeriod: flags.cpuPeriod,
      CpuQuota: flags.cpuQuota,
      CpuShares: flags.cpuShares,
      NanoCpus: flags.cpus,
      CpusetCpus: flags.cpusetCpus,
      CpusetMems: flags.cpusetMems,
      Memory: flags.memory,
      MemoryReservation: flags.memoryReservation,
      MemorySwap: flags.memorySwap,
      ...(given.has('pidsLimit') && { PidsLimit: flags.pidsLimit }),
      ...(flags.restart !== '' && { RestartPolicy: parseRestartPolicy(flags.restart) }),
    };
    const client = await session.client();
    const warnings: string[] = [];
    const exitCode = await forEachName(session, args, async (name) => {
      const path = `/containers/${encodeURIComponent(name)}/update`;
      const answer = await client.json<{ Warnings: string[] | null }>('POST', path, {
        json: changes,
        signal: session.signal,
      });
      warnings.push(...(answer.Warnings ?? []));
      return name;
    });
    for (const warning of warnings) session.stderr.write(`${warning}\n`);
    return exitCode;
  },
});
