import { Failure } from '../../lib/error.ts';
import type { ContainerInspect } from '../../wire/container.ts';
import { defineCommand } from '../command.ts';
import { text, toggle } from '../flags/flag.ts';
import { runAttached } from '../run/attached-run.ts';
import { terminalSize } from '../terminal/resize.ts';

export const attach = defineCommand({
  short: 'Attach stdin, stdout and stderr to a running container',
  usage: 'CONTAINER',
  count: [1, 1],
  aliases: ['container attach', 'attach'],
  flags: {
    detachKeys: text('Keys that detach from the container'),
    noStdin: toggle('Do not attach stdin'),
    sigProxy: toggle('Send received signals to the container', { initial: true }),
  },
  async run(session, { flags, args: [name = ''] }) {
    const client = await session.client();
    const { Id, Config, State } = await client.json<ContainerInspect>('GET', `/containers/${name}/json`, {
      signal: session.signal,
    });
    const refusal = !State.Running
      ? 'You cannot attach to a stopped container, start it first'
      : State.Paused
        ? 'You cannot attach to a paused container, unpause it first'
        : State.Restarting
          ? 'You cannot attach to a restarting container, wait until it is running'
          : undefined;
    if (refusal !== undefined) throw new Failure('conflict', 'ATTACH', refusal);
    const tty = Config.Tty === true;
    const stdin = !flags.noStdin && Config.OpenStdin === true;
    if (stdin && tty && !session.stdin.isTTY) throw new Failure('invalid', 'NO_TTY', 'the input device is not a TTY');
    const { detachKeys } = flags;
    const options = { tty, stdin, stdout: true, stderr: true, detachKeys, sigProxy: flags.sigProxy && !tty };
    const size = tty ? terminalSize(session) : undefined;
    return await runAttached(session, client, Id, { ...options, until: 'next-exit' }, async () => {
      if (!size) return;
      // Another size for a moment, before the right one comes, makes a full-screen program draw itself.
      const query = { h: size[0] + 1, w: size[1] + 1 };
      await client.call('POST', `/containers/${Id}/resize`, { query, signal: session.signal });
    });
  },
});
