import { Failure, isFailure } from '../../lib/error.ts';
import type { ContainerInspect } from '../../wire/container.ts';
import { defineCommand } from '../command.ts';
import { text, toggle } from '../flags/flag.ts';
import { runAttached } from '../run/attached-run.ts';
import { exitCodeFor } from '../run/run-failure.ts';
import { forEachName } from './each.ts';

export const start = defineCommand({
  short: 'Start one or more stopped containers',
  usage: 'CONTAINER [CONTAINER...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['container start', 'start'],
  flags: {
    attach: toggle('Attach to stdout and stderr and forward signals', { short: 'a' }),
    detachKeys: text('Keys that detach from the container'),
    interactive: toggle('Attach to stdin', { short: 'i' }),
  },
  async run(session, { flags, args }) {
    const client = await session.client();
    const { signal } = session;
    if (!flags.attach && !flags.interactive) {
      const failed: string[] = [];
      await forEachName(session, args, async (name) => {
        try {
          await client.call('POST', `/containers/${name}/start`, { signal });
          return name;
        } catch (error) {
          failed.push(name);
          throw error;
        }
      });
      if (failed.length > 0)
        throw new Failure('invalid', 'START', `Error: failed to start containers: ${failed.join(', ')}`);
      return 0;
    }
    const [name = '', ...more] = args;
    if (more.length > 0)
      throw new Failure('invalid', 'START_MANY', 'you cannot start and attach multiple containers at once');
    const container = await client.json<ContainerInspect>('GET', `/containers/${name}/json`, { signal });
    const options = {
      tty: container.Config.Tty === true,
      stdin: flags.interactive && container.Config.OpenStdin === true,
      stdout: true,
      stderr: true,
      detachKeys: flags.detachKeys,
      sigProxy: container.Config.Tty !== true,
      until: container.HostConfig.AutoRemove === true ? 'removed' : 'next-exit',
    } as const;
    try {
      return await runAttached(session, client, container.Id, options, () =>
        client.call('POST', `/containers/${container.Id}/start`, { signal }),
      );
    } catch (error) {
      if (!isFailure(error) || error.kind === 'cancelled') throw error;
      const detail = { cause: error, exitCode: exitCodeFor(error) === 125 ? 1 : exitCodeFor(error) };
      throw new Failure(error.kind, error.code, error.message, detail);
    }
  },
});
